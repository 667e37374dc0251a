#include "server/parent/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "net/addr.h"

enum { FIRST_FD = 3 };

static int
option(int fd, int which)
{
	int value = -1;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, which, &value, &n) == 0 ? value : -1;
}

/* Two descriptors of one socket: two workers had it. */
static bool
is_there(const struct inherited *in, int fd)
{
	struct stat st, other;

	if (fstat(fd, &st) < 0)
		return false;
	for (unsigned i = 0; i < in->n; i++)
		if (fstat(in->fd[i], &other) == 0 && other.st_ino == st.st_ino)
			return true;
	return false;
}

static bool
prepare(int fd)
{
	return option(fd, SO_ACCEPTCONN) == 1 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

/* How many we were started with, if that is said to us. */
static enum err
count(uint32_t *n_r, struct errbuf *eb)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	char shown[64];

	*n_r = 0;
	if (pid == NULL || fds == NULL || atol(pid) != (long)getpid())
		return E_OK;
	if (str_to_u32((struct slice){ fds, strlen(fds) }, n_r) &&
	    *n_r <= INHERITED_MAX)
		return E_OK;
	return err_set(eb, E_CONFIG,
	    "LISTEN_FDS is \"%s\", and not a number of sockets up to %d",
	    str_escape(shown, sizeof(shown), fds, strlen(fds)), INHERITED_MAX);
}

enum err
inherited_find(struct inherited *in, struct errbuf *eb)
{
	uint32_t n;
	enum err e = count(&n, eb);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	in->n = in->n_left = 0;
	if (e != E_OK)
		return e;
	for (int fd = FIRST_FD; n > 0; n--, fd++) {
		if (prepare(fd) && !is_there(in, fd))
			in->fd[in->n++] = fd;
		else
			close(fd);
	}
	return E_OK;
}

static bool
is_at(const struct sockaddr_storage *at, const struct sockaddr *wanted)
{
	const struct sockaddr_in6 *a6 = (const void *)at,
				  *b6 = (const void *)wanted;
	const struct sockaddr_in *a4 = (const void *)at,
				 *b4 = (const void *)wanted;
	const struct sockaddr_un *au = (const void *)at,
				 *bu = (const void *)wanted;

	if (at->ss_family != wanted->sa_family)
		return false;
	switch (wanted->sa_family) {
	case AF_INET:
		return a4->sin_port == b4->sin_port &&
		       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	case AF_INET6:
		return a6->sin6_port == b6->sin6_port &&
		       a6->sin6_scope_id == b6->sin6_scope_id &&
		       memcmp(&a6->sin6_addr, &b6->sin6_addr,
			   sizeof(a6->sin6_addr)) == 0;
	case AF_UNIX:
		return strncmp(au->sun_path, bu->sun_path,
			   sizeof(au->sun_path)) == 0;
	default: return false;
	}
}

unsigned
inherited_take(struct inherited *in, int type, const struct sockaddr *address,
    int *fd, unsigned room)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < in->n && taken < room; i++) {
		struct sockaddr_storage at = { 0 };
		socklen_t n = sizeof(at);

		if (in->fd[i] < 0 || option(in->fd[i], SO_TYPE) != type ||
		    getsockname(in->fd[i], (struct sockaddr *)&at, &n) < 0 ||
		    !is_at(&at, address))
			continue;
		fd[taken++] = in->fd[i];
		in->fd[i] = -1;
	}
	return taken;
}

int
inherited_take_path(struct inherited *in, int type, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = -1;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	(void)inherited_take(in, type, (const struct sockaddr *)&at, &fd, 1);
	return fd;
}

static void
show(char *out, size_t room, const struct sockaddr_storage *at)
{
	char address[ADDR_TEXT];

	if (at->ss_family == AF_UNIX)
		snprintf(out, room, "%.107s",
		    ((const struct sockaddr_un *)(const void *)at)->sun_path);
	else
		snprintf(out, room, "%s port %u", addr_text(address, at),
		    ntohs(((const struct sockaddr_in *)(const void *)at)
			      ->sin_port));
}

static void
note_path(struct inherited *in, const struct sockaddr_storage *at)
{
	const struct sockaddr_un *un = (const void *)at;

	if (at->ss_family != AF_UNIX || un->sun_path[0] == '\0' ||
	    in->n_left == INHERITED_PATHS)
		return;
	snprintf(in->left[in->n_left].path, sizeof(in->left[0].path), "%s",
	    un->sun_path);
	if (unix_socket_look(un->sun_path, &in->left[in->n_left].made))
		in->n_left++;
}

void
inherited_remove_rest(struct inherited *in)
{
	for (unsigned i = 0; i < in->n_left; i++)
		unix_socket_remove(in->left[i].path, &in->left[i].made);
	in->n_left = 0;
}

void
inherited_close_rest(struct inherited *in)
{
	for (unsigned i = 0; i < in->n; i++) {
		struct sockaddr_storage at = { 0 };
		socklen_t n = sizeof(at);
		char shown[160];

		if (in->fd[i] < 0)
			continue;
		(void)!getsockname(in->fd[i], (struct sockaddr *)&at, &n);
		show(shown, sizeof(shown), &at);
		log_line(LOG_WARNING,
		    "ev=listen at=\"%s\" error=\"it was handed to us, and is "
		    "in no listener of the configuration: it is closed\"",
		    shown);
		note_path(in, &at);
		close(in->fd[i]);
		in->fd[i] = -1;
	}
	in->n = 0;
}

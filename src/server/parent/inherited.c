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

void
inherited_find(struct inherited *in)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int n = 0;

	if (pid != NULL && fds != NULL && atol(pid) == (long)getpid())
		n = atoi(fds);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	in->n = 0;
	for (int fd = FIRST_FD; n > 0; n--, fd++) {
		if (in->n < INHERITED_MAX && prepare(fd) && !is_there(in, fd))
			in->fd[in->n++] = fd;
		else
			close(fd);
	}
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
		close(in->fd[i]);
		in->fd[i] = -1;
	}
	in->n = 0;
}

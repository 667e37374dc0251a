#include "server/parent/unix_socket.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum { FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK };

/* ---- as whom ---- */

/* What is done in the folder is done as its owner, who could do it, too: so
 * nothing there can lead us to anything else, and we need no right to write
 * everywhere. */
static bool
become_owner(const char *path)
{
	char copy[PATH_MAX];
	struct stat st;

	snprintf(copy, sizeof(copy), "%s", path);
	return geteuid() != 0 || stat(dirname(copy), &st) < 0 ||
	       st.st_uid == 0 || seteuid(st.st_uid) == 0;
}

static void
become_self(void)
{
	if (seteuid(getuid()) < 0 || setegid(getgid()) < 0)
		fatal("ev=start error=\"%s\"", strerror(errno));
}

/* ---- making it ---- */

/* Does nobody listen there any more? */
static bool
is_stale(const struct sockaddr_un *at, int type)
{
	int fd = socket(AF_UNIX, type | FLAGS, 0);
	bool stale =
	    fd >= 0 &&
	    connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 &&
	    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return stale;
}

/* Makes room: what a maloted that was killed has left there is removed, nothing
 * else. */
static enum err
clear(const struct sockaddr_un *at, int type, struct errbuf *eb)
{
	struct stat st;

	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT
			   ? E_OK
			   : err_set(eb, E_IO, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(eb, E_BUSY,
		    "what is there is no socket; remove it, or write another "
		    "path");
	if (!is_stale(at, type))
		return err_set(eb, E_BUSY,
		    "another maloted, or another program, listens there; stop "
		    "it, or write another path");
	return unlink(at->sun_path) == 0
		   ? E_OK
		   : err_set(eb, E_IO, "%s", strerror(errno));
}

/* Made with the group and the mode that it is to have, so that nobody else gets
 * in between; nothing is done by its name afterwards. */
static bool
bind_at(int fd, const struct sockaddr_un *at, mode_t mode)
{
	mode_t before = umask(~mode & 0777);
	bool bound = bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;
	int error = errno;

	umask(before);
	errno = error;
	return bound;
}

bool
unix_socket_look(const char *path, struct unix_made *made_r)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return false;
	*made_r = (struct unix_made){ st.st_dev, st.st_ino };
	return true;
}

static enum err
make(const struct unix_socket *s, int *fd_r, struct unix_made *made_r,
    struct errbuf *eb)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, error;
	enum err e;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->path);
	if ((e = clear(&at, s->type, eb)) != E_OK)
		return e;
	fd = socket(AF_UNIX, s->type | FLAGS, 0);
	if (fd >= 0 && bind_at(fd, &at, s->mode) &&
	    unix_socket_look(s->path, made_r) && listen(fd, s->backlog) == 0) {
		*fd_r = fd;
		return E_OK;
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	return err_set(eb, E_IO, "%s", strerror(error));
}

enum err
unix_socket_open(const struct unix_socket *s, int *fd_r,
    struct unix_made *made_r, struct errbuf *eb)
{
	enum err e;

	if ((s->group != (gid_t)-1 && setegid(s->group) < 0) ||
	    !become_owner(s->path))
		e = err_set(eb, E_IO, "%s", strerror(errno));
	else
		e = make(s, fd_r, made_r, eb);
	become_self();
	return e;
}

void
unix_socket_remove(const char *path, const struct unix_made *made)
{
	struct unix_made now;

	if (become_owner(path) && unix_socket_look(path, &now) &&
	    now.device == made->device && now.inode == made->inode)
		unlink(path);
	become_self();
}

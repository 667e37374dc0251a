/*
 * Locks as Debian has them: fcntl() first, then the file NAME.lock.  Both or
 * none are held while another program is waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/deliver/mbox.h"

enum {
	PAUSE_MS = 50,
	STALE = 5 * 60, /* seconds */
	LOCK_TEXT = 256,
};

/* ---- where it is ---- */

static enum err
open_parent(struct mbox *m, char *path, struct errbuf *eb)
{
	char *slash = strrchr(path, '/');
	const char *dir = slash == path ? "/" : path;
	size_t n;

	if (slash == NULL || slash[1] == '\0')
		return err_set(
		    eb, E_CONFIG, _("%s is not the path of a file"), m->where);
	n = strlen(slash + 1);
	m->name = strdup(slash + 1);
	m->lock_name = malloc(n + sizeof(".lock"));
	if (m->name == NULL || m->lock_name == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	sprintf(m->lock_name, "%s.lock", m->name);
	*slash = '\0';
	return folder_make(dir, &m->dir, eb);
}

/* The path that it leads to, in memory of the caller's; `at` has the mbox's
 * own path without its last part. */
static char *
join(const char *at, const char *target)
{
	char *path = malloc(strlen(at) + strlen(target) + 2);

	if (path != NULL && target[0] == '/')
		strcpy(path, target);
	else if (path != NULL)
		sprintf(path, "%s/%s", at, target);
	return path;
}

static void
forget_names(struct mbox *m)
{
	if (m->dir >= 0)
		close(m->dir);
	free(m->name);
	free(m->lock_name);
	m->dir = -1;
	m->name = m->lock_name = NULL;
}

static enum err
follow(struct mbox *m, const char *at, struct errbuf *eb)
{
	char target[4096], *path;
	struct stat st;
	ssize_t n;
	enum err e;

	if (fstatat(m->dir, m->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISLNK(st.st_mode))
		return E_OK;
	if (st.st_uid != geteuid())
		return err_set(eb, E_DENIED,
		    _("%s is a symbolic link of somebody else"), m->where);
	n = readlinkat(m->dir, m->name, target, sizeof(target) - 1);
	if (n < 0)
		return err_sys(eb, disk_err(), _("cannot open %s"), m->where);
	target[n] = '\0';
	if ((path = join(at, target)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	forget_names(m);
	e = open_parent(m, path, eb);
	free(path);
	return e;
}

static enum err
not_regular(const struct mbox *m, struct errbuf *eb)
{
	return err_set(eb, E_CONFIG, _("%s is not a regular file"), m->where);
}

/* It need not be there yet. */
static enum err
check_kind(const struct mbox *m, struct errbuf *eb)
{
	struct stat st;

	if (fstatat(m->dir, m->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    S_ISREG(st.st_mode))
		return E_OK;
	return not_regular(m, eb);
}

enum err
mbox_resolve(struct mbox *m, const char *path, struct errbuf *eb)
{
	char *copy = strdup(path);
	enum err e;

	path_shown(m->where, path);
	if (copy == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = open_parent(m, copy, eb)) == E_OK)
		e = follow(m, copy, eb);
	free(copy);
	return e == E_OK ? check_kind(m, eb) : e;
}

/* ---- NAME.lock ---- */

static size_t
lock_text(const struct mbox *m, char out[LOCK_TEXT])
{
	return (size_t)snprintf(
	    out, LOCK_TEXT, "%ld\nmalote %s\n", (long)getpid(), m->host);
}

/* It is there with its content, or not at all; where a file cannot be without
 * a name, nearly so. */
static int
create_dotlock(struct mbox *m)
{
	char text[LOCK_TEXT], path[32];
	size_t n = lock_text(m, text);
	int fd = openat(m->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
	bool named = false;
	int done = -1;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		fd = openat(m->dir, m->lock_name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		named = fd >= 0;
	}
	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, text, n) == (ssize_t)n)
		done = named ? 0
			     : linkat(AT_FDCWD, path, m->dir, m->lock_name,
				   AT_SYMLINK_FOLLOW);
	else if (named)
		unlinkat(m->dir, m->lock_name, 0);
	close(fd);
	return done;
}

/* One of ours is of a run that was killed: else we had not got the other
 * lock.  That of another program must be old, and its process gone. */
static bool
is_stale(const struct mbox *m, const char *text, const struct stat *st)
{
	char ours[LOCK_TEXT];
	const char *line = strchr(text, '\n');
	long pid = strtol(text, NULL, 10);

	snprintf(ours, sizeof(ours), "\nmalote %s\n", m->host);
	if (line != NULL && strcmp(line, ours) == 0)
		return true;
	if (st->st_mtime > time(NULL) - STALE)
		return false;
	return pid <= 0 || (kill((pid_t)pid, 0) != 0 && errno == ESRCH);
}

static bool
remove_stale(struct mbox *m)
{
	char text[LOCK_TEXT];
	struct stat st, now;
	ssize_t n = -1;
	int fd = openat(m->dir, m->lock_name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	return is_stale(m, text, &st) &&
	       fstatat(m->dir, m->lock_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_ino == st.st_ino &&
	       unlinkat(m->dir, m->lock_name, 0) == 0;
}

/* A folder that cannot be written to, as /var/mail often is, has only the
 * other lock. */
static enum err
take_dotlock(struct mbox *m, struct errbuf *eb)
{
	int done = create_dotlock(m);

	if (done != 0 && errno == EEXIST) {
		if (!remove_stale(m))
			return E_BUSY;
		done = create_dotlock(m);
	}
	m->dotlocked = done == 0;
	if (done == 0 || disk_err() == E_DENIED)
		return E_OK;
	if (errno == EEXIST)
		return E_BUSY;
	return err_sys(eb, disk_err(), _("cannot make %s"), m->lock_name);
}

/* ---- both ---- */

/* Reading it must not make its mail look as if it had been seen. */
static int
open_quietly(const struct mbox *m)
{
	int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(m->dir, m->name, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(m->dir, m->name, flags) : fd;
}

static enum err
open_mbox(struct mbox *m, bool create, struct errbuf *eb)
{
	struct stat st;

	m->fd = open_quietly(m);
	if (m->fd < 0 && errno == ENOENT && create) {
		m->fd = openat(m->dir, m->name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (m->fd < 0 && errno == EEXIST)
			return E_BUSY;
		if (m->fd >= 0 && fsync(m->dir) != 0)
			return err_sys(
			    eb, disk_err(), _("cannot sync %s"), m->where);
	}
	if (m->fd < 0)
		return err_sys(eb, errno == ENOENT ? E_NOENT : disk_err(),
		    _("cannot open %s"), m->where);
	if (fstat(m->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return not_regular(m, eb);
	return E_OK;
}

/* Another program may have put a new file in its place. */
static bool
is_current(const struct mbox *m)
{
	struct stat a, b;

	return fstat(m->fd, &a) == 0 &&
	       fstatat(m->dir, m->name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* E_BUSY: not now, no words. */
static enum err
try_lock(struct mbox *m, bool create, struct errbuf *eb)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	enum err e = open_mbox(m, create, eb);

	if (e == E_OK && fcntl(m->fd, F_OFD_SETLK, &lock) != 0)
		e = errno == EAGAIN || errno == EACCES
			? E_BUSY
			: err_sys(
			      eb, disk_err(), _("cannot lock %s"), m->where);
	if (e == E_OK && !is_current(m))
		e = E_BUSY;
	if (e == E_OK)
		e = take_dotlock(m, eb);
	if (e != E_OK)
		mbox_unlock(m);
	return e;
}

enum err
mbox_lock(struct mbox *m, bool create, struct errbuf *eb)
{
	static const struct timespec pause = { 0, PAUSE_MS * 1000 * 1000 };
	uint64_t end = clock_ms() + (uint64_t)m->timeout * 1000;
	enum err e;

	while ((e = try_lock(m, create, eb)) == E_BUSY) {
		if (clock_ms() >= end)
			return err_set(eb, e,
			    _("%s is locked by another program; waited %u s"),
			    m->where, m->timeout);
		nanosleep(&pause, NULL);
	}
	return e;
}

void
mbox_unlock(struct mbox *m)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (m->dotlocked)
		unlinkat(m->dir, m->lock_name, 0);
	m->dotlocked = false;
	if (m->fd < 0)
		return;
	/* A child that another thread has just started may have it open. */
	fcntl(m->fd, F_OFD_SETLK, &lock);
	close(m->fd);
	m->fd = -1;
}

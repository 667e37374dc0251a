#include "server/store/maildir/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "server/ipc/proto.h"
#include "server/store/mounts.h"

int
maildir_open_at(int dir, const char *name, int flags, bool now)
{
	/* A file system that may wait can be mounted on anything in it. */
	const uint64_t inside = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
	struct open_how how = { .resolve = RESOLVE_CACHED |
					   (dir != AT_FDCWD ? inside : 0) };

	flags |= O_NOFOLLOW | O_CLOEXEC;
	if ((flags & O_PATH) == 0)
		flags |= O_NONBLOCK | O_NOCTTY;
	if (!now)
		return openat(dir, name, flags, 0600);
	how.flags = (unsigned)flags;
	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static enum err
foreign_mount(struct errbuf *eb)
{
	return err_set(eb, E_FORMAT,
	    "a FUSE file system that somebody other than root has mounted");
}

enum err
maildir_file(int dir, const char *name, int flags, bool now, int *fd_r,
    struct stat *st_r, struct errbuf *eb)
{
	return maildir_file_of(
	    sandbox_uid(), dir, name, flags, now, fd_r, st_r, eb);
}

enum err
maildir_file_of(uid_t owner, int dir, const char *name, int flags, bool now,
    int *fd_r, struct stat *st_r, struct errbuf *eb)
{
	int fd = maildir_open_at(dir, name, flags, now);

	*fd_r = -1;
	if (fd < 0) {
		switch (errno) {
		case ENOENT: return err_sys(eb, E_NOENT, "open");
		case ELOOP: return err_set(eb, E_FORMAT, "a symbolic link");
		case ENXIO: /* a socket, or a FIFO that nobody reads */
		case EISDIR: return err_set(eb, E_FORMAT, "no regular file");
		case EROFS:
		case EACCES:
		case EPERM:
		case ENOSPC:
		case EDQUOT:
			return err_sys(eb,
			    (flags & O_ACCMODE) == O_RDONLY ? E_IO : E_DENIED,
			    "open");
		default: return err_sys(eb, E_IO, "open");
		}
	}
	if (fstat(fd, st_r) < 0) {
		close(fd);
		return err_sys(eb, E_IO, "fstat");
	}
	if (!mounts_believe(st_r->st_dev)) {
		close(fd);
		return foreign_mount(eb);
	}
	if (S_ISREG(st_r->st_mode) && st_r->st_uid == owner) {
		*fd_r = fd;
		return E_OK;
	}
	close(fd);
	return S_ISREG(st_r->st_mode)
		   ? err_set(eb, E_FORMAT, "belongs to uid %u, not to %u",
			 (unsigned)st_r->st_uid, (unsigned)owner)
		   : err_set(eb, E_FORMAT, "no regular file");
}

enum err
maildir_about(enum err e, const char *name, struct errbuf *eb)
{
	struct errbuf words;

	if (e == E_OK)
		return e;
	words = *eb;
	return err_set(eb, e, "%s: %s", name, words.text);
}

/* now: as it is in memory, without asking a server. */
static bool
stat_dir(int fd, bool now, struct stat *st_r)
{
	struct statx st;

	if (!now)
		return fstat(fd, st_r) == 0;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID, &st) <
	    0)
		return false;
	st_r->st_uid = st.stx_uid;
	st_r->st_dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	return mounts_is_local(st_r->st_dev);
}

enum err
maildir_open_dir(
    int at, const char *name, bool now, int *fd_r, struct errbuf *eb)
{
	struct stat st = { .st_uid = 0 };
	/* To open a directory for reading may ask a server. */
	int how = now ? O_PATH : O_RDONLY;

	if (at == AT_FDCWD && !now)
		mounts_look();
	*fd_r = maildir_open_at(at, name, how | O_DIRECTORY, now);
	if (*fd_r < 0)
		return err_sys(eb,
		    errno == ENOENT                      ? E_NOENT
		    : errno == ENOTDIR || errno == ELOOP ? E_FORMAT
							 : E_IO,
		    "directory");
	if (stat_dir(*fd_r, now, &st) && st.st_uid == sandbox_uid() &&
	    mounts_believe(st.st_dev))
		return E_OK;
	close(*fd_r);
	*fd_r = -1;
	if (!mounts_believe(st.st_dev))
		return foreign_mount(eb);
	return err_set(eb, E_FORMAT, "a directory belongs to uid %u, not to %u",
	    (unsigned)st.st_uid, (unsigned)sandbox_uid());
}

void
maildir_leave(struct maildir_dirs *d)
{
	int *const fd[] = { &d->root, &d->sub[SUB_NEW], &d->sub[SUB_CUR] };

	for (unsigned i = 0; i < 3; i++) {
		if (*fd[i] >= 0)
			close(*fd[i]);
		*fd[i] = -1;
	}
}

enum err
maildir_enter(
    const char *path, bool now, struct maildir_dirs *d, struct errbuf *eb)
{
	static const char *const name[] = {
		[SUB_NEW] = "new", [SUB_CUR] = "cur"
	};
	enum err e;

	*d = (struct maildir_dirs){ -1, { -1, -1 } };
	e = maildir_open_dir(AT_FDCWD, path, now, &d->root, eb);
	for (enum maildir_sub sub = SUB_NEW; sub < SUBS && e == E_OK; sub++) {
		e = maildir_open_dir(d->root, name[sub], now, &d->sub[sub], eb);
		e = maildir_about(e, name[sub], eb);
	}
	if (e != E_OK)
		maildir_leave(d);
	return e;
}

/* ---- making one ---- */

/* Makes the directories on the way to it that are missing. */
static enum err
make_path(const char *path, struct errbuf *eb)
{
	char part[MAIL_PATH_MAX];
	char *p = part;

	snprintf(part, sizeof(part), "%s", path);
	while (*p != '\0' && (p = strchr(p + 1, '/')) != NULL) {
		*p = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return err_sys(eb, E_IO, "making a directory");
		*p = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return err_sys(eb, E_IO, "making a directory");
	return E_OK;
}

enum err
maildir_make(const char *path, struct errbuf *eb)
{
	static const char *const sub[] = { "tmp", "new", "cur" };
	enum err e;
	int fd;

	if ((e = make_path(path, eb)) != E_OK ||
	    (e = maildir_open_dir(AT_FDCWD, path, false, &fd, eb)) != E_OK)
		return e;
	for (unsigned i = 0; i < 3 && e == E_OK; i++)
		if (mkdirat(fd, sub[i], 0700) < 0 && errno != EEXIST)
			e = err_sys(eb, E_IO, "making a directory");
	close(fd);
	return e;
}

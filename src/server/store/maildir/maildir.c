/*
 * Opening a Maildir, and letting go of it.
 */
#include "server/store/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/open.h"

/* ---- files ---- */

int
maildir_open_at(int dir, const char *name, int flags, bool now)
{
	struct open_how how = { .resolve = RESOLVE_CACHED };

	flags |= O_NOFOLLOW | O_CLOEXEC;
	if ((flags & O_PATH) == 0)
		flags |= O_NONBLOCK | O_NOCTTY;
	if (!now)
		return openat(dir, name, flags, 0600);
	how.flags = (unsigned)flags;
	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

enum err
maildir_file(int dir, const char *name, int flags, bool now, int *fd_r,
    struct stat *st_r, struct errbuf *eb)
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
	if (S_ISREG(st_r->st_mode) && st_r->st_uid == sandbox_uid()) {
		*fd_r = fd;
		return E_OK;
	}
	close(fd);
	return S_ISREG(st_r->st_mode)
		   ? err_set(eb, E_FORMAT, "belongs to uid %u",
			 (unsigned)st_r->st_uid)
		   : err_set(eb, E_FORMAT, "no regular file");
}

static enum err
open_dir(int at, const char *name, bool now, int *fd_r, struct errbuf *eb)
{
	struct stat st = { .st_uid = 0 };

	*fd_r = maildir_open_at(at, name, O_RDONLY | O_DIRECTORY, now);
	if (*fd_r < 0)
		return err_sys(eb,
		    errno == ENOENT                      ? E_NOENT
		    : errno == ENOTDIR || errno == ELOOP ? E_FORMAT
							 : E_IO,
		    "directory");
	if (fstat(*fd_r, &st) == 0 && st.st_uid == sandbox_uid())
		return E_OK;
	close(*fd_r);
	*fd_r = -1;
	return err_set(
	    eb, E_FORMAT, "a directory belongs to uid %u", (unsigned)st.st_uid);
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
	enum err e;

	*d = (struct maildir_dirs){ -1, { -1, -1 } };
	if ((e = open_dir(AT_FDCWD, path, now, &d->root, eb)) != E_OK ||
	    (e = open_dir(d->root, "new", now, &d->sub[SUB_NEW], eb)) != E_OK ||
	    (e = open_dir(d->root, "cur", now, &d->sub[SUB_CUR], eb)) != E_OK)
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

static enum err
make_maildir(const struct drop_open *o, struct errbuf *eb)
{
	static const char *const sub[] = { "tmp", "new", "cur" };
	enum err e;
	int fd;

	if ((e = make_path(o->path, eb)) != E_OK ||
	    (e = open_dir(AT_FDCWD, o->path, false, &fd, eb)) != E_OK)
		return e;
	for (unsigned i = 0; i < 3 && e == E_OK; i++)
		if (mkdirat(fd, sub[i], 0700) < 0 && errno != EEXIST)
			e = err_sys(eb, E_IO, "making a directory");
	close(fd);
	if (e == E_OK)
		log_line(LOG_EVENT, "ev=maildir-made %s", o->tag);
	return e;
}

/* ---- opening ---- */

static enum err
fail(struct drop_open *o, enum err e, enum sign_in_code code,
    const struct errbuf *eb)
{
	char path[256];

	o->code = code;
	log_line(LOG_WARNING, "ev=open-failed %s root=%s path=%s error=\"%s\"",
	    o->tag, o->conf->root,
	    str_escape(path, sizeof(path), o->path, strlen(o->path)), eb->text);
	return e;
}

static enum err
fail_enter(struct drop_open *o, enum err e, struct errbuf *eb)
{
	struct stat st;

	if (stat(o->path, &st) == 0 && S_ISREG(st.st_mode)) {
		err_set(eb, e,
		    "a file: this user's mail is in a traditional "
		    "mbox, not in a Maildir");
		return fail(o, e, SIGN_IN_PERMANENT, eb);
	}
	return fail(o, e,
	    e == E_FORMAT || e == E_FULL ? SIGN_IN_PERMANENT
					 : SIGN_IN_TEMPORARY,
	    eb);
}

static struct maildir *
maildir_new(const struct drop_open *o)
{
	size_t n = strlen(o->tag) + 1;
	struct maildir *m = calloc(1, sizeof(*m) + n);

	if (m == NULL)
		return NULL;
	m->drop.kind = &maildir_kind;
	m->drop.conf = o->conf;
	m->drop.tag = memcpy(m->tag, o->tag, n);
	m->path = o->path;
	m->lock_fd = m->index_fd = -1;
	m->keeps_index = o->conf->shared;
	return m;
}

static bool
look_at(int root, const char *name, bool now, struct stat *st_r)
{
	bool ok;
	int fd;

	if (!now)
		return fstatat(root, name, st_r, AT_SYMLINK_NOFOLLOW) == 0;
	if ((fd = maildir_open_at(root, name, O_PATH, true)) < 0)
		return false;
	ok = fstat(fd, st_r) == 0;
	close(fd);
	return ok;
}

/* The view of a maildrop that is as its index says: a cost that does not
 * grow with it. */
static bool
open_current(struct maildir *m, int root, bool now)
{
	struct stat new_st, cur_st, index;
	struct errbuf eb;
	int fd;

	if (!look_at(root, "new", now, &new_st) ||
	    !look_at(root, "cur", now, &cur_st) ||
	    maildir_file(
		root, INDEXFILE_NAME, O_RDONLY, now, &fd, &index, &eb) != E_OK)
		return false;
	m->end = (uint64_t)index.st_size;
	if (indexfile_trailer(fd, m->end, now, &m->trailer) == E_OK &&
	    names_same_time(names_stat_time(&new_st), m->trailer.new_time) &&
	    names_same_time(names_stat_time(&cur_st), m->trailer.cur_time)) {
		maildir_view_set(m, fd, &index);
		return true;
	}
	close(fd);
	return false;
}

/* Another process that has just locked it is done soon, or has noted by then
 * for whom (tenant.c). */
static enum err
lock_drop(struct maildir *m, int root, struct drop_open *o, struct errbuf *eb)
{
	static const struct timespec soon = { 0, 250 * 1000000 };
	const char *peer = o->now ? NULL : o->peer;
	enum err e = maildir_lock(root, peer, &m->lock_fd, &o->holder, eb);

	if (e != E_BUSY || o->now)
		return e;
	nanosleep(&soon, NULL);
	return maildir_lock(root, peer, &m->lock_fd, &o->holder, eb);
}

/* The part that costs always the same.  E_AGAIN: there is more to do. */
static enum err
open_quick(struct drop_open *o, struct errbuf *eb)
{
	bool now = o->now;
	struct maildir *m;
	enum err e;
	int root;

	if ((e = open_dir(AT_FDCWD, o->path, now, &root, eb)) != E_OK)
		return e;
	if ((m = maildir_new(o)) == NULL) {
		close(root);
		return err_set(eb, E_NOMEM, "opening");
	}
	o->drop = &m->drop;
	if (!o->conf->shared)
		e = lock_drop(m, root, o, eb);
	m->drop.unnoted = now && m->lock_fd >= 0;
	if (e == E_DENIED && !now) {
		log_line(LOG_WARNING, "ev=not-locked %s error=\"%s\"", o->tag,
		    eb->text);
		e = E_OK;
	}
	if (e == E_OK && !open_current(m, root, now))
		e = E_AGAIN;
	close(root);
	return e;
}

/* Whatever is in the way: it is done anew then, on a thread. */
static enum err
open_now(struct drop_open *o)
{
	struct errbuf eb;
	enum err e = open_quick(o, &eb);

	if (e != E_OK && o->drop != NULL)
		maildir_close(o->drop);
	if (e != E_OK)
		o->drop = NULL;
	return e == E_OK ? E_OK : E_AGAIN;
}

static enum err
open_slow(struct drop_open *o, struct errbuf *eb)
{
	struct maildir *m = (struct maildir *)o->drop;
	struct maildir_dirs d;
	enum err e;

	e = maildir_enter(o->path, false, &d, eb);
	if (e == E_NOENT && o->conf->create &&
	    (e = make_maildir(o, eb)) == E_OK)
		e = maildir_enter(o->path, false, &d, eb);
	if (e != E_OK)
		return e;
	if (m == NULL) {
		e = open_quick(o, eb);
		m = (struct maildir *)o->drop;
	} else {
		e = E_AGAIN;
	}
	if (e == E_AGAIN && (e = maildir_hold(m, d.root, eb)) == E_OK) {
		if (m->lock_fd >= 0 && maildir_sweep_due(m->lock_fd))
			maildir_sweep(&d, o->tag);
		e = maildir_scan(m, &d, eb);
		maildir_unhold(m);
	}
	maildir_leave(&d);
	return e;
}

static enum err
maildir_open(struct drop_open *o)
{
	struct errbuf eb = { .text = "" };
	struct maildir *m;
	enum err e = E_AGAIN;

	if (o->now)
		e = open_now(o);
	else if (o->drop == NULL && o->quick) {
		e = open_quick(o, &eb);
		if (e == E_NOENT && o->drop == NULL)
			e = E_AGAIN; /* it may have to be made */
	}
	if (e == E_AGAIN && (o->quick || o->now))
		return e;
	if (e == E_AGAIN)
		e = open_slow(o, &eb);
	m = (struct maildir *)o->drop;
	if (e == E_OK) {
		o->count = m->trailer.count;
		o->octets = m->trailer.octets;
		return E_OK;
	}
	if (m != NULL)
		maildir_close(&m->drop);
	o->drop = NULL;
	if (e != E_BUSY)
		return fail_enter(o, e, &eb);
	o->code = SIGN_IN_IN_USE;
	return e;
}

static enum err
maildir_view(struct drop *drop, bool now, int *fd_r, uint64_t *end_r)
{
	struct maildir *m = (struct maildir *)drop;
	struct errbuf eb;
	enum err e;
	int root;

	if ((e = open_dir(AT_FDCWD, m->path, now, &root, &eb)) == E_OK) {
		e = maildir_view_open(m, root, now, fd_r, &eb);
		close(root);
	}
	if (e == E_OK && *fd_r == m->index_fd &&
	    (*fd_r = fcntl(m->index_fd, F_DUPFD_CLOEXEC, 0)) < 0)
		e = err_sys(&eb, E_IO, "index");
	if (e != E_OK && now)
		return E_AGAIN;
	if (e != E_OK)
		log_line(LOG_WARNING, "ev=index-lost %s error=\"%s\"",
		    drop->tag, eb.text);
	*end_r = m->end;
	return e;
}

void
maildir_close(struct drop *drop)
{
	struct maildir *m = (struct maildir *)drop;

	if (m->lock_fd >= 0)
		close(m->lock_fd);
	if (m->index_fd >= 0)
		close(m->index_fd);
	if (m->names != NULL)
		names_free(m->names);
	free(m->names);
	free(m->blocks);
	free(m->doubt);
	free(m);
}

const struct drop_kind maildir_kind = {
	.prefix = "maildir:",
	.open = maildir_open,
	.view = maildir_view,
	.fetch = maildir_fetch,
	.doubt = maildir_doubt,
	.commit = maildir_commit,
	.note = maildir_note,
	.close = maildir_close,
};

#include "server/store/maildir/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "server/ipc/tally.h"
#include "server/store/maildir/commit.h"
#include "server/store/maildir/expire.h"
#include "server/store/maildir/expire_file.h"
#include "server/store/maildir/fetch.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/inspect.h"
#include "server/store/maildir/lock.h"
#include "server/store/maildir/mend.h"
#include "server/store/maildir/tmp.h"
#include "server/store/maildir/uidl_state.h"
#include "server/store/maildir/view.h"
#include "server/store/unmounted.h"

/* ---- opening ---- */

static enum err
fail_open(struct hold_open *o, enum err e, enum sign_in_code code,
    const struct errbuf *eb)
{
	char path[256];

	o->code = code;
	log_line(LOG_WARNING, "ev=open-failed %s root=%s path=%s error=\"%s\"",
	    o->tag, o->conf->root,
	    str_escape(path, sizeof(path), o->path, strlen(o->path)), eb->text);
	return e;
}

static bool
is_link(const char *path)
{
	char link[MAIL_PATH_MAX];
	struct stat st;
	size_t n = strlen(path);

	if (n > 2 && strcmp(path + n - 2, "/.") == 0)
		n -= 2;
	snprintf(link, sizeof(link), "%.*s", (int)n, path);
	return lstat(link, &st) == 0 && S_ISLNK(st.st_mode);
}

static enum err
fail_link(struct hold_open *o, enum err e, struct errbuf *eb)
{
	struct errbuf why = *eb;

	if (o->conf->follow_maildrop)
		err_set(eb, e,
		    "a symbolic link, to what cannot be used: %s; it must "
		    "lead to a Maildir of this user below mail_root",
		    why.text);
	else
		err_set(eb, e,
		    "a symbolic link; put the Maildir itself there, or write "
		    "maildrop_symlinks = yes");
	return fail_open(o, e, SIGN_IN_PERMANENT, eb);
}

static enum err
fail_enter(struct hold_open *o, enum err e, struct errbuf *eb)
{
	struct stat st;

	if (stat(o->path, &st) == 0 && S_ISREG(st.st_mode)) {
		err_set(eb, e,
		    "a file: this user's mail is in a traditional "
		    "mbox, not in a Maildir");
		return fail_open(o, e, SIGN_IN_PERMANENT, eb);
	}
	if (e != E_NOMEM && is_link(o->path))
		return fail_link(o, e, eb);
	return fail_open(o, e,
	    e == E_FORMAT || e == E_FULL ? SIGN_IN_PERMANENT
					 : SIGN_IN_TEMPORARY,
	    eb);
}

/* Another process may have locked it a moment ago: by the second try it has
 * let go, or has written down for whom it has it (claim_note() in claim.c). */
static enum err
lock_maildrop(
    struct maildir *m, int root, struct hold_open *o, struct errbuf *eb)
{
	static const struct timespec soon = { 0, 250 * 1000000 };
	const char *peer = o->now ? NULL : o->peer;
	enum err e = maildir_lock(root, peer, &m->lock_fd, &o->holder, eb);

	if (e != E_BUSY || o->now)
		return e;
	nanosleep(&soon, NULL);
	return maildir_lock(root, peer, &m->lock_fd, &o->holder, eb);
}

/* The index that tells is the one of those who have not said UTF8. */
static bool
has_expiry_to_forget(
    const struct maildir *m, int root, const struct hold_open *o)
{
	if (o->expires)
		return false;
	return m->trailer.expires || (m->utf8 != o->conf->utf8_messages &&
					 (o->now || expire_is_kept(root)));
}

/* The part whose cost does not grow with the maildrop.  E_AGAIN: there is more
 * to do. */
static enum err
open_quick(struct hold_open *o, struct errbuf *eb)
{
	bool now = o->now;
	struct maildir *m;
	enum err e;
	int root;

	if ((e = maildir_open_dir(AT_FDCWD, o->path, now, &root, eb)) != E_OK)
		return e;
	if ((m = maildir_new(o)) == NULL) {
		close(root);
		return err_set(eb, E_NOMEM, "opening");
	}
	m->hold.kind = &maildir_kind;
	m->hold.waits = !now;
	o->hold = &m->hold;
	if (!m->hold.shared)
		e = lock_maildrop(m, root, o, eb);
	m->hold.unnoted = now && m->lock_fd >= 0;
	if (e == E_DENIED && !now) {
		log_line(LOG_WARNING, "ev=not-locked %s error=\"%s\"", o->tag,
		    eb->text);
		e = E_OK;
	}
	if (e == E_OK && (!maildir_view_find(m, root, VIEW_CURRENT, now) ||
			     has_expiry_to_forget(m, root, o)))
		e = E_AGAIN;
	close(root);
	return e;
}

/* What fails here, for whatever reason, is tried again on a thread. */
static enum err
open_now(struct hold_open *o)
{
	struct errbuf eb;
	enum err e = open_quick(o, &eb);

	if (e != E_OK && o->hold != NULL)
		maildir_close(o->hold);
	if (e != E_OK)
		o->hold = NULL;
	return e == E_OK ? E_OK : E_AGAIN;
}

/* Mail does not go from there (any more), and whoever comes is told so: what was
 * told before holds no more, should it go one day again. */
static void
forget_expiry(int root, const char *tag)
{
	struct errbuf eb;

	if (expire_forget(root, &eb) != E_OK)
		log_line(LOG_WARNING, "ev=expire-failed %s error=\"%s\"", tag,
		    eb.text);
}

/* Looks at everything, and writes the index anew. */
static enum err
open_scanned(struct hold_open *o, struct maildir_dirs *d, struct errbuf *eb)
{
	struct maildir *m = (struct maildir *)o->hold;
	enum err e = maildir_lock_shared(m, d->root, eb);

	if (e != E_OK)
		return e;
	if (m->lock_fd >= 0 && !o->read_only && maildir_sweep_due(m->lock_fd)) {
		maildir_sweep(d, o->tag);
		indexfile_sweep(d->root, o->conf->utf8_messages);
	}
	if (!o->expires)
		forget_expiry(d->root, o->tag);
	tally_add(TALLY_SCANS, 1);
	e = maildir_scan(m, d, eb);
	maildir_unlock_shared(m);
	return e;
}

/* What there is to see of a Maildir that somebody who changes nothing wants and that
 * is not there: an empty one, in memory. */
static enum err
open_nothing(struct hold_open *o, struct errbuf *eb)
{
	static const struct index_time never;
	struct maildir *m = maildir_new(o);
	struct indexfile_writer f;
	struct stat st;
	enum err e;
	int fd;

	if (m == NULL)
		return err_set(eb, E_NOMEM, "opening");
	m->hold.kind = &maildir_kind;
	o->hold = &m->hold;
	e = indexfile_begin(&f, INDEXFILE_TEMPORARY, -1, "", NULL, 0, eb);
	if (e == E_OK)
		e = indexfile_end(
		    &f, never, never, &fd, &m->end, &m->trailer, eb);
	indexfile_clear(&f);
	if (e != E_OK)
		return e;
	if (fstat(fd, &st) == 0) {
		maildir_view_set(m, fd, &st);
		return E_OK;
	}
	close(fd);
	return err_sys(eb, E_IO, "index");
}

static enum err
open_slow(struct hold_open *o, struct errbuf *eb)
{
	struct maildir *m = (struct maildir *)o->hold;
	struct maildir_dirs d;
	enum err e;

	e = maildir_enter(o->path, false, &d, eb);
	if (e == E_NOENT && unmounted_check(o->conf, o->path, eb) != E_OK)
		return E_IO;
	if (e == E_NOENT && o->conf->create && o->read_only)
		return open_nothing(o, eb);
	if (e == E_NOENT && o->conf->create &&
	    (e = maildir_make(o->path, eb)) == E_OK) {
		log_line(LOG_EVENT, "ev=maildir-made %s", o->tag);
		e = maildir_enter(o->path, false, &d, eb);
	}
	if (e != E_OK)
		return e;
	if (m == NULL) {
		e = open_quick(o, eb);
		m = (struct maildir *)o->hold;
	} else {
		e = E_AGAIN;
	}
	if (e == E_AGAIN)
		e = open_scanned(o, &d, eb);
	/* Whoever has it alone sees the same. */
	if (e != E_OK && m != NULL && o->read_only &&
	    maildir_view_find(m, d.root, VIEW_LAST, false))
		e = E_OK;
	maildir_leave(&d);
	return e;
}

static enum err
maildir_open(struct hold_open *o)
{
	struct errbuf eb = { .text = "" };
	struct maildir *m;
	enum err e = E_AGAIN;

	if (o->now)
		e = open_now(o);
	else if (o->hold == NULL && o->quick) {
		e = open_quick(o, &eb);
		if (e == E_NOENT && o->hold == NULL)
			e = E_AGAIN; /* it may have to be made */
	}
	if (e == E_AGAIN && (o->quick || o->now))
		return e;
	if (e == E_AGAIN)
		e = open_slow(o, &eb);
	m = (struct maildir *)o->hold;
	if (e == E_OK) {
		o->count = m->trailer.count;
		o->octets = m->trailer.octets;
		o->left_out = m->left_out;
		return E_OK;
	}
	if (m != NULL)
		maildir_close(&m->hold);
	o->hold = NULL;
	if (e != E_BUSY)
		return fail_enter(o, e, &eb);
	o->code = SIGN_IN_IN_USE;
	return e;
}

static enum err
maildir_view(struct hold *hold, bool now, int *fd_r, uint64_t *end_r)
{
	struct maildir *m = (struct maildir *)hold;
	struct errbuf eb;
	enum err e = E_OK;
	int root;

	if (m->index_fd >= 0)
		*fd_r = m->index_fd;
	else if ((e = maildir_open_dir(AT_FDCWD, m->path, now, &root, &eb)) ==
		 E_OK) {
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
		    hold->tag, eb.text);
	*end_r = m->end;
	return e;
}

const struct store_kind maildir_kind = {
	.prefix = "maildir:",
	.open = maildir_open,
	.view = maildir_view,
	.fetch = maildir_fetch,
	.doubt = maildir_doubt,
	.commit = maildir_commit,
	.note = maildir_note,
	.close = maildir_close,
	.expire = maildir_expire,
	.expire_show = maildir_expire_show,
	.expire_accept = maildir_expire_accept,
	.uidl_show = maildir_uidl_show,
	.uidl_forget = maildir_uidl_forget,
	.survey = maildir_survey,
	.inspect = maildir_inspect,
};

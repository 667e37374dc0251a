/*
 * An mbox: appended under its locks.  Where each message will be, and what
 * exactly will be there, is known before (see mbox_recover.c).
 */
#include "client/deliver/mbox.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/kind.h"

static enum err
open_mbox_delivery(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct mbox *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	m->dir = m->fd = -1;
	m->host = d->host;
	m->timeout = env->timeout;
	d->own = m;
	return mbox_resolve(m, dest->path, eb);
}

static void
close_mbox_delivery(struct delivery *d)
{
	struct mbox *m = d->own;

	mbox_unlock(m);
	if (m->dir >= 0)
		close(m->dir);
	free(m->name);
	free(m->lock_name);
	free(m);
}

/* What is there already may be a file of another kind, whose name was mistyped: it
 * must not get mail at its end.  An mbox may begin with empty lines. */
static enum err
check_kind(const struct mbox *m, struct errbuf *eb)
{
	static const char from[] = "From ";
	char start[512];
	ssize_t n = pread(m->fd, start, sizeof(start), 0), at = 0;
	size_t there;

	if (n < 0)
		return err_sys(eb, disk_err(), _("cannot read %s"), m->where);
	while (at < n && (start[at] == '\n' || start[at] == '\r'))
		at++;
	there = (size_t)(n - at);
	if (there > strlen(from))
		there = strlen(from);
	if (memcmp(start + at, from, there) == 0)
		return E_OK;
	return err_set(eb, E_CONFIG,
	    _("%s is a file of another kind, and no mbox; name another one"),
	    m->where);
}

/* As a message would have it: made, if it is not there. */
static enum err
try_mbox(struct delivery *d, struct errbuf *eb)
{
	struct mbox *m = d->own;
	enum err e = mbox_lock(m, true, eb);

	if (e == E_OK)
		e = check_kind(m, eb);
	mbox_unlock(m);
	return e;
}

static int
room_mbox(struct delivery *d)
{
	return ((struct mbox *)d->own)->dir;
}

static enum err
size_of(const struct mbox *m, uint64_t *size_r, struct errbuf *eb)
{
	struct stat st;

	if (fstat(m->fd, &st) != 0)
		return err_sys(eb, disk_err(), _("cannot read %s"), m->where);
	*size_r = (uint64_t)st.st_size;
	return E_OK;
}

/* ---- preparing ---- */

static enum err
place_parcel(struct delivery *d, struct parcel *p, uint64_t offset,
    unsigned lead, struct errbuf *eb)
{
	struct measure is;
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	e = mbox_measure(fd, lead, &is, eb);
	close(fd);
	if (e != E_OK)
		return e;
	p->offset = offset;
	p->length = is.length;
	p->content = is.content;
	return E_OK;
}

static enum err
prepare_mbox(struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb)
{
	struct mbox *m = d->own;
	unsigned lead = 0;
	uint64_t end = 0;
	enum err e;

	if ((e = mbox_lock(m, true, eb)) != E_OK)
		return e;
	if ((e = size_of(m, &end, eb)) == E_OK)
		e = mbox_lead(m, end, &lead, eb);
	for (size_t i = 0; i < n && e == E_OK; i++) {
		e = place_parcel(d, v[i], end, lead, eb);
		end += v[i]->length;
		lead = 0; /* each leaves an empty line */
	}
	if (e != E_OK)
		mbox_unlock(m);
	return e;
}

/* ---- publishing ---- */

static enum err
append_parcel(struct delivery *d, const struct parcel *p, struct errbuf *eb)
{
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	e = mbox_append(d->own, fd, p->offset, p->length, eb);
	close(fd);
	return e;
}

/* Nobody may have written to it since it was locked. */
static enum err
append_all(struct delivery *d, struct parcel **v, size_t n, size_t *done_r,
    struct errbuf *eb)
{
	struct mbox *m = d->own;
	uint64_t size = 0;
	enum err e;

	*done_r = 0;
	if ((e = size_of(m, &size, eb)) != E_OK)
		return e;
	if (size != v[0]->offset)
		return err_set(eb, E_BUSY,
		    _("%s was changed by another program while it was locked"),
		    m->where);
	while (*done_r < n && (e = append_parcel(d, v[*done_r], eb)) == E_OK)
		++*done_r;
	if (*done_r > 0 && fsync(m->fd) != 0) {
		e = err_sys(eb, disk_err(), _("cannot sync %s"), m->where);
		*done_r = 0;
		if (ftruncate(m->fd, (off_t)v[0]->offset) != 0)
			err_sys(eb, e, _("cannot cut %s"), m->where);
	}
	return e;
}

static void
publish_mbox(struct delivery *d, struct parcel **v, size_t n)
{
	struct errbuf eb = { .text = "" };
	size_t done;
	enum err e = append_all(d, v, n, &done, &eb);

	if (e != E_OK)
		delivery_fail(d, e, &eb);
	for (size_t i = 0; i < n; i++) {
		if (i < done)
			parcel_stored(d, v[i]);
		else
			parcel_fail(v[i], i == done ? E_AGAIN : E_CLOSED, "%s",
			    eb.text);
	}
}

static void
release_mbox(struct delivery *d)
{
	mbox_unlock(d->own);
}

const struct kind kind_mbox = {
	.open = open_mbox_delivery,
	.close = close_mbox_delivery,
	.try = try_mbox,
	.room = room_mbox,
	.prepare = prepare_mbox,
	.publish = publish_mbox,
	.release = release_mbox,
	.recover = mbox_recover,
	.scan = mbox_scan,
};

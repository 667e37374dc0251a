/*
 * The file that a message is written to while it comes in, in tmp/ or the
 * spool.  See delivery.h.
 */
#include "client/message/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/kind.h"
#include "pop3/wire.h"

enum {
	BUFFER = 64 * 1024,
	NAMES_TRIED = 100,
};

/* A parcel while it is written; the parcel is what others see of it. */
struct writing {
	struct parcel p;
	struct delivery *d;
	struct pop3_wire wire;
	char *buf; /* until the file is closed */
	size_t n;
};

static enum err
cannot_write(const struct delivery *d, struct errbuf *eb)
{
	return err_sys(eb, disk_err(), _("cannot write to %s"), d->where);
}

static enum err
create_file(struct delivery *d, struct parcel *p, struct errbuf *eb)
{
	char name[NAME_SIZE];

	for (unsigned i = 0; i < NAMES_TRIED; i++) {
		name_tmp(name, d->account, d->host);
		p->fd = openat(d->files, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (p->fd >= 0 || errno != EEXIST)
			break;
	}
	if (p->fd < 0)
		return cannot_write(d, eb);
	if ((p->tmp = strdup(name)) == NULL) {
		unlinkat(d->files, name, 0);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	return E_OK;
}

enum err
parcel_begin(struct delivery *d, struct parcel **p_r, struct errbuf *eb)
{
	struct writing *w = calloc(1, sizeof(*w));
	enum err e = E_NOMEM;

	*p_r = NULL;
	if (w != NULL) {
		w->p.fd = -1;
		w->d = d;
		pop3_wire_init(&w->wire, POP3_ALL_LINES);
		w->buf = malloc(BUFFER);
	}
	if (w == NULL || w->buf == NULL)
		err_set(eb, e, "%s", _("out of memory"));
	else
		e = create_file(d, &w->p, eb);
	if (e == E_OK)
		*p_r = &w->p;
	else if (w != NULL)
		parcel_free(&w->p);
	return e;
}

static enum err
flush_parcel(struct writing *w, struct errbuf *eb)
{
	for (size_t at = 0; at < w->n;) {
		ssize_t n = write(w->p.fd, w->buf + at, w->n - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot_write(w->d, eb);
		at += (size_t)n;
	}
	w->n = 0;
	return E_OK;
}

enum err
parcel_add(struct parcel *p, const char *octets, size_t n, struct errbuf *eb)
{
	struct writing *w = (struct writing *)p;
	enum err e;

	pop3_wire_count(&w->wire, octets, n);
	p->octets += n;
	while (n > 0) {
		size_t room = BUFFER - w->n, some = n < room ? n : room;

		memcpy(w->buf + w->n, octets, some);
		w->n += some;
		octets += some;
		n -= some;
		if (w->n == BUFFER && (e = flush_parcel(w, eb)) != E_OK)
			return e;
	}
	return E_OK;
}

/* Some file systems tell only now that there is no room. */
static enum err
close_file(struct writing *w, struct errbuf *eb)
{
	int fd = w->p.fd;

	w->p.fd = -1;
	if (close(fd) != 0 && errno != EINTR)
		return cannot_write(w->d, eb);
	return E_OK;
}

enum err
parcel_end(struct parcel *p, struct errbuf *eb)
{
	struct writing *w = (struct writing *)p;
	char name[NAME_SIZE];
	enum err e;

	if ((e = flush_parcel(w, eb)) != E_OK ||
	    (e = close_file(w, eb)) != E_OK)
		return e;
	free(w->buf);
	w->buf = NULL;
	p->wire = pop3_wire_size(&w->wire);
	if (!w->d->kind->has_folder)
		return E_OK;
	name_final(name, p, p->wire);
	if ((p->file = strdup(name)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return E_OK;
}

void
parcel_drop(struct parcel *p)
{
	if (p != NULL && p->tmp != NULL)
		unlinkat(parcel_delivery(p)->files, p->tmp, 0);
	parcel_free(p);
}

void
parcel_free(struct parcel *p)
{
	struct writing *w = (struct writing *)p;

	if (p == NULL)
		return;
	if (p->fd >= 0)
		close(p->fd);
	free(p->tmp);
	free(p->file);
	free(w->buf);
	free(w);
}

struct delivery *
parcel_delivery(const struct parcel *p)
{
	return ((const struct writing *)p)->d;
}

void
parcel_stored(struct delivery *d, struct parcel *p)
{
	p->result = E_OK;
	p->why[0] = '\0';
	unlinkat(d->files, p->tmp, 0);
}

void
delivery_fail(struct delivery *d, enum err e, const struct errbuf *why)
{
	if (d->failed != E_OK)
		return;
	d->failed = e;
	d->why = *why;
}

bool
parcel_is_late(struct delivery *d, struct parcel *p)
{
	bool late = d->stopping || d->failed != E_OK;

	if (late)
		parcel_fail(p, E_CLOSED, "%s",
		    d->stopping ? _("stopped") : d->why.text);
	return late;
}

void
parcel_fail(struct parcel *p, enum err e, const char *fmt, ...)
{
	va_list ap;

	p->result = e;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
}

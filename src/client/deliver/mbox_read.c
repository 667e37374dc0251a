/*
 * Reads an mbox: where messages begin and end, and each one as it was before it
 * was quoted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/mbox.h"

enum { PIECE = 64 * 1024 };

static const char from[] = "From ";

enum at {
	AT_START,  /* of a line, or behind some ">" */
	AT_FROM,   /* in the line that separates messages */
	AT_INSIDE, /* of any other */
};

struct reading {
	const struct mbox_events *ev;
	void *arg;
	enum at at;
	size_t so_far;  /* octets of "From " that were met, not yet given */
	bool quoted;    /* one ">" was met that was not yet given */
	bool after_gap; /* the line before is empty, or there is none */
	bool open;      /* a message has begun */
};

static void
give(struct reading *r, const char *p, size_t n)
{
	if (r->open && n > 0)
		r->ev->octets(r->arg, p, n);
}

static enum err
end_message(struct reading *r)
{
	enum err e = r->open ? r->ev->end(r->arg) : E_OK;

	r->open = false;
	return e;
}

/* A whole "From ". */
static enum err
read_from(struct reading *r)
{
	enum err e;

	r->so_far = 0;
	r->at = AT_INSIDE;
	if (r->quoted || !r->after_gap) {
		r->quoted = false; /* that one was put there by quoting */
		give(r, from, sizeof(from) - 1);
		return E_OK;
	}
	if ((e = end_message(r)) != E_OK)
		return e;
	r->open = true;
	r->at = AT_FROM;
	r->ev->begin(r->arg);
	return E_OK;
}

static void
give_kept(struct reading *r)
{
	give(r, ">", r->quoted);
	give(r, from, r->so_far);
	r->quoted = false;
	r->so_far = 0;
}

static enum err
read_start(struct reading *r, char c)
{
	bool empty = !r->quoted && r->so_far == 0 && c == '\n';

	if (r->so_far == 0 && c == '>') {
		give(r, ">", r->quoted);
		r->quoted = true;
		return E_OK;
	}
	if (c == from[r->so_far])
		return ++r->so_far == sizeof(from) - 1 ? read_from(r) : E_OK;
	give_kept(r);
	give(r, &c, 1);
	r->at = c == '\n' ? AT_START : AT_INSIDE;
	r->after_gap = empty;
	return E_OK;
}

static enum err
read_octets(struct reading *r, const char *p, size_t n)
{
	enum err e = E_OK;

	while (n > 0 && e == E_OK) {
		const char *end;
		size_t some = 1;

		if (r->at == AT_START) {
			e = read_start(r, *p);
		} else {
			end = memchr(p, '\n', n);
			some = end != NULL ? (size_t)(end + 1 - p) : n;
			if (r->at == AT_INSIDE)
				give(r, p, some);
			if (end != NULL)
				r->at = AT_START;
			r->after_gap = false;
		}
		p += some;
		n -= some;
	}
	return e;
}

enum err
mbox_read(
    struct mbox *m, const struct mbox_events *ev, void *arg, struct errbuf *eb)
{
	struct reading r = { .ev = ev, .arg = arg, .after_gap = true };
	char *in = malloc(PIECE);
	enum err e = E_OK;
	off_t at = 0;
	ssize_t n;

	if (in == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	while (e == E_OK && (n = pread(m->fd, in, PIECE, at)) != 0) {
		if (n < 0 && errno != EINTR)
			e = err_sys(
			    eb, disk_err(), _("cannot read %s"), m->where);
		if (n < 0)
			continue;
		e = read_octets(&r, in, (size_t)n);
		at += n;
	}
	if (e == E_OK)
		give_kept(&r);
	if (e == E_OK)
		e = end_message(&r);
	free(in);
	return e;
}

#include "server/worker/traced.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/ipc/proto.h"
#include "server/worker/session_state.h"

enum {
	EARLY_MAX = 4096,   /* what is kept of a session before it is known */
	EARLY_HEAD = 1 + 2, /* who said it, and how long it is */
};

struct dialogue {
	uint32_t trace; /* its number; 0: nobody knows yet whose this is */
	bool octets;    /* all lines of replies, as they are sent */
	bool over;      /* early: there was no more room */
	uint32_t lost;  /* lines, since one was sent */
	struct buf early;
	size_t n; /* of a line of a reply whose end is not sent yet */
	char part[TRACE_LINE_MAX];
};

/* ---- to the parent ---- */

/* While much is on its way to it, lines are counted instead. */
static void
put(struct session *s, enum trace_says who, const char *p, size_t n)
{
	struct ipc_chan *parent = s->worker->role.parent;
	struct dialogue *d = s->dialogue;

	if (ipc_is_full(parent)) {
		d->lost++;
		return;
	}
	ipc_begin(parent, IPC_TRACED);
	ipc_put_u32(parent, d->trace);
	ipc_put_u64(parent, s->sid);
	ipc_put_u8(parent, (uint8_t)who);
	ipc_put_u32(parent, d->lost);
	ipc_put_bytes(parent, p, n < TRACE_LINE_MAX ? n : TRACE_LINE_MAX);
	d->lost = ipc_end(parent) == E_OK ? 0 : d->lost + 1;
}

/* ---- before it is known whose it is ---- */

static void
keep(struct dialogue *d, enum trace_says who, struct slice line)
{
	char head[EARLY_HEAD] = { (char)who };
	uint16_t n =
	    (uint16_t)(line.n < TRACE_LINE_MAX ? line.n : TRACE_LINE_MAX);

	memcpy(head + 1, &n, sizeof(n));
	if (d->early.len + sizeof(head) + n > EARLY_MAX ||
	    buf_put(&d->early, head, sizeof(head)) != E_OK ||
	    buf_put(&d->early, line.p, n) != E_OK)
		d->over = true;
}

static void
tell_early(struct session *s)
{
	struct dialogue *d = s->dialogue;
	const char *p = buf_data(&d->early);
	size_t left = d->early.len;
	uint16_t n;

	while (left >= EARLY_HEAD) {
		memcpy(&n, p + 1, sizeof(n));
		if (left < EARLY_HEAD + (size_t)n)
			break;
		put(s, (enum trace_says)p[0], p + EARLY_HEAD, n);
		p += EARLY_HEAD + n;
		left -= EARLY_HEAD + (size_t)n;
	}
	d->lost += d->over;
	d->over = false;
	buf_free(&d->early);
}

/* ---- what is said ---- */

static void
log_it(const struct session *s, bool reply, struct slice line)
{
	char text[600];

	log_line(LOG_DEBUGGING, "ev=trace sid=%u.%llx %s=\"%s\"",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    reply ? "server" : "client",
	    str_quote(text, sizeof(text), line.p, line.n));
}

void
traced_line(const struct pop3_server *p, bool reply, struct slice line)
{
	struct session *s =
	    (void *)((char *)p - offsetof(struct session, pop3));
	struct dialogue *d = s->dialogue;
	enum trace_says who = reply ? TRACE_SERVER : TRACE_CLIENT;

	if (s->worker->conf.trace)
		log_it(s, reply, line);
	if (d == NULL)
		return;
	if (d->trace == 0)
		keep(d, who, line);
	else if (!reply || !d->octets)
		put(s, who, line.p, line.n);
}

static void
end_part(struct session *s)
{
	struct dialogue *d = s->dialogue;

	if (d->n != 0 && d->part[d->n - 1] == '\r')
		d->n--;
	put(s, TRACE_SERVER, d->part, d->n);
	d->n = 0;
}

void
traced_octets(struct session *s, const char *p, size_t n)
{
	struct dialogue *d = s->dialogue;

	if (d->trace == 0 || !d->octets)
		return;
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t part = end != NULL ? (size_t)(end - p) : n;
		size_t room = sizeof(d->part) - d->n;
		bool whole = end != NULL && part <= room;

		part = part < room ? part : room;
		memcpy(d->part + d->n, p, part);
		d->n += part;
		if (whole || d->n == sizeof(d->part))
			end_part(s);
		p += part + whole;
		n -= part + whole;
	}
}

/* ---- whose it is ---- */

static const struct traced *
find(const struct worker *w, struct slice user)
{
	for (unsigned i = 0; i < w->n_traced; i++)
		if (strlen(w->traced[i].user) == user.n &&
		    memcmp(w->traced[i].user, user.p, user.n) == 0)
			return &w->traced[i];
	return NULL;
}

static void
forget(struct session *s)
{
	struct dialogue *d = s->dialogue;

	buf_free(&d->early);
	free(d);
	s->dialogue = NULL;
	s->pop3.trace = s->worker->conf.trace ? traced_line : NULL;
}

void
traced_begin(struct session *s)
{
	struct dialogue *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return;
	buf_init(&d->early, EARLY_MAX, true);
	s->dialogue = d;
	s->pop3.trace = traced_line;
}

static void
attach(struct session *s, const struct traced *t)
{
	struct dialogue *d = s->dialogue;

	d->trace = t->number;
	d->octets = t->octets;
	put(s, TRACE_NOTE, s->peer, strlen(s->peer));
	tell_early(s);
}

/* Who failed to sign in as one may try it as another. */
void
traced_named(struct session *s, struct slice user)
{
	struct dialogue *d = s->dialogue;
	const struct traced *t = find(s->worker, user);

	if (d->trace != 0 && (t == NULL || t->number != d->trace)) {
		d->trace = 0;
		d->n = 0;
	}
	if (d->trace == 0 && t != NULL)
		attach(s, t);
	else if (d->trace == 0 && s->signed_in)
		forget(s);
	else if (d->trace == 0) {
		buf_consume(&d->early, d->early.len);
		d->over = false;
	}
}

void
traced_end(struct session *s, const char *why)
{
	char text[64] = "the session ends: ";

	if (s->dialogue->trace != 0) {
		if (s->dialogue->n != 0)
			end_part(s);
		strncat(text, why, sizeof(text) - strlen(text) - 1);
		put(s, TRACE_NOTE, text, strlen(text));
	}
	forget(s);
}

/* ---- the parent ---- */

static bool
is_of(const struct session *s, const struct traced *t)
{
	return s->signed_in && s->user != NULL && strcmp(s->user, t->user) == 0;
}

/* Of sessions that there are. */
static void
look_at_all(struct worker *w, const struct traced *t)
{
	for (uint32_t i = 0; i < w->n_slots; i++) {
		struct session *s = w->slots[i];

		if (s == NULL || (s->signed_in && !is_of(s, t)))
			continue;
		if (s->dialogue == NULL)
			traced_begin(s);
		if (s->dialogue != NULL && is_of(s, t))
			attach(s, t);
	}
}

static void
leave_all(struct worker *w, uint32_t number)
{
	for (uint32_t i = 0; i < w->n_slots; i++) {
		struct session *s = w->slots[i];

		if (s != NULL && s->dialogue != NULL &&
		    (s->dialogue->trace == number || w->n_traced == 0))
			forget(s);
	}
}

static void
end_trace(struct worker *w, uint32_t number)
{
	for (unsigned i = 0; i < w->n_traced; i++)
		if (w->traced[i].number == number) {
			w->traced[i] = w->traced[--w->n_traced];
			break;
		}
	leave_all(w, number);
}

enum err
traced_take(void *worker, struct ipc_in *in)
{
	struct worker *w = worker;
	struct traced t = { .number = ipc_get_u32(in) };
	bool on = ipc_get_u8(in) != 0;

	t.octets = ipc_get_u8(in) != 0;
	ipc_get_str(in, t.user, sizeof(t.user));
	if (ipc_get_end(in) != E_OK || t.number == 0 ||
	    (on && w->n_traced == TRACES_MAX))
		return E_FORMAT;
	if (!on) {
		end_trace(w, t.number);
		return E_OK;
	}
	w->traced[w->n_traced++] = t;
	look_at_all(w, &t);
	return E_OK;
}

#include "client/session/sorting.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/i18n.h"
#include "client/conf/rule.h"
#include "client/session/destination.h"

enum { HEAD_MAX = 256 * 1024 }; /* octets of a header that rules look at */

/* Of the rule beside it. */
struct sorted {
	struct delivery *d; /* NULL: it was not needed yet */
	bool failed;        /* it takes nothing, in this session */
	char why[STATE_WORDS];
};

struct sorting {
	bool waits; /* the header of a message is coming */
	struct buf head;
	size_t n;
	struct sorted v[];
};

/* ---- places ---- */

static const struct rule *const *
rules(const struct visit *v)
{
	return v->conf.account->rules;
}

static void
place_failed(const struct visit *v, size_t k, const char *why)
{
	struct sorted *s = &v->sorting->v[k];

	if (s->failed)
		return;
	s->failed = true;
	snprintf(
	    s->why, sizeof(s->why), _("%s (rule %s)"), why, rules(v)[k]->name);
}

/* The delivery for a message with that header: the account's own, or that of
 * place *k_r.  NULL: it takes nothing. */
static struct delivery *
delivery_for(struct visit *v, struct slice header, size_t *k_r)
{
	size_t k = rule_find(rules(v), header);
	struct sorted *s;
	struct errbuf eb;

	*k_r = SIZE_MAX;
	if (k == SIZE_MAX ||
	    dest_same(&rules(v)[k]->dest, &v->conf.account->dest))
		return v->conf.delivery;
	*k_r = k = rule_place(rules(v), k);
	s = &v->sorting->v[k];
	if (s->failed)
		return NULL;
	if (s->d == NULL &&
	    v->conf.open(v->conf.arg, &rules(v)[k]->dest, &s->d, &eb) != E_OK)
		place_failed(v, k, eb.text);
	return s->d;
}

static size_t
place_of(const struct visit *v, const struct parcel *p)
{
	size_t k = 0;

	while (v->sorting->v[k].d != parcel_delivery(p))
		k++;
	return k;
}

bool
sorting_is_apart(const struct visit *v, const struct parcel *p)
{
	return parcel_delivery(p) != v->conf.delivery;
}

static void
note(struct visit *v, size_t i, size_t k)
{
	trouble_note(v, i, TROUBLE_LATER, v->sorting->v[k].why);
}

void
sorting_failed(
    struct visit *v, size_t i, const struct parcel *p, const char *why)
{
	size_t k = place_of(v, p);

	place_failed(v, k, why);
	note(v, i, k);
}

void
sorting_stop(struct visit *v)
{
	for (size_t k = 0; v->sorting != NULL && k < v->sorting->n; k++)
		if (v->sorting->v[k].d != NULL)
			delivery_stop(v->sorting->v[k].d);
}

/* ---- a message ---- */

void
sorting_begin(struct visit *v)
{
	struct sorting *s = v->sorting;

	s->waits = true;
	buf_consume(&s->head, s->head.len);
}

bool
sorting_waits(const struct visit *v)
{
	return v->sorting != NULL && v->sorting->waits;
}

/* A parcel with what has come, for place k; SIZE_MAX: for the account's own. */
static void
begin_parcel(struct visit *v, size_t i, struct delivery *d, size_t k)
{
	const struct buf *head = &v->sorting->head;
	struct errbuf eb;
	enum err e = parcel_begin(d, &v->parcel, &eb);

	if (e == E_OK)
		e = parcel_add(v->parcel, buf_data(head), head->len, &eb);
	if (e == E_OK)
		return;
	parcel_drop(v->parcel);
	v->parcel = NULL;
	if (k == SIZE_MAX) {
		destination_failed(v, e, eb.text);
	} else {
		place_failed(v, k, eb.text);
		note(v, i, k);
	}
}

void
sorting_end(struct visit *v, size_t i)
{
	struct sorting *s = v->sorting;
	struct delivery *d;
	size_t k;

	s->waits = false;
	d = delivery_for(
	    v, (struct slice){ buf_data(&s->head), s->head.len }, &k);
	if (d != NULL)
		begin_parcel(v, i, d, k);
	else
		note(v, i, k);
}

struct slice
sorting_add(struct visit *v, size_t i, struct slice data)
{
	struct buf *head = &v->sorting->head;
	size_t room = HEAD_MAX - head->len, n = data.n < room ? data.n : room;

	if (buf_put(head, data.p, n) != E_OK) {
		v->sorting->waits = false;
		destination_failed(v, E_NOMEM, _("out of memory"));
	} else if (head->len == HEAD_MAX || identity_reader_done(v->identity)) {
		sorting_end(v, i);
	}
	return (struct slice){ data.p + n, data.n - n };
}

/* ---- life ---- */

bool
sorting_new(struct visit *v)
{
	struct sorting *s;
	size_t n = 0;

	while (rules(v)[n] != NULL)
		n++;
	if (n == 0)
		return true;
	s = calloc(1, sizeof(*s) + n * sizeof(s->v[0]));
	if ((v->sorting = s) == NULL)
		return false;
	s->n = n;
	buf_init(&s->head, HEAD_MAX, false);
	return true;
}

void
sorting_free(struct visit *v)
{
	struct sorting *s = v->sorting;

	if (s == NULL)
		return;
	for (size_t k = 0; k < s->n; k++)
		delivery_close(s->v[k].d);
	buf_free(&s->head);
	free(s);
}

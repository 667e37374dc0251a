#include "client/session/stubs.h"

#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "client/message/stub.h"
#include "client/session/choice.h"
#include "client/session/steps.h"

enum {
	HEAD_MAX = 256 * 1024,       /* octets of a header that are kept */
	STUB_MAX = HEAD_MAX + 16384, /* with what is said besides */
};

struct stubs {
	struct buf head, made;
};

/* ---- numbers ---- */

static struct numbered *
number_of(const struct visit *v, size_t i)
{
	const struct listed *l = &v->plan->v[i].listed;
	struct record *r = v->record;

	for (size_t k = 0; k < r->n_numbers; k++)
		if (digest_eq(r->numbers[k].key, l->uid) &&
		    r->numbers[k].size == l->size)
			return &r->numbers[k];
	return NULL;
}

/* NULL: memory. */
static struct numbered *
give_number(const struct visit *v, size_t i)
{
	const struct listed *l = &v->plan->v[i].listed;
	struct record *r = v->record;
	struct numbered *m =
	    array_room(r->numbers, r->n_numbers, &r->numbers_room, sizeof(*m));
	uint32_t last = 0;

	if (m == NULL)
		return NULL;
	r->numbers = m;
	for (size_t k = 0; k < r->n_numbers; k++)
		if (m[k].number > last)
			last = m[k].number;
	m = &m[r->n_numbers++];
	*m = (struct numbered){
		.number = last + 1, .key = l->uid, .size = l->size
	};
	return m;
}

enum stub_wish
stubs_wish(const struct visit *v, size_t i)
{
	const struct plan_item *it = &v->plan->v[i];
	const struct numbered *m;

	if (it->listed.size <= v->conf.account->headers_above ||
	    choice_is_made(v))
		return STUB_NONE;
	if (!it->listed.has_uid || !headers_has_top(v))
		return STUB_IMPOSSIBLE;
	if (it->action != PLAN_COLLECT)
		return STUB_LATER;
	m = number_of(v, i);
	return m != NULL && m->stub_at != 0 ? STUB_HERE : STUB_MAKE;
}

/* ---- what comes ---- */

void
stubs_begin(struct visit *v)
{
	struct stubs *s = v->stubs;

	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return;
		buf_init(&s->head, HEAD_MAX, false);
		buf_init(&s->made, STUB_MAX, false);
		v->stubs = s;
	}
	buf_consume(&s->head, s->head.len);
	buf_consume(&s->made, s->made.len);
}

/* Some servers send the whole message: what is too much is dropped. */
void
stubs_add(struct visit *v, struct slice data)
{
	struct stubs *s = v->stubs;
	size_t room = s != NULL ? HEAD_MAX - s->head.len : 0;

	if (room != 0)
		(void)!buf_put(&s->head, data.p, data.n < room ? data.n : room);
}

struct slice
stubs_end(struct visit *v, size_t i)
{
	const struct account *a = v->conf.account;
	const struct listed *l = &v->plan->v[i].listed;
	struct stub what = { a->name, a->server, 0, l->size, l->uid };
	struct numbered *m = number_of(v, i);
	struct stubs *s = v->stubs;

	if (m == NULL)
		m = give_number(v, i);
	if (s == NULL || m == NULL)
		return (struct slice){ NULL, 0 };
	what.number = m->number;
	if (stub_make(&s->made, &what,
		(struct slice){ buf_data(&s->head), s->head.len }) != E_OK)
		return (struct slice){ NULL, 0 };
	return (struct slice){ buf_data(&s->made), s->made.len };
}

void
stubs_mark(const struct visit *v, size_t i, struct parcel *p)
{
	p->number = number_of(v, i)->number;
	p->key = p->uid;
	p->came = 0; /* its lines end as we have written them */
	p->has_uid = p->to_delete = false;
}

void
stubs_stored(struct visit *v, const struct parcel *p)
{
	number_of(v, p->item)->stub_at = time(NULL);
}

void
stubs_free(struct visit *v)
{
	if (v->stubs == NULL)
		return;
	buf_free(&v->stubs->head);
	buf_free(&v->stubs->made);
	free(v->stubs);
}

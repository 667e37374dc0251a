#include "client/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "client/conf/account.h"
#include "client/plan/own.h"

const struct digest plan_back = { "back" };

/* A server may list a message without its size. */
bool
plan_sized(const struct listed *l)
{
	return l->has_size;
}

bool
plan_due(const struct plan *p, const struct message *m)
{
	return (m->deleted_here && !p->rules.hold_mine) || p->rules.keep <= 0 ||
	       (p->rules.keep != KEEP_ALWAYS &&
		   m->stored_at <= p->rules.now - p->rules.keep);
}

bool
plan_is_late(const struct plan *p, const struct message *m)
{
	return p->rules.braked != 0 && m->id >= p->rules.braked;
}

bool
plan_is_verified_later(const struct plan *p, const struct plan_item *t)
{
	return p->rules.verify_later && t->sure && !t->ask &&
	       p->known[t->message].has_identity;
}

/* ---- the record ---- */

static void
add_row(struct plan *p, size_t i)
{
	const struct message *m = &p->known[i];
	struct plan_key k = { .size = m->size, .row = (uint32_t)i };
	uint8_t row = 0;

	if (m->where != MESSAGE_GONE)
		row |= ROW_LIVE;
	if (m->where == MESSAGE_THERE) {
		row |= ROW_THERE;
		if (m->size != SIZE_UNKNOWN && (m->has_uid || p->no_uid) &&
		    !plan_is_late(p, m))
			row |= ROW_COUNTED;
	} else if (m->where == MESSAGE_GONE && p->no_uid && m->has_identity &&
		   m->identity.strong && m->size != SIZE_UNKNOWN)
		row |= ROW_BACK;
	p->own->row[i] = row;
	if (m->has_identity)
		k.header = m->identity.header;
	if (row & ROW_BACK)
		k.uid = plan_back;
	if (row & (ROW_LIVE | ROW_BACK))
		plan_index_add(&p->own->headers, &k);
	k.uid = m->uid;
	if (m->has_uid)
		plan_index_add(&p->own->uids, &k);
}

/* ---- the listing ---- */

/* Says of those that have one unique-id what the record has of it. */
static void
meet_uid(struct plan *p, const struct plan_key *k, size_t n)
{
	const struct plan_key first = { .uid = k->uid };
	const struct plan_index *x = &p->own->uids;
	size_t at = plan_index_find(x, &first), live = 0, row = 0;
	bool met = false;

	for (;
	     at < x->n && memcmp(x->key[at].uid.v, k->uid.v, DIGEST_SIZE) == 0;
	     at++) {
		met = true;
		p->own->row[x->key[at].row] |= ROW_LISTED;
		if (p->own->row[x->key[at].row] & ROW_LIVE) {
			live++;
			row = x->key[at].row;
		}
	}
	for (size_t i = 0; i < n; i++) {
		p->v[k[i].row].uid_met = met;
		p->v[k[i].row].twin = n > 1;
	}
	if (n == 1 && live == 1 && plan_sized(&p->v[k->row].listed) &&
	    p->known[row].size != SIZE_UNKNOWN) {
		struct plan_item *t = &p->v[k->row];

		t->sure = t->listed.size == p->known[row].size;
		t->changed = !t->sure;
		t->message = t->sure ? (ptrdiff_t)row : -1;
		p->own->row[row] |= t->sure ? ROW_SURE : 0;
	}
}

static enum err
meet_uids(struct plan *p)
{
	struct plan_index x;
	size_t from = 0;

	if (plan_index_init(&x, p->n) != E_OK)
		return E_NOMEM;
	for (size_t i = 0; i < p->n; i++) {
		struct plan_key k = { .uid = p->v[i].listed.uid,
			.row = (uint32_t)i };

		if (p->v[i].listed.has_uid)
			plan_index_add(&x, &k);
	}
	plan_index_sort(&x);
	for (size_t i = 1; i <= x.n; i++) {
		if (i < x.n &&
		    memcmp(x.key[i].uid.v, x.key[from].uid.v, DIGEST_SIZE) == 0)
			continue;
		meet_uid(p, &x.key[from], i - from);
		from = i;
	}
	plan_index_clear(&x);
	return E_OK;
}

/* ---- making one ---- */

static enum err
take_memory(struct plan *p, size_t n_listed)
{
	struct plan_own *o = calloc(1, sizeof(*o));

	p->own = o;
	p->v = calloc(n_listed + 1, sizeof(*p->v));
	p->dirty = calloc(p->n_known + 1, sizeof(*p->dirty));
	if (o == NULL || p->v == NULL || p->dirty == NULL)
		return E_NOMEM;
	o->row = calloc(p->n_known + 1, sizeof(*o->row));
	o->sizes = malloc((p->n_known + 1) * sizeof(*o->sizes));
	if (o->row == NULL || o->sizes == NULL ||
	    plan_index_init(&o->uids, p->n_known) != E_OK ||
	    plan_index_init(&o->headers, p->n_known) != E_OK)
		return E_NOMEM;
	return E_OK;
}

enum err
plan_new(struct plan **p_r, struct message *known, size_t n_known,
    const struct listed *listed, size_t n_listed,
    const struct plan_rules *rules)
{
	struct plan *p = calloc(1, sizeof(*p));
	enum err e;

	*p_r = NULL;
	if (p == NULL)
		return E_NOMEM;
	*p = (struct plan){
		.known = known,
		.n_known = n_known,
		.braked = rules->braked,
		.rules = *rules,
	};
	if ((e = take_memory(p, n_listed)) != E_OK)
		goto fail;
	p->no_uid = n_listed > 0;
	for (; p->n < n_listed; p->n++) {
		p->v[p->n].listed = listed[p->n];
		p->v[p->n].message = -1;
		p->no_uid = p->no_uid && !listed[p->n].has_uid;
	}
	for (size_t i = 0; i < n_known; i++)
		add_row(p, i);
	plan_index_sort(&p->own->uids);
	if ((e = meet_uids(p)) != E_OK)
		goto fail;
	*p_r = p;
	return E_OK;
fail:
	plan_free(p);
	return e;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	if (p->own != NULL) {
		plan_index_clear(&p->own->uids);
		plan_index_clear(&p->own->headers);
		free(p->own->row);
		free(p->own->sizes);
	}
	free(p->own);
	free(p->dirty);
	free(p->v);
	free(p);
}

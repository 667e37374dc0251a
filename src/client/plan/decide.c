/*
 * What is to be done with each message of a plan, once its doubts are settled.
 * See plan.h.
 */
#include <string.h>

#include "client/plan/own.h"

/* ---- a message that is known ---- */

static void
save_row(struct plan *p, size_t row, const struct message *m)
{
	struct message *old = &p->known[row];

	if (old->has_uid == m->has_uid && digest_eq(old->uid, m->uid) &&
	    old->size == m->size && old->where == m->where &&
	    old->gone_at == m->gone_at)
		return;
	*old = *m;
	p->dirty[row] = true;
}

/* The row gets the names that the message has now.  A session without unique-ids
 * does not take the old one away. */
static void
name_row(struct message *m, const struct listed *l)
{
	if (l->has_uid) {
		m->has_uid = true;
		m->uid = l->uid;
	}
	if (plan_sized(l))
		m->size = l->size;
	if (m->where == MESSAGE_GONE)
		m->where = MESSAGE_THERE;
	m->gone_at = 0;
}

static void
settle_item(struct plan *p, struct plan_item *t)
{
	struct message m = p->known[t->message];
	bool due = plan_due(p, &m);

	name_row(&m, &t->listed);
	if (!due)
		m.where = MESSAGE_THERE;
	t->action = PLAN_LEAVE;
	if (due && !plan_holds(p, &m)) {
		if (t->verified) {
			t->action = PLAN_DELETE;
			p->n_back += p->known[t->message].where == MESSAGE_GONE;
			m.where = MESSAGE_DELETING;
		} else if (plan_is_verified_later(p, t)) {
			t->action = PLAN_VERIFY;
			p->own->pending++;
		} else if (!plan_is_late(p, &m)) {
			/* Else the next run asks: see is_sure_doubtful(). */
			p->n_unsure++;
		}
	}
	save_row(p, (size_t)t->message, &m);
}

/* ---- what is missing ---- */

/* Not before it is known of all that are listed which they are: a run that ends
 * before that finds the rows as they were. */
static void
mark_gone(struct plan *p)
{
	if (p->own->pending > 0 || p->braked != 0)
		return;
	for (size_t i = 0; i < p->n_known; i++) {
		struct message m = p->known[i];
		uint8_t row = p->own->row[i];

		if (!(row & ROW_LIVE) || row & ROW_TAKEN)
			continue;
		m.where = MESSAGE_GONE;
		m.gone_at = p->rules.now;
		save_row(p, i, &m);
	}
}

/* ---- all ---- */

/* Rows that stay with the messages that their names say, as no header says
 * more. */
static void
keep_sure(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct plan_item *t = &p->v[i];

		if (!t->sure)
			continue;
		if (t->answered)
			t->message = -1;
		else
			plan_take(p, (size_t)t->message);
	}
}

static void
decide_unknown(struct plan *p, struct plan_item *t)
{
	t->action = PLAN_COLLECT;
	if (t->answered ? plan_may_be_known(p, t) : t->ask) {
		t->action = PLAN_IDENTIFY;
		p->own->pending += !t->answered;
	}
}

static bool
is_any_asked(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].ask || p->v[i].answered)
			return true;
	return false;
}

void
plan_decide(struct plan *p)
{
	p->own->decided = true;
	if (is_any_asked(p))
		plan_index_sort(&p->own->headers);
	keep_sure(p);
	plan_match_all(p);
	plan_brake(p);
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].message >= 0)
			settle_item(p, &p->v[i]);
		else
			decide_unknown(p, &p->v[i]);
	}
	mark_gone(p);
}

bool
plan_retrieved(struct plan *p, size_t i, const struct identity *id)
{
	struct plan_item *t = &p->v[i];
	bool last = !t->answered && p->own->pending == 1, known;

	if (t->action != PLAN_IDENTIFY)
		return false;
	p->own->pending -= !t->answered;
	plan_header(p, i, id);
	known = plan_match(p, t);
	if (known)
		settle_item(p, t);
	else
		t->action = PLAN_COLLECT;
	if (last)
		mark_gone(p);
	return known;
}

/* A message with the names of another: which one it is can only be told from
 * all headers, so it stays among those that are pending. */
void
plan_verified(struct plan *p, size_t i, const struct identity *id)
{
	struct plan_item *t = &p->v[i];
	const struct message *m = &p->known[t->message];

	plan_header(p, i, id);
	if (id != NULL && !digest_eq(id->header, m->identity.header)) {
		t->action = PLAN_LEAVE;
		p->misnamed = true;
		return;
	}
	t->ask = true;
	t->verified = id != NULL;
	settle_item(p, t);
	if (--p->own->pending == 0)
		mark_gone(p);
}

void
plan_remember(struct plan *p)
{
	if (p->own->decided || !is_any_asked(p))
		return;
	plan_index_sort(&p->own->headers);
	for (size_t i = 0; i < p->n; i++) {
		struct plan_item *t = &p->v[i];
		struct message m;

		if (!t->answered || t->sure || !plan_match_surely(p, t))
			continue;
		m = p->known[t->message];
		name_row(&m, &t->listed);
		save_row(p, (size_t)t->message, &m);
	}
}

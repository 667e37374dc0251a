/*
 * The brake: is so much changed that it may be another maildrop?  See plan.h.
 */
#include "client/conf/account.h"
#include "client/plan/own.h"

struct change {
	size_t counted, missing; /* of what was here before */
	size_t unknown;          /* listed, and not of that */
	size_t at_risk;          /* of those, what would be deleted */
};

bool
plan_are_back(size_t counted, size_t missing)
{
	return counted != 0 && 2 * missing <= counted;
}

static void
count_unknown(const struct plan *p, const struct plan_item *t, struct change *c)
{
	/* What has no name and no header tells nothing, so that it begins no
	 * brake; but it ends none. */
	if (p->rules.braked == 0 && !t->listed.has_uid && !t->answered)
		return;
	c->unknown++;
	c->at_risk += t->listed.size <= p->rules.max_size;
}

static struct change
find_change(const struct plan *p)
{
	struct change c = { 0 };

	for (size_t i = 0; i < p->n_known; i++) {
		if (!(p->own->row[i] & ROW_COUNTED))
			continue;
		c.counted++;
		c.missing += !(p->own->row[i] & ROW_TAKEN);
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_item *t = &p->v[i];

		if (t->message < 0)
			count_unknown(p, t, &c);
		else
			c.at_risk += plan_is_late(p, &p->known[t->message]);
	}
	return c;
}

static bool
is_wanted(const struct plan *p)
{
	struct change c;

	if (p->rules.accepted || p->rules.keep == KEEP_ALWAYS)
		return false;
	c = find_change(p);
	if (p->rules.braked != 0)
		return c.at_risk != 0 && !plan_are_back(c.counted, c.missing);
	return c.counted >= PLAN_BRAKE_MIN && 2 * c.missing > c.counted &&
	       2 * c.unknown > p->n && c.at_risk >= PLAN_BRAKE_UNKNOWN;
}

size_t
plan_mishap(const struct message *v, size_t n)
{
	size_t mine = 0, there = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].where == MESSAGE_GONE)
			continue;
		there++;
		mine += v[i].deleted_here;
	}
	return mine >= PLAN_BRAKE_MIN && 2 * mine > there ? mine : 0;
}

static int64_t
next_id(const struct plan *p)
{
	int64_t last = 0;

	for (size_t i = 0; i < p->n_known; i++)
		if (p->known[i].id > last)
			last = p->known[i].id;
	return last + 1;
}

void
plan_brake(struct plan *p)
{
	if (!is_wanted(p))
		p->braked = 0;
	else if (p->braked == 0)
		p->braked = next_id(p);
}

void
plan_end(struct plan *p)
{
	if (p->braked != 0)
		plan_brake(p);
}

bool
plan_holds(const struct plan *p, const struct message *m)
{
	return p->braked != 0 && (m->id >= p->braked || !m->identity.strong);
}

static bool
is_item_held(const struct plan *p, const struct plan_item *t)
{
	const struct message *m;

	if (t->message < 0)
		return p->rules.keep <= 0 &&
		       t->listed.size <= p->rules.max_size;
	m = &p->known[t->message];
	return plan_due(p, m) && plan_holds(p, m) &&
	       (t->verified || plan_is_verified_later(p, t) ||
		   plan_is_late(p, m));
}

size_t
plan_n_held(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; p->braked != 0 && i < p->n; i++)
		n += is_item_held(p, &p->v[i]);
	return n;
}

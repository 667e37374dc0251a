/*
 * Each row is taken once, so that of two twins and one row one is new.  What says
 * most is tried first, for all messages, before what says less.
 */
#include "client/plan/own.h"

#include <string.h>

enum step {
	STEP_SAME,       /* unique-id, header and size */
	STEP_SIZE_OTHER, /* unique-id and header */
	STEP_SIZE_NONE,  /* the same, and our size is not known */
	STEP_RENAMED,    /* header and size; none that was gone */
	STEP_HEADER,     /* header; none that was gone */
	STEP_BACK,       /* header and size of one that was */
	STEPS,
};

/* A weak header says nothing without the size.  But where a size is not known
 * the unique-id may stand for it: only, nothing is deleted on that. */
static bool
is_step_for(enum step step, const struct plan_item *t)
{
	bool sized = plan_sized(&t->listed), strong = t->identity.strong;

	switch (step) {
	case STEP_SAME: return t->listed.has_uid && sized;
	case STEP_SIZE_OTHER: return t->listed.has_uid && (strong || !sized);
	case STEP_SIZE_NONE: return t->listed.has_uid;
	case STEP_RENAMED: return sized;
	case STEP_BACK: return sized && strong;
	default: return strong;
	}
}

static bool
is_same(
    enum step step, const struct plan_key *found, const struct plan_key *wanted)
{
	if (memcmp(found->uid.v, wanted->uid.v, DIGEST_SIZE) != 0 ||
	    memcmp(found->header.v, wanted->header.v, DIGEST_SIZE) != 0)
		return false;
	return step == STEP_SIZE_OTHER || step == STEP_HEADER ||
	       found->size == wanted->size;
}

void
plan_take(struct plan *p, size_t row)
{
	p->own->row[row] |= ROW_TAKEN;
	plan_index_take(&p->own->uids, row);
	plan_index_take(&p->own->headers, row);
}

static bool
match_step(struct plan *p, struct plan_item *t, enum step step)
{
	bool by_uid = step <= STEP_SIZE_NONE;
	struct plan_key wanted = { .header = t->identity.header };
	const struct plan_key *found;

	if (!is_step_for(step, t))
		return false;
	if (by_uid)
		wanted.uid = t->listed.uid;
	else if (step == STEP_BACK)
		wanted.uid = plan_back;
	if (step == STEP_SAME || step == STEP_RENAMED || step == STEP_BACK)
		wanted.size = t->listed.size;
	else if (step == STEP_SIZE_NONE)
		wanted.size = SIZE_UNKNOWN;
	found =
	    plan_index_free(by_uid ? &p->own->uids : &p->own->headers, &wanted);
	if (found == NULL || !is_same(step, found, &wanted))
		return false;
	t->message = found->row;
	t->verified =
	    t->identity.strong || step == STEP_SAME || step == STEP_RENAMED;
	plan_take(p, found->row);
	return true;
}

bool
plan_match(struct plan *p, struct plan_item *t)
{
	for (int step = 0; step < STEPS; step++)
		if (match_step(p, t, step))
			return true;
	return false;
}

bool
plan_match_surely(struct plan *p, struct plan_item *t)
{
	struct plan_key k = { .header = t->identity.header,
		.size = t->listed.size };
	const struct plan_key *found;

	for (int step = 0; step <= STEP_SIZE_NONE; step++)
		if (match_step(p, t, step))
			return true;
	/* The one that has the row's unique-id may be among those that have not
	 * told who they are. */
	found = plan_index_free(&p->own->headers, &k);
	return found != NULL && !(p->own->row[found->row] & ROW_LISTED) &&
	       match_step(p, t, STEP_RENAMED);
}

void
plan_match_all(struct plan *p)
{
	for (int step = 0; step < STEPS; step++)
		for (size_t i = 0; i < p->n; i++)
			if (p->v[i].answered && p->v[i].message < 0)
				match_step(p, &p->v[i], step);
}

bool
plan_may_be_known(struct plan *p, const struct plan_item *t)
{
	struct plan_key any = { 0 };
	const struct plan_key *found;

	if (plan_index_free(&p->own->headers, &any) != NULL)
		return true;
	if (!t->listed.has_uid)
		return false;
	any.uid = t->listed.uid;
	found = plan_index_free(&p->own->uids, &any);
	return found != NULL &&
	       memcmp(found->uid.v, any.uid.v, DIGEST_SIZE) == 0;
}

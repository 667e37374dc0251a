/*
 * Whose header is asked for.  A message that no row could be is new without it.
 */
#include <stdlib.h>

#include "client/plan/own.h"

struct sums {
	size_t there_sure, there_unsure;
	size_t counted, counted_sure;
	size_t loose;         /* live rows that are not sure */
	size_t unclear;       /* of those, what no name or no size tells of */
	size_t back;          /* rows of messages that may be back */
	size_t sure, changed; /* listed ones */
};

static int
compare_sizes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
sum_row(struct plan *p, size_t i, struct sums *s)
{
	const struct message *m = &p->known[i];
	uint8_t row = p->own->row[i];
	bool sure = row & ROW_SURE;

	if (row & ROW_LIVE && !sure) {
		s->loose++;
		s->unclear += !m->has_uid || m->size == SIZE_UNKNOWN;
		if (m->size != SIZE_UNKNOWN)
			p->own->sizes[p->own->n_sizes++] = m->size;
	}
	if (row & ROW_BACK) {
		s->back++;
		p->own->sizes[p->own->n_sizes++] = m->size;
	}
	if (row & ROW_THERE) {
		s->there_sure += sure;
		s->there_unsure += !sure;
	}
	if (row & ROW_COUNTED) {
		s->counted++;
		s->counted_sure += sure;
	}
}

static void
add_up(struct plan *p, struct sums *s)
{
	*s = (struct sums){ 0 };
	p->own->n_sizes = 0;
	for (size_t i = 0; i < p->n_known; i++)
		sum_row(p, i, s);
	qsort(p->own->sizes, p->own->n_sizes, sizeof(*p->own->sizes),
	    compare_sizes);
	for (size_t i = 0; i < p->n; i++) {
		s->sure += p->v[i].sure;
		s->changed += p->v[i].changed;
	}
}

/* No unique-id is one that is known, of a message of that size; what the brake is
 * for may have happened, or has, and it waits for what was here before; or the
 * record has rows that say too little. */
static bool
is_unknown_doubtful(const struct plan *p, const struct sums *s)
{
	if (s->there_unsure > 0 && (s->there_sure == 0 || p->rules.braked != 0))
		return true;
	if (s->counted >= PLAN_BRAKE_MIN && 2 * s->counted_sure < s->counted &&
	    2 * s->sure < p->n)
		return true;
	return s->unclear > 0;
}

/* One of a few that are renamed keeps its size. */
static bool
has_size_of_loose(const struct plan *p, const struct listed *l)
{
	return !plan_sized(l) ||
	       bsearch(&l->size, p->own->sizes, p->own->n_sizes,
		   sizeof(*p->own->sizes), compare_sizes) != NULL;
}

/* The brake will hold, as far as unique-ids and sizes tell. */
static bool
is_held(const struct plan *p, const struct message *m, const struct sums *s)
{
	return plan_is_late(p, m) &&
	       !plan_are_back(s->counted, s->counted - s->counted_sure);
}

/* Where more unique-ids have got another size than have kept it, they are no names
 * but numbers that have moved on: then equal sizes say little. */
static bool
is_sure_doubtful(
    const struct plan *p, const struct plan_item *t, const struct sums *s)
{
	const struct message *m = &p->known[t->message];

	return m->has_identity &&
	       (s->changed > s->sure ||
		   (plan_due(p, m) && !p->rules.verify_later &&
		       !is_held(p, m, s)));
}

static bool
is_item_doubtful(const struct plan *p, const struct plan_item *t,
    const struct sums *s, bool unknown)
{
	if (t->sure)
		return is_sure_doubtful(p, t, s);
	if (t->uid_met)
		return true;
	if (s->loose == 0)
		return s->back != 0 && has_size_of_loose(p, &t->listed);
	return unknown || !t->listed.has_uid || t->twin ||
	       has_size_of_loose(p, &t->listed);
}

size_t
plan_ask(struct plan *p)
{
	struct sums s;
	size_t n = 0;
	bool unknown;

	add_up(p, &s);
	unknown = is_unknown_doubtful(p, &s);
	for (size_t i = 0; i < p->n; i++) {
		p->v[i].ask = is_item_doubtful(p, &p->v[i], &s, unknown);
		n += p->v[i].ask;
	}
	return n;
}

void
plan_header(struct plan *p, size_t i, const struct identity *id)
{
	p->v[i].answered = id != NULL;
	if (id != NULL)
		p->v[i].identity = *id;
}

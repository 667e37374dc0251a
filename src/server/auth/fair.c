#include "server/auth/fair.h"

#include <stddef.h>

void
fair_init(struct fair *f)
{
	*f = (struct fair){ .n_waiting = 0 };
	TAILQ_INIT(&f->waiting);
	TAILQ_INIT(&f->running);
}

/* Behind the last of the same address and of the same user, else now. */
static uint64_t
turn_after(
    const struct fair_list *list, const struct fair_entry *e, uint64_t turn)
{
	const struct fair_entry *o;

	TAILQ_FOREACH (o, list, link)
		if (o->known == e->known && o->turn >= turn &&
		    (o->origin == e->origin || o->user == e->user))
			turn = o->turn + 1;
	return turn;
}

void
fair_place(const struct fair *f, struct fair_entry *e)
{
	e->turn = turn_after(
	    &f->waiting, e, turn_after(&f->running, e, f->turn[e->known]));
}

bool
fair_is_before(const struct fair_entry *a, const struct fair_entry *b)
{
	return a->known != b->known ? a->known : a->turn < b->turn;
}

void
fair_wait(struct fair *f, struct fair_entry *e)
{
	TAILQ_INSERT_TAIL(&f->waiting, e, link);
	f->n_waiting++;
}

void
fair_leave(struct fair *f, struct fair_entry *e)
{
	TAILQ_REMOVE(&f->waiting, e, link);
	f->n_waiting--;
}

void
fair_begin(struct fair *f, struct fair_entry *e)
{
	fair_leave(f, e);
	TAILQ_INSERT_TAIL(&f->running, e, link);
	f->n_running++;
	f->turn[e->known] = e->turn;
}

void
fair_end(struct fair *f, struct fair_entry *e)
{
	TAILQ_REMOVE(&f->running, e, link);
	f->n_running--;
}

struct fair_entry *
fair_first(const struct fair *f)
{
	struct fair_entry *e, *first = TAILQ_FIRST(&f->waiting);

	TAILQ_FOREACH (e, &f->waiting, link)
		if (fair_is_before(e, first))
			first = e;
	return first;
}

static bool
has_begun(const struct fair *f, uint64_t origin)
{
	const struct fair_entry *e;

	TAILQ_FOREACH (e, &f->running, link)
		if (e->origin == origin)
			return true;
	return false;
}

struct fair_entry *
fair_first_elsewhere(const struct fair *f)
{
	struct fair_entry *e, *first = NULL;

	TAILQ_FOREACH (e, &f->waiting, link)
		if ((first == NULL || fair_is_before(e, first)) &&
		    !has_begun(f, e->origin))
			first = e;
	return first;
}

struct fair_entry *
fair_last(const struct fair *f)
{
	struct fair_entry *e, *last = TAILQ_FIRST(&f->waiting);

	TAILQ_FOREACH (e, &f->waiting, link)
		if (!fair_is_before(e, last))
			last = e;
	return last;
}

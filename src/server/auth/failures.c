#include "server/auth/failures.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/auth/recent.h"

enum { PAIRS = 64 };

struct pair {
	struct suspect who;
	char address[PEER_MAX];
	char user[NAME_MAX_OCTETS + 1], target[NAME_MAX_OCTETS + 1];
	const char *why; /* the last one */
	uint64_t last_ms;
	uint64_t last; /* the number of the last one; 0: empty */
	uint32_t times;
};

struct failures {
	uint64_t n; /* of all there have been */
	struct pair pair[PAIRS];
};

struct failures *
failures_new(void)
{
	return calloc(1, sizeof(struct failures));
}

void
failures_free(struct failures *f)
{
	free(f);
}

static bool
is_pair(const struct pair *p, const struct failure *of)
{
	return p->last != 0 && p->who.address == of->who.address &&
	       p->who.user == of->who.user &&
	       strcmp(p->address, of->address) == 0 &&
	       strcmp(p->user, of->user) == 0 &&
	       strcmp(p->target, of->target) == 0;
}

/* Theirs, or the one that gives way to it. */
static struct pair *
pair_of(struct failures *f, const struct failure *of)
{
	struct pair *oldest = &f->pair[0];

	for (size_t i = 0; i < PAIRS; i++) {
		if (is_pair(&f->pair[i], of))
			return &f->pair[i];
		if (f->pair[i].last < oldest->last)
			oldest = &f->pair[i];
	}
	*oldest = (struct pair){ .who = of->who };
	memcpy(
	    oldest->address, of->address, strnlen(of->address, PEER_MAX - 1));
	memcpy(oldest->user, of->user, strnlen(of->user, NAME_MAX_OCTETS));
	memcpy(
	    oldest->target, of->target, strnlen(of->target, NAME_MAX_OCTETS));
	return oldest;
}

void
failures_add(struct failures *f, const struct failure *what, uint64_t now_ms)
{
	struct pair *p = pair_of(f, what);

	p->why = what->why;
	p->last_ms = now_ms;
	p->last = ++f->n;
	p->times += p->times < UINT32_MAX;
}

/* How long that user would wait there now. */
static uint32_t
delay_of(const struct auth *a, const struct pair *p, uint64_t now_ms)
{
	struct penalty_ms ms = penalty_due(a->penalty, &p->who, now_ms);
	uint64_t who = recent_who(a->recent, p->who.address, p->user);

	return penalty_wait(ms, recent_came(a->recent, who, now_ms));
}

static void
tell_pair(const struct pair *p, const struct facts *to, uint64_t now_ms)
{
	uint64_t ago_ms = now_ms - p->last_ms;

	fact_text(to, "address", p->address);
	fact_text(to, "user", p->user);
	fact_text(to, "target", p->target);
	fact_number(to, "failures", p->times);
	fact_number(to, "last", (uint32_t)((clock_unix_ms() - ago_ms) / 1000));
	fact_text(to, "why", p->why);
	fact_number(to, "delay_ms", delay_of(to->auth, p, now_ms));
}

static int
compare_newest(const void *a, const void *b)
{
	const struct pair *const *x = a, *const *y = b;

	return ((*x)->last < (*y)->last) - ((*x)->last > (*y)->last);
}

void
failures_tell(const struct failures *f, struct facts *to, uint64_t now_ms)
{
	const struct pair *newest[PAIRS];
	size_t n = 0;

	for (size_t i = 0; i < PAIRS; i++)
		if (f->pair[i].last != 0)
			newest[n++] = &f->pair[i];
	qsort(newest, n, sizeof(newest[0]), compare_newest);
	for (size_t i = 0; i < n; i++) {
		to->row++;
		tell_pair(newest[i], to, now_ms);
	}
}

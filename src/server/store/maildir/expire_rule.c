#include "server/store/maildir/expire_rule.h"

#include <string.h>
#include <time.h>

enum {
	STEP = 60 * 60,                 /* seconds that a clock may be set */
	NOBODY_LOOKED = 2 * EXPIRE_DAY, /* and the machine was started anew */
};

void
expire_clock_read(struct expire_clock *c)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	c->now = now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0;
	c->boot =
	    now.tv_sec > up.tv_sec ? (uint64_t)(now.tv_sec - up.tv_sec) : 0;
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

bool
expire_has_jumped(const struct expire_state *s, const struct expire_clock *c)
{
	if (c->now + STEP < s->looked)
		return true;
	if (distance(c->boot, s->boot) <= STEP)
		return false;
	return c->boot + STEP < s->looked || c->now > s->looked + NOBODY_LOOKED;
}

uint64_t
expire_due_at(const struct expire_state *s, uint16_t seen, uint64_t changed)
{
	/* The end of the day on which it was met. */
	uint64_t from = ((uint64_t)seen + 1) * EXPIRE_DAY;

	if (from < s->since)
		from = s->since;
	if (from < changed)
		from = changed;
	return from + (uint64_t)s->days * EXPIRE_DAY;
}

bool
expire_is_much(uint32_t due, uint32_t of, uint32_t share, uint32_t floor)
{
	return due > floor && (uint64_t)due * 100 > (uint64_t)of * share;
}

bool
expire_is_flagged(const char *name)
{
	const char *info = strstr(name, ":2,");

	return info != NULL && strchr(info, 'F') != NULL;
}

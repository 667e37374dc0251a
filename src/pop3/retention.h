/*
 * retention.h - how long mail stays on the server: EXPIRE of RFC 2449 s6.7.
 *
 * A number of days, or one of two other values.  Never is 0, so that whatever
 * nobody has set removes nothing.
 */
#ifndef POP3_RETENTION_H
#define POP3_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RETENTION_NEVER = 0, /* nothing is removed by itself: EXPIRE NEVER */
	RETENTION_DAYS_MAX = 36500,
	/* What was retrieved goes when its session ends: EXPIRE 0. */
	RETENTION_ONCE = RETENTION_DAYS_MAX + 1,
	RETENTION_MAX = RETENTION_ONCE,
};

static inline bool
retention_is_days(uint32_t r)
{
	return r != RETENTION_NEVER && r != RETENTION_ONCE;
}

/* Is `a` the shorter one? */
static inline bool
retention_is_less(uint32_t a, uint32_t b)
{
	if (a == b || a == RETENTION_NEVER || b == RETENTION_ONCE)
		return false;
	return a == RETENTION_ONCE || b == RETENTION_NEVER || a < b;
}

#endif

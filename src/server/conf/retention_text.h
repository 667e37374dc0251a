/*
 * retention_text.h - how long mail stays, as it is written: "never" (or NEVER, as
 * CAPA says it), "0" (until it is retrieved), or a number of days.
 */
#ifndef SERVER_CONF_RETENTION_TEXT_H
#define SERVER_CONF_RETENTION_TEXT_H

#include <stdio.h>

#include "base/str.h"
#include "pop3/retention.h"

#define RETENTION_WORDS "never, 0, or days: 1 to 36500"

enum { RETENTION_TEXT = 16 };

static inline bool
retention_parse(struct slice text, uint32_t *r)
{
	if (slice_caseeq(text, "never"))
		*r = RETENTION_NEVER;
	else if (slice_eq(text, "0"))
		*r = RETENTION_ONCE;
	else
		return str_to_u32(text, r) && *r != 0 &&
		       *r <= RETENTION_DAYS_MAX;
	return true;
}

/* Returns out. */
static inline const char *
retention_text(char out[RETENTION_TEXT], uint32_t r)
{
	if (r == RETENTION_NEVER)
		snprintf(out, RETENTION_TEXT, "never");
	else
		snprintf(
		    out, RETENTION_TEXT, "%u", r != RETENTION_ONCE ? r : 0);
	return out;
}

#endif

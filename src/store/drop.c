#include "store/drop.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

enum { DAY = 24 * 60 * 60 };
/* Beyond it clock_stamp() would need a fifth digit for the year. */
#define UNIX_MAX 253402300799u

void
drop_in_use(char out[DROP_TEXT_MAX], uint64_t since_unix, const char *from)
{
	char stamp[CLOCK_STAMP], who[PEER_MAX];
	uint64_t now = clock_unix_ms() / 1000;
	bool today = since_unix <= now && now - since_unix < DAY;

	if (since_unix > UNIX_MAX)
		since_unix = UNIX_MAX;
	clock_stamp(stamp, since_unix * 1000);
	str_escape(who, sizeof(who), from, strlen(from));
	/* 2026-11-22T12:03:04.123Z */
	snprintf(out, DROP_TEXT_MAX, "open since %.*s%s%.5s UTC from %s", 10,
	    today ? "" : stamp, today ? "" : " ", stamp + 11, who);
}

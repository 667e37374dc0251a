#include "server/store/drop.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"

enum { DAY = 24 * 60 * 60 };

/* localtime_r() reads no file: the process has called tzset(). */
void
drop_in_use(char out[DROP_TEXT_MAX], uint64_t since_unix, const char *from)
{
	uint64_t now = clock_unix_ms() / 1000;
	bool today = since_unix <= now && now - since_unix < DAY;
	char when[32] = "?", who[PEER_MAX];
	time_t t = (time_t)since_unix;
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), today ? "%H:%M" : "%Y-%m-%d %H:%M",
		    &tm);
	str_escape(who, sizeof(who), from, strlen(from));
	snprintf(out, DROP_TEXT_MAX, "open since %s from %s", when, who);
}

#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"

enum { DAY = 24 * 60 * 60 };

static uint64_t
now_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t
clock_ms(void)
{
	return now_ms(CLOCK_MONOTONIC);
}

uint64_t
clock_unix_ms(void)
{
	return now_ms(CLOCK_REALTIME);
}

char *
clock_local(char out[CLOCK_LOCAL], uint64_t unix_seconds)
{
	uint64_t now = clock_unix_ms() / 1000;
	bool today = unix_seconds <= now && now - unix_seconds < DAY;
	time_t t = (time_t)unix_seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(
		out, CLOCK_LOCAL, today ? "%H:%M" : "%Y-%m-%d %H:%M", &tm) == 0)
		memcpy(out, "?", 2);
	return out;
}

char *
clock_date(char out[CLOCK_DATE], int64_t unix_seconds)
{
	time_t t = (time_t)unix_seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(out, CLOCK_DATE, _("%Y-%m-%d %H:%M"), &tm) == 0)
		memcpy(out, "?", 2);
	return out;
}

char *
clock_stamp(char out[CLOCK_STAMP], uint64_t unix_ms)
{
	/* Kept, as many lines are written within one second. */
	static _Thread_local char second[CLOCK_STAMP];
	static _Thread_local time_t of;
	time_t t = (time_t)(unix_ms / 1000);
	unsigned ms = (unsigned)(unix_ms % 1000);
	struct tm tm;

	if (second[0] == '\0' || t != of) {
		gmtime_r(&t, &tm);
		strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		of = t;
	}
	memcpy(out, second, CLOCK_STAMP);
	out[CLOCK_STAMP - 5] = (char)('0' + ms / 100);
	out[CLOCK_STAMP - 4] = (char)('0' + ms / 10 % 10);
	out[CLOCK_STAMP - 3] = (char)('0' + ms % 10);
	return out;
}

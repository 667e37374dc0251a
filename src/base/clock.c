#include "base/clock.h"

#include <stdio.h>
#include <time.h>

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
clock_stamp(char out[CLOCK_STAMP], uint64_t unix_ms)
{
	time_t t = (time_t)(unix_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(out, CLOCK_STAMP, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(
	    out + n, CLOCK_STAMP - n, ".%03uZ", (unsigned)(unix_ms % 1000));
	return out;
}

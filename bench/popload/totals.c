#include "totals.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct totals sum;

void
totals_init(unsigned long sessions)
{
	sum.took = calloc(sessions, sizeof(*sum.took));
	if (sum.took == NULL)
		err(2, "memory");
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
totals_report(uint64_t micros)
{
	unsigned long n = sum.finished;

	qsort(sum.took, n, sizeof(*sum.took), by_size);
	printf("sessions=%lu failed=%lu resumed=%lu seconds=%.6f octets=%llu "
	       "messages=%llu p50_us=%u p99_us=%u\n",
	    n, sum.failed, sum.resumed, (double)micros / 1e6,
	    (unsigned long long)sum.octets, (unsigned long long)sum.messages,
	    sum.took[n / 2], sum.took[n * 99 / 100]);
}

uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/*
 * later - for LD_PRELOAD: monotonic time is ahead by as many seconds as the
 * file says that LATER names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	const char *name = getenv("LATER");
	int r = (int)syscall(SYS_clock_gettime, clock, t);
	FILE *f = NULL;
	long ahead;

	if (clock == CLOCK_MONOTONIC && name != NULL)
		f = fopen(name, "re");
	if (f == NULL)
		return r;
	if (fscanf(f, "%ld", &ahead) == 1)
		t->tv_sec += ahead;
	fclose(f);
	return r;
}

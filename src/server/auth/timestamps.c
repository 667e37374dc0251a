#include "server/auth/timestamps.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOTS = 1 << 16,
	DUE = SLOTS / 4,
	FULL = SLOTS / 2, /* those who were greeted before it was due come */
	HALF = 16,        /* digits */
};

struct period {
	uint64_t half;
	unsigned n;
	uint64_t used[SLOTS]; /* digests, each where it or its like would be; 0:
	                       * none */
};

struct timestamps {
	struct period period[2];
	unsigned now; /* which one is */
};

struct timestamps *
timestamps_new(void)
{
	struct timestamps *t = calloc(1, sizeof(*t));

	if (t != NULL) {
		timestamps_turn(t);
		timestamps_turn(t);
	}
	return t;
}

void
timestamps_free(struct timestamps *t)
{
	free(t);
}

uint64_t
timestamps_half(const struct timestamps *t)
{
	return t->period[t->now].half;
}

void
timestamps_turn(struct timestamps *t)
{
	struct period *p = &t->period[t->now ^= 1];

	memset(p, 0, sizeof(*p));
	randombytes_buf(&p->half, sizeof(p->half));
}

bool
timestamps_is_due(const struct timestamps *t)
{
	return t->period[t->now].n >= DUE;
}

/* False: it is there already, or there is no room. */
static bool
add(struct period *p, const uint8_t digest[APOP_DIGEST])
{
	uint64_t key;
	size_t i;

	memcpy(&key, digest, sizeof(key));
	key += key == 0;
	for (i = key % SLOTS; p->used[i] != 0; i = (i + 1) % SLOTS)
		if (p->used[i] == key)
			return false;
	if (p->n == FULL)
		return false;
	p->used[i] = key;
	p->n++;
	return true;
}

bool
timestamps_use(struct timestamps *t, const char *timestamp,
    const uint8_t digest[APOP_DIGEST])
{
	char half[HALF + 2];

	for (unsigned i = 0; i < 2; i++) {
		snprintf(half, sizeof(half), "<%016" PRIx64, t->period[i].half);
		if (strncmp(timestamp, half, HALF + 1) == 0)
			return add(&t->period[i], digest);
	}
	return false;
}

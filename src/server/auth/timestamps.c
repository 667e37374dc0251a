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
	LIFE_MS = TIMESTAMPS_LIFE * 1000,
};

struct period {
	uint64_t half, since;
	unsigned n;
	uint64_t used[SLOTS]; /* digests, each where it or its like would be; 0:
	                       * none */
};

struct timestamps {
	struct period period[2];
	unsigned now; /* which one is */
};

struct timestamps *
timestamps_new(uint64_t now)
{
	struct timestamps *t = calloc(1, sizeof(*t));

	if (t != NULL) {
		timestamps_turn(t, now);
		timestamps_turn(t, now);
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
timestamps_turn(struct timestamps *t, uint64_t now)
{
	struct period *p = &t->period[t->now ^= 1];

	memset(p, 0, sizeof(*p));
	p->since = now;
	randombytes_buf(&p->half, sizeof(p->half));
}

bool
timestamps_is_due(const struct timestamps *t, uint64_t now)
{
	const struct period *p = &t->period[t->now];

	return p->n >= DUE || now - p->since >= LIFE_MS;
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
timestamps_use(struct timestamps *t, uint64_t now, const char *timestamp,
    const uint8_t digest[APOP_DIGEST])
{
	char half[HALF + 2];

	for (unsigned i = 0; i < 2; i++) {
		struct period *p = &t->period[i];

		snprintf(half, sizeof(half), "<%016" PRIx64, p->half);
		if (strncmp(timestamp, half, HALF + 1) == 0)
			return now - p->since < 2 * (uint64_t)LIFE_MS &&
			       add(p, digest);
	}
	return false;
}

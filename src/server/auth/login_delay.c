#include "server/auth/login_delay.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 64 * 1024, WAYS = 4 };

/* Times are of clock_ms(), all different; 0: none. */
struct entry {
	uint64_t who;                        /* 0: empty */
	uint64_t came[LOGIN_DELAY_BURST];    /* in this period */
	uint64_t spared[LOGIN_DELAY_SPARED]; /* the last ones */
	uint32_t seconds;                    /* that the period is long */
};

struct login_delays {
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct entry entry[SETS][WAYS];
};

struct login_delays *
login_delays_new(void)
{
	struct login_delays *d = calloc(1, sizeof(*d));

	if (d != NULL)
		randombytes_buf(d->key, sizeof(d->key));
	return d;
}

void
login_delays_free(struct login_delays *d)
{
	free(d);
}

uint64_t
login_delay_who(
    const struct login_delays *d, const char *user, const char *label)
{
	uint64_t both[2], who;

	crypto_shorthash(
	    (uint8_t *)&both[0], (const void *)user, strlen(user), d->key);
	crypto_shorthash(
	    (uint8_t *)&both[1], (const void *)label, strlen(label), d->key);
	crypto_shorthash(
	    (uint8_t *)&who, (const void *)both, sizeof(both), d->key);
	return who != 0 ? who : 1;
}

static const struct entry *
entry_find(const struct login_delays *d, uint64_t who)
{
	const struct entry *set = d->entry[who % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].who == who)
			return &set[i];
	return NULL;
}

static uint64_t
last_of(const struct entry *e)
{
	uint64_t last = 0;

	for (int i = 0; i < LOGIN_DELAY_BURST; i++)
		last = e->came[i] > last ? e->came[i] : last;
	for (int i = 0; i < LOGIN_DELAY_SPARED; i++)
		last = e->spared[i] > last ? e->spared[i] : last;
	return last;
}

/* Theirs, or the one that gives way to it. */
static struct entry *
entry_of(struct login_delays *d, uint64_t who)
{
	struct entry *set = d->entry[who % SETS], *oldest = set;
	const struct entry *found = entry_find(d, who);

	if (found != NULL)
		return set + (found - set);
	for (int i = 1; i < WAYS; i++)
		if (last_of(&set[i]) < last_of(oldest))
			oldest = &set[i];
	*oldest = (struct entry){ .who = who };
	return oldest;
}

/* Milliseconds until the period ends; 0: there is none. */
static uint64_t
left_of(const struct entry *e, uint32_t seconds, uint64_t now)
{
	uint64_t shorter = e->seconds < seconds ? e->seconds : seconds;
	uint64_t begun = 0;

	for (int i = 0; i < LOGIN_DELAY_BURST; i++)
		if (e->came[i] != 0 && (begun == 0 || e->came[i] < begun))
			begun = e->came[i];
	return begun != 0 && begun + shorter * 1000 > now
		   ? begun + shorter * 1000 - now
		   : 0;
}

/* Where a sign-in of that time is (0: where there is room for one); or NULL. */
static uint64_t *
place_of(struct entry *e, uint64_t came)
{
	for (int i = 0; i < LOGIN_DELAY_BURST; i++)
		if (e->came[i] == came)
			return &e->came[i];
	return NULL;
}

enum err
login_delay_count(struct login_delays *d, uint64_t who, uint32_t seconds,
    uint64_t now, struct login_mark *mark_r)
{
	struct entry *e = entry_of(d, who);
	uint64_t *room;

	if (left_of(e, seconds, now) == 0) {
		memset(e->came, 0, sizeof(e->came));
		e->seconds = seconds;
	}
	if ((room = place_of(e, 0)) == NULL)
		return E_AGAIN;
	if (e->seconds > seconds)
		e->seconds = seconds;
	while (place_of(e, now) != NULL)
		now++;
	*room = now;
	*mark_r = (struct login_mark){ who, now };
	return E_OK;
}

uint64_t
login_delay_left(
    const struct login_delays *d, uint64_t who, uint32_t seconds, uint64_t now)
{
	const struct entry *e = entry_find(d, who);

	for (int i = 0; e != NULL && i < LOGIN_DELAY_BURST; i++)
		if (e->came[i] == 0)
			return 0;
	return e != NULL ? left_of(e, seconds, now) : 0;
}

/* Where a sign-in counts; NULL: it does not. */
static uint64_t *
place_marked(struct login_delays *d, struct login_mark mark)
{
	return mark.who != 0 && entry_find(d, mark.who) != NULL
		   ? place_of(entry_of(d, mark.who), mark.at_ms)
		   : NULL;
}

void
login_delay_take_back(struct login_delays *d, struct login_mark mark)
{
	uint64_t *place = place_marked(d, mark);

	if (place != NULL)
		*place = 0;
}

void
login_delay_spare(struct login_delays *d, struct login_mark mark, uint64_t now)
{
	uint64_t *place = place_marked(d, mark);
	struct entry *e;
	size_t oldest = 0;

	if (place == NULL)
		return;
	e = entry_of(d, mark.who);
	for (size_t i = 1; i < LOGIN_DELAY_SPARED; i++)
		if (e->spared[i] < e->spared[oldest])
			oldest = i;
	if (e->spared[oldest] != 0 &&
	    now - e->spared[oldest] < LOGIN_DELAY_HOUR_MS)
		return;
	e->spared[oldest] = now;
	*place = 0;
}

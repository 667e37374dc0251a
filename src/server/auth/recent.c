#include "server/auth/recent.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 4096, WAYS = 4 };

struct entry {
	uint64_t who, secret; /* digests */
	uint64_t came_ms;     /* 0: empty */
	bool doubted;
};

struct recent {
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct entry entry[SETS][WAYS];
};

struct recent *
recent_new(void)
{
	struct recent *r = calloc(1, sizeof(*r));

	if (r != NULL)
		randombytes_buf(r->key, sizeof(r->key));
	return r;
}

void
recent_free(struct recent *r)
{
	if (r == NULL)
		return;
	explicit_bzero(r, sizeof(*r));
	free(r);
}

static uint64_t
digest(const struct recent *r, const void *data, size_t n)
{
	uint64_t v;

	crypto_shorthash((uint8_t *)&v, data, n, r->key);
	return v;
}

static uint64_t
digest_both(const struct recent *r, uint64_t a, uint64_t b)
{
	uint64_t both[2] = { a, b };

	return digest(r, both, sizeof(both));
}

uint64_t
recent_who(const struct recent *r, uint64_t origin, const char *user)
{
	return digest_both(r, origin, digest(r, user, strlen(user)));
}

/* Bound to who it is, so that equal passwords do not look alike. */
static uint64_t
digest_secret(const struct recent *r, uint64_t who, struct slice secret)
{
	return digest_both(r, who, digest(r, secret.p, secret.n));
}

/* NULL: not for so long. */
static const struct entry *
entry_find(
    const struct recent *r, uint64_t who, uint64_t now_ms, uint64_t span_ms)
{
	const struct entry *set = r->entry[who % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].who == who && set[i].came_ms != 0 &&
		    now_ms - set[i].came_ms < span_ms)
			return &set[i];
	return NULL;
}

/* The entry of who it is, or the one that gives way to it. */
static struct entry *
entry_of(struct recent *r, uint64_t who)
{
	struct entry *set = r->entry[who % SETS], *oldest = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].who == who)
			return &set[i];
		if (set[i].came_ms < oldest->came_ms)
			oldest = &set[i];
	}
	return oldest;
}

void
recent_add(struct recent *r, uint64_t who, struct slice secret, uint64_t now_ms)
{
	*entry_of(r, who) =
	    (struct entry){ who, digest_secret(r, who, secret), now_ms, false };
}

bool
recent_has(const struct recent *r, uint64_t who, uint64_t now_ms)
{
	const struct entry *e = entry_find(r, who, now_ms, RECENT_MS);

	return e != NULL && !e->doubted;
}

bool
recent_came(const struct recent *r, uint64_t who, uint64_t now_ms)
{
	return entry_find(r, who, now_ms, RECENT_CAME_MS) != NULL;
}

bool
recent_confirms(
    struct recent *r, uint64_t who, struct slice secret, uint64_t now_ms)
{
	const struct entry *e = entry_find(r, who, now_ms, RECENT_MS);

	if (e == NULL || e->doubted)
		return false;
	if (e->secret == digest_secret(r, who, secret))
		return true;
	recent_doubt(r, who);
	return false;
}

void
recent_doubt(struct recent *r, uint64_t who)
{
	struct entry *e = entry_of(r, who);

	if (e->who == who)
		e->doubted = true;
}

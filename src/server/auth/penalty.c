#include "server/auth/penalty.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 1024, WAYS = 4, TRIED = 4 };

static const uint32_t hold_ms[] = { 1000, 2000, 4000, 8000, PENALTY_MAX_MS };

enum { LEVELS = sizeof(hold_ms) / sizeof(hold_ms[0]) };

struct entry {
	uint64_t address; /* a keyed digest, as is what was tried */
	uint64_t tried[TRIED];
	uint64_t last_ms;
	uint64_t paid_ms;  /* when all has been paid */
	unsigned failures; /* 0: empty; at most LEVELS */
	unsigned next;     /* of tried */
};

struct penalty {
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct entry entry[SETS][WAYS];
};

struct penalty *
penalty_new(void)
{
	struct penalty *p = calloc(1, sizeof(*p));

	if (p != NULL)
		randombytes_buf(p->key, sizeof(p->key));
	return p;
}

void
penalty_free(struct penalty *p)
{
	free(p);
}

static uint64_t
digest(const struct penalty *p, const void *data, size_t n)
{
	uint64_t v;

	crypto_shorthash((uint8_t *)&v, data, n, p->key);
	return v;
}

/* An IPv4 address in IPv6's clothes is itself; a scope behind a % does not
 * matter; what is no address counts as it stands. */
uint64_t
penalty_origin(const struct penalty *p, const char *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t n = strcspn(address, "%");
	char text[INET6_ADDRSTRLEN];
	uint8_t a[16];

	if (n >= sizeof(text))
		return digest(p, address, strlen(address));
	memcpy(text, address, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, a) == 1)
		return digest(p, a, 4);
	if (inet_pton(AF_INET6, text, a) != 1)
		return digest(p, address, strlen(address));
	if (memcmp(a, mapped, sizeof(mapped)) == 0)
		return digest(p, a + 12, 4);
	return digest(p, a, 8);
}

static uint64_t
digest_tried(const struct penalty *p, const char *user, struct slice secret)
{
	uint64_t both[2] = { digest(p, user, strlen(user)),
		digest(p, secret.p, secret.n) };

	return digest(p, both, sizeof(both));
}

static const struct entry *
entry_find(const struct penalty *p, uint64_t address)
{
	const struct entry *set = p->entry[address % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].failures != 0 && set[i].address == address)
			return &set[i];
	return NULL;
}

/* The entry of an address, or the one that gives way to it. */
static struct entry *
entry_of(struct penalty *p, uint64_t address)
{
	struct entry *set = p->entry[address % SETS], *oldest = set;
	const struct entry *found = entry_find(p, address);

	if (found != NULL)
		return set + (found - set);
	for (int i = 1; i < WAYS; i++)
		if (set[i].last_ms < oldest->last_ms)
			oldest = &set[i];
	*oldest = (struct entry){ .address = address };
	return oldest;
}

static bool
was_tried(const struct entry *e, uint64_t tried)
{
	for (int i = 0; i < TRIED; i++)
		if (e->tried[i] == tried)
			return true;
	return false;
}

/* Quiet minutes are taken back. */
static void
decay(struct entry *e, uint64_t now_ms)
{
	uint64_t quiet = (now_ms - e->last_ms) / PENALTY_DECAY_MS;

	if (quiet < e->failures) {
		e->failures -= (unsigned)quiet;
		e->last_ms += quiet * PENALTY_DECAY_MS;
	} else {
		e->failures = 0;
	}
}

static uint32_t
charge(struct entry *e, bool more, uint64_t now_ms)
{
	uint32_t ms;

	if (more || e->failures == 0) {
		e->failures += e->failures < LEVELS;
		e->last_ms = now_ms;
	}
	ms = hold_ms[e->failures - 1];
	e->paid_ms = now_ms + ms;
	return ms;
}

uint32_t
penalty_raise(struct penalty *p, uint64_t origin, const char *user,
    struct slice secret, uint64_t now_ms)
{
	struct entry *e = entry_of(p, origin);
	uint64_t tried = digest_tried(p, user, secret);
	bool again = was_tried(e, tried);

	decay(e, now_ms);
	if (!again)
		e->tried[e->next++ % TRIED] = tried;
	return charge(e, !again, now_ms);
}

uint32_t
penalty_load(struct penalty *p, uint64_t origin, uint64_t now_ms)
{
	struct entry *e = entry_of(p, origin);

	decay(e, now_ms);
	return charge(e, true, now_ms);
}

uint32_t
penalty_due(const struct penalty *p, uint64_t origin, uint64_t now_ms)
{
	const struct entry *e = entry_find(p, origin);

	return e != NULL && e->paid_ms > now_ms
		   ? (uint32_t)(e->paid_ms - now_ms)
		   : 0;
}

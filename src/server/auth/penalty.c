#include "server/auth/penalty.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "net/cidr.h"

enum { SETS = 1024, WAYS = 4, TRIED = 4, LEVELS = 5 };

/* How long who has failed so often is held; after the last it stays. */
static const uint32_t of_place[LEVELS] = { 1000, 2000, 4000, 8000,
	PENALTY_MAX_MS };
static const uint32_t of_user[LEVELS] = { 500, 1000, PENALTY_USER_MAX_MS,
	PENALTY_USER_MAX_MS, PENALTY_USER_MAX_MS };

struct entry {
	uint64_t whose; /* a keyed digest, as is what was tried */
	uint64_t tried[TRIED];
	uint64_t last_ms;
	uint64_t paid_ms;  /* when all has been paid */
	unsigned failures; /* 0: empty; at most LEVELS */
	unsigned next;     /* of tried */
};

struct table {
	const uint32_t *hold_ms;
	struct entry entry[SETS][WAYS];
};

struct penalty {
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct table address, network, user;
};

struct penalty *
penalty_new(void)
{
	struct penalty *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	randombytes_buf(p->key, sizeof(p->key));
	p->address.hold_ms = p->network.hold_ms = of_place;
	p->user.hold_ms = of_user;
	return p;
}

void
penalty_free(struct penalty *p)
{
	free(p);
}

/* ---- who it is ---- */

static uint64_t
digest(const struct penalty *p, const void *data, size_t n)
{
	uint64_t v;

	crypto_shorthash((uint8_t *)&v, data, n, p->key);
	return v;
}

static uint64_t
digest_both(const struct penalty *p, uint64_t a, uint64_t b)
{
	uint64_t both[2] = { a, b };

	return digest(p, both, sizeof(both));
}

/* What is no address counts as it stands. */
struct suspect
penalty_suspect(const struct penalty *p, const char *address, const char *user)
{
	struct suspect who = { .network = 0 };
	uint64_t network;
	uint8_t a[16];

	if (!cidr_address(a, address)) {
		who.address = network = digest(p, address, strlen(address));
	} else if (cidr_is_ipv4(a)) {
		who.address = digest(p, a, 16);
		network = digest(p, a, 15);
	} else {
		who.address = digest(p, a, 8);
		network = digest(p, a, 6);
	}
	if (user[0] != '\0') {
		who.user = digest(p, user, strlen(user));
		who.network = digest_both(p, network, who.user);
	}
	return who;
}

/* ---- a table ---- */

static const struct entry *
entry_find(const struct table *t, uint64_t whose)
{
	const struct entry *set = t->entry[whose % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].failures != 0 && set[i].whose == whose)
			return &set[i];
	return NULL;
}

/* Theirs, or the one that gives way to it. */
static struct entry *
entry_of(struct table *t, uint64_t whose)
{
	struct entry *set = t->entry[whose % SETS], *oldest = set;
	const struct entry *found = entry_find(t, whose);

	if (found != NULL)
		return set + (found - set);
	for (int i = 1; i < WAYS; i++)
		if (set[i].last_ms < oldest->last_ms)
			oldest = &set[i];
	*oldest = (struct entry){ .whose = whose };
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
charge(struct table *t, struct entry *e, bool more, uint64_t now_ms)
{
	uint32_t ms;

	if (more || e->failures == 0) {
		e->failures += e->failures < LEVELS;
		e->last_ms = now_ms;
	}
	ms = t->hold_ms[e->failures - 1];
	e->paid_ms = now_ms + ms;
	return ms;
}

static uint32_t
raise_in(struct table *t, uint64_t whose, uint64_t tried, uint64_t now_ms)
{
	struct entry *e = entry_of(t, whose);
	bool again = was_tried(e, tried);

	decay(e, now_ms);
	if (!again)
		e->tried[e->next++ % TRIED] = tried;
	return charge(t, e, !again, now_ms);
}

static uint32_t
due_in(const struct table *t, uint64_t whose, uint64_t now_ms)
{
	const struct entry *e = entry_find(t, whose);

	return e != NULL && e->paid_ms > now_ms
		   ? (uint32_t)(e->paid_ms - now_ms)
		   : 0;
}

/* ---- all of them ---- */

static uint32_t
more_of(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

uint32_t
penalty_wait(struct penalty_ms ms, bool spared)
{
	return spared ? ms.address : more_of(ms.address, ms.user);
}

struct penalty_ms
penalty_raise(struct penalty *p, const struct suspect *who, struct slice secret,
    uint64_t now_ms)
{
	uint64_t tried =
	    digest_both(p, who->user, digest(p, secret.p, secret.n));
	struct penalty_ms ms = { .user = 0 };

	ms.address = raise_in(&p->address, who->address, tried, now_ms);
	if (who->user != 0)
		ms.user =
		    more_of(raise_in(&p->network, who->network, tried, now_ms),
			raise_in(&p->user, who->user, tried, now_ms));
	return ms;
}

struct penalty_ms
penalty_load(struct penalty *p, const struct suspect *who, uint64_t now_ms)
{
	struct entry *e = entry_of(&p->address, who->address);

	decay(e, now_ms);
	return (struct penalty_ms){ charge(&p->address, e, true, now_ms), 0 };
}

bool
penalty_has_failed(
    const struct penalty *p, const struct suspect *who, uint64_t now_ms)
{
	const struct entry *e = entry_find(&p->address, who->address);

	return e != NULL &&
	       (now_ms - e->last_ms) / PENALTY_DECAY_MS < e->failures;
}

struct penalty_ms
penalty_due(const struct penalty *p, const struct suspect *who, uint64_t now_ms)
{
	struct penalty_ms ms = { due_in(&p->address, who->address, now_ms), 0 };

	if (who->user != 0)
		ms.user = more_of(due_in(&p->network, who->network, now_ms),
		    due_in(&p->user, who->user, now_ms));
	return ms;
}

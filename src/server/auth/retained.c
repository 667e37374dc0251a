#include "server/auth/retained.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/log.h"
#include "server/auth/databases.h"
#include "server/users/account.h"

static const uint64_t SEVERAL = 1; /* users have the maildrop of a slot */

/* What its line and the settings say. */
static uint32_t
asked_for(const struct auth *a, const struct user *u)
{
	if (u->permits.read_only)
		return RETENTION_NEVER;
	if (u->retention != RETENTION_UNSET)
		return u->retention;
	return user_is_of_row(u) ? RETENTION_NEVER : a->conf.retention;
}

static bool
is_any_asked_for(const struct auth *a)
{
	const struct user *u;
	size_t at = 0;

	if (a->terms.retention != RETENTION_NEVER)
		return true;
	while ((u = users_next(a->userfile.users, &at)) != NULL)
		if (asked_for(a, u) != RETENTION_NEVER)
			return true;
	return false;
}

/* ---- maildrops that several have ---- */

/* Of its path, which is written in one way only.  The last bit is free, and it is
 * never 0. */
static uint64_t
digest_of(const struct account *at)
{
	return (XXH3_64bits(at->mail, strlen(at->mail)) & ~SEVERAL) | 2;
}

static bool
find_account(const struct auth *a, const struct user *u, struct account *at)
{
	struct errbuf eb;
	const char *why;

	return u->host[0] == '\0' &&
	       account_find(at, &a->conf, u, &why, &eb) == E_OK;
}

/* Where the maildrop is in the table, or is to be. */
static uint64_t *
slot_of(const struct retained *r, uint64_t digest)
{
	size_t i = (digest >> 2) & (r->n_slots - 1);

	while (r->slot[i] != 0 && (r->slot[i] & ~SEVERAL) != digest)
		i = (i + 1) & (r->n_slots - 1);
	return &r->slot[i];
}

static enum err
find_shared(struct auth *a)
{
	const struct users *users = a->userfile.users;
	struct retained *r = &a->retained;
	const struct user *u;
	struct account where;
	size_t at = 0;

	for (r->n_slots = 64; r->n_slots < 2 * users_count(users);)
		r->n_slots *= 2;
	if ((r->slot = calloc(r->n_slots, sizeof(*r->slot))) == NULL)
		return E_NOMEM;
	while ((u = users_next(users, &at)) != NULL)
		if (find_account(a, u, &where)) {
			uint64_t digest = digest_of(&where);
			uint64_t *slot = slot_of(r, digest);

			*slot = digest | (*slot != 0 ? SEVERAL : 0);
		}
	return E_OK;
}

/* ---- all of them ---- */

bool
retained_is_shared(
    const struct auth *a, const struct user *u, const struct account *at)
{
	uint64_t slot;

	/* Where nobody asks for anything there is no table. */
	if (a->retained.slot == NULL)
		return false;
	slot = *slot_of(&a->retained, digest_of(at));
	return user_is_of_row(u) ? slot != 0 : (slot & SEVERAL) != 0;
}

uint32_t
retained_of(
    const struct auth *a, const struct user *u, const struct account *at)
{
	return a->retained.slot == NULL || retained_is_shared(a, u, at)
		   ? RETENTION_NEVER
		   : asked_for(a, u);
}

static void
count_in(struct retained *r, uint32_t one, bool first)
{
	if (first) {
		r->all.least = one;
	} else if (one != r->all.least) {
		r->all.differs = true;
		if (retention_is_less(one, r->all.least))
			r->all.least = one;
	}
	if (retention_is_days(one) && retention_is_less(one, r->least_days))
		r->least_days = one;
}

static void
find_least(struct auth *a)
{
	const struct user *u;
	struct account where;
	bool first = true;
	size_t at = 0;

	while ((u = users_next(a->userfile.users, &at)) != NULL)
		if (find_account(a, u, &where)) {
			count_in(
			    &a->retained, retained_of(a, u, &where), first);
			first = false;
		}
}

/* Whose row was not seen may differ from all whose was. */
static void
count_rows(struct auth *a)
{
	struct announced *all = &a->retained.all;

	if (retention_is_less(a->terms.retention, all->least))
		all->least = a->terms.retention;
	if (databases_any(a) && all->least != RETENTION_NEVER)
		all->differs = true;
}

void
retained_follow(struct auth *a)
{
	struct retained *r = &a->retained;

	if (a->userfile.users == NULL ||
	    (r->generation == a->userfile.generation &&
		r->terms == a->terms.changes))
		return;
	free(r->slot);
	*r = (struct retained){ .generation = a->userfile.generation,
		.terms = a->terms.changes };
	if (!is_any_asked_for(a))
		return;
	if (find_shared(a) != E_OK) {
		/* Nothing goes while there is none. */
		log_line(LOG_FAULT, "ev=expire error=\"out of memory\"");
		return;
	}
	find_least(a);
	count_rows(a);
}

/*
 * retained.h - how long whose mail stays on the server (EXPIRE), as the users
 * are now.
 *
 * Mail never goes by itself for those whose line says malote_read_only, and from
 * a maildrop that several users have, as it could not be told to all of them.
 * Nobody can see whether several rows of a database have one: for users there only
 * the row itself can ask, and what it asks is announced from then on.
 */
#ifndef SERVER_AUTH_RETAINED_H
#define SERVER_AUTH_RETAINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pop3/retention.h"

struct account;
struct auth;
struct user;

/* What is said of all users. */
struct announced {
	uint32_t least; /* RETENTION_ of any */
	bool differs;   /* somebody's is longer */
};

struct retained {
	uint64_t generation; /* of the users that the rest is true of, and */
	uint32_t terms;      /* auth->terms.changes then */
	struct announced all;
	uint32_t least_days; /* of those that are days; RETENTION_NEVER: none */
	uint64_t *slot; /* a table of all maildrops; NULL: nothing expires */
	size_t n_slots;
};

/* Brings a->retained up to date: at no cost, unless the users were read since
 * the last time, or a row of a database has asked for what none had. */
void retained_follow(struct auth *a);

/* RETENTION_ of the mail of a user that is there; after retained_follow(). */
uint32_t retained_of(
    const struct auth *a, const struct user *u, const struct account *at);

/* Does nothing go from there because several users have it?  After the same. */
bool retained_is_shared(
    const struct auth *a, const struct user *u, const struct account *at);

#endif

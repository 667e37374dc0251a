/*
 * vcache.h - passwords that were verified lately, so that the next sign-in of
 * a mail program costs microseconds.
 *
 * What it remembers is one fact: that password fits that line of that database.
 * What else a sign-in depends on (from where, inside TLS, for whom, when) is
 * judged each time anew, and never comes from here.
 *
 * It holds keyed digests (BLAKE2b, a random key of this process) over all parts of
 * a key: an entry is of no use once the line has changed.  Bounded; the oldest of
 * a set of entries gives way.
 */
#ifndef SERVER_AUTH_VCACHE_H
#define SERVER_AUTH_VCACHE_H

#include <stdbool.h>
#include <stdint.h>

enum { VCACHE_LIFE_MS = 60 * 60 * 1000 };

struct vcache;

struct vcache *vcache_new(void); /* NULL: memory */
void vcache_free(struct vcache *c);

struct vcache_key {
	const char *database, *service; /* where the user is known; for what */
	const char *user;               /* by the rule for names */
	const char *stored;             /* see scheme.h */
	uint64_t row;                   /* of struct user: all of its line */
	const char *password;
};

bool vcache_has(
    const struct vcache *c, const struct vcache_key *key, uint64_t now_ms);
/* The life of an entry begins here and is not prolonged by vcache_has(). */
void vcache_add(
    struct vcache *c, const struct vcache_key *key, uint64_t now_ms);
void vcache_clear(struct vcache *c);

#endif

/*
 * vcache.h - passwords that were verified lately, so that the next sign-in of
 * a mail program costs microseconds.
 *
 * It holds keyed digests (BLAKE2b, a random key of this process) over user,
 * stored hash and password: an entry is of no use once the stored hash has
 * changed.  Bounded; the oldest of a set of entries gives way.
 */
#ifndef SERVER_AUTH_VCACHE_H
#define SERVER_AUTH_VCACHE_H

#include <stdbool.h>
#include <stdint.h>

enum { VCACHE_LIFE_MS = 60 * 60 * 1000 };

struct vcache;

struct vcache *vcache_new(void); /* NULL: memory */
void vcache_free(struct vcache *c);

bool vcache_has(const struct vcache *c, const char *user, const char *stored,
    const char *password, uint64_t now_ms);
/* The life of an entry begins here and is not prolonged by vcache_has(). */
void vcache_add(struct vcache *c, const char *user, const char *stored,
    const char *password, uint64_t now_ms);

#endif

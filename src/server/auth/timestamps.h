/*
 * timestamps.h - APOP's timestamps: half of each is auth's, and it opens once.
 *
 * A worker puts the timestamp into its greeting before anybody asks auth.  Were
 * all of it the worker's, who has broken in there could have a digest that went
 * through it be verified again and again.  So its first half is a number that
 * auth has given to all workers, and changes; while it is good, the digests
 * that were right are remembered.
 */
#ifndef SERVER_AUTH_TIMESTAMPS_H
#define SERVER_AUTH_TIMESTAMPS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/users/scheme.h"

/* Seconds until the half is changed; the one before it is good for as long. */
enum { TIMESTAMPS_LIFE = 3600 };

struct timestamps;

struct timestamps *timestamps_new(void); /* NULL: memory */
void timestamps_free(struct timestamps *t);

/* The first half of a timestamp, as it is now. */
uint64_t timestamps_half(const struct timestamps *t);

/* Puts a new half in its place.  It is due after TIMESTAMPS_LIFE, or when so
 * many digests are remembered. */
void timestamps_turn(struct timestamps *t);
bool timestamps_is_due(const struct timestamps *t);

/* For a digest that is right.  False: the half is not ours, or too old; or the
 * digest was used before. */
bool timestamps_use(struct timestamps *t, const char *timestamp,
    const uint8_t digest[APOP_DIGEST]);

#endif

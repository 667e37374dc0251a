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

/* Seconds until the half is to be changed.  It is good for twice as long, for
 * those who were greeted with it late, unless two are put in its place. */
enum { TIMESTAMPS_LIFE = 3600 };

struct timestamps;

/* now: clock_ms(), here and below.  NULL: memory. */
struct timestamps *timestamps_new(uint64_t now);
void timestamps_free(struct timestamps *t);

/* The first half of a timestamp, as it is now. */
uint64_t timestamps_half(const struct timestamps *t);

/* Puts a new half in its place.  It is due after TIMESTAMPS_LIFE, or when so
 * many digests are remembered. */
void timestamps_turn(struct timestamps *t, uint64_t now);
bool timestamps_is_due(const struct timestamps *t, uint64_t now);

/* For a digest that is right.  False: the half is not ours, or too old; or the
 * digest was used before. */
bool timestamps_use(struct timestamps *t, uint64_t now, const char *timestamp,
    const uint8_t digest[APOP_DIGEST]);

#endif

/*
 * penalty.h - who failed to sign in how often, and how long they wait.
 *
 * Counted by address, an IPv6 one by its /64.  Each failure raises the count,
 * but not one with a user and password that failed from there lately: that
 * is a mail program with an old password, not somebody who guesses.  A
 * quiet minute takes one failure back.  The table is bounded; in a set of it
 * the address that failed longest ago gives way.
 *
 * A failure costs time: its answer is held so long, and for so long nothing
 * else that comes from there is looked at.  So it is paid also by who does not
 * wait for the answer, and whoever has waited for it has paid.
 */
#ifndef SERVER_AUTH_PENALTY_H
#define SERVER_AUTH_PENALTY_H

#include <stdint.h>

#include "base/str.h"

enum { PENALTY_DECAY_MS = 60 * 1000, PENALTY_MAX_MS = 15 * 1000 };

struct penalty;

struct penalty *penalty_new(void); /* NULL: memory */
void penalty_free(struct penalty *p);

/* What counts as one address, as a number.  It tells nothing without p. */
uint64_t penalty_origin(const struct penalty *p, const char *address);

/* A failure.  Returns how many milliseconds its answer should be held: 1, 2,
 * 4, 8, then 15 s. */
uint32_t penalty_raise(struct penalty *p, uint64_t origin, const char *user,
    struct slice secret, uint64_t now_ms);

/* There was no room to look at what came from there: no failure of any user,
 * but the address counts like one that fails.  Returns the same. */
uint32_t penalty_load(struct penalty *p, uint64_t origin, uint64_t now_ms);

/* How many milliseconds are not paid yet; 0 for most. */
uint32_t penalty_due(const struct penalty *p, uint64_t origin, uint64_t now_ms);

#endif

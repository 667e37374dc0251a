/*
 * penalty.h - who failed to sign in how often, and how long they wait.
 *
 * Counted by address, an IPv6 one by its /64.  Each failure raises the count,
 * but not one with a user and password that failed from there lately: that
 * is a mail program with an old password, not somebody who guesses.  A
 * quiet minute takes one failure back.  The table is bounded; in a set of it
 * the address that failed longest ago gives way.
 */
#ifndef SERVER_AUTH_PENALTY_H
#define SERVER_AUTH_PENALTY_H

#include <stdint.h>

#include "base/str.h"

enum { PENALTY_DECAY_MS = 60 * 1000, PENALTY_MAX_MS = 15 * 1000 };

struct penalty;

struct penalty *penalty_new(void); /* NULL: memory */
void penalty_free(struct penalty *p);

/* A failure.  Returns how many milliseconds its answer should be held: 1, 2,
 * 4, 8, then 15 s. */
uint32_t penalty_raise(struct penalty *p, const char *address, const char *user,
    struct slice secret, uint64_t now_ms);

#endif

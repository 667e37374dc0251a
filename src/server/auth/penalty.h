/*
 * penalty.h - who failed to sign in how often, and how long they wait.
 *
 * A failure is counted for the address that it came from, an IPv6 one by its
 * /64; for the user together with the network (IPv4 by /24, IPv6 by /48), so
 * that who has many addresses of one network gains nothing; and for the user
 * wherever it came from, who is held up little by that, as they may not be the
 * one who fails.  Each raises its count, but not one with a user and password
 * that failed there lately: that is a mail program with an old password, not
 * somebody who guesses.  A quiet minute takes one failure back.  Each of the
 * three tables is bounded; in a set of it the one who failed longest ago gives
 * way.
 *
 * A failure costs time: its answer is held so long, and for so long nothing
 * else of the same is looked at.  So it is paid also by who does not wait for
 * the answer, and whoever has waited for it has paid.
 */
#ifndef SERVER_AUTH_PENALTY_H
#define SERVER_AUTH_PENALTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	PENALTY_DECAY_MS = 60 * 1000,
	PENALTY_MAX_MS = 15 * 1000,
	PENALTY_USER_MAX_MS = 2 * 1000, /* of a user, over all networks */
};

struct penalty;

/* Whom a failure is counted for: numbers that tell nothing without their
 * penalty.  network, user: 0 if nobody was named. */
struct suspect {
	uint64_t address, network, user;
};

struct penalty *penalty_new(void); /* NULL: memory */
void penalty_free(struct penalty *p);

/* user: by the rule for names, or "" if nobody is named. */
struct suspect penalty_suspect(
    const struct penalty *p, const char *address, const char *user);

/* How many milliseconds something lasts for the address, and for the user (the
 * network's or, if that is more, everywhere's). */
struct penalty_ms {
	uint32_t address, user;
};

/* The longer of the two.  spared: the user signed in from there before, so what
 * others do with the name elsewhere is not felt. */
uint32_t penalty_wait(struct penalty_ms ms, bool spared);

/* A failure.  Returns how long its answer should be held: for the address and
 * the network 1, 2, 4, 8, then 15 s, for the user 0.5, 1, then 2 s. */
struct penalty_ms penalty_raise(struct penalty *p, const struct suspect *who,
    struct slice secret, uint64_t now_ms);

/* There was no room to look at what came from there: no failure of any user,
 * but the address counts like one that fails.  Returns the same. */
struct penalty_ms penalty_load(
    struct penalty *p, const struct suspect *who, uint64_t now_ms);

/* Is a failure of the address not taken back yet? */
bool penalty_has_failed(
    const struct penalty *p, const struct suspect *who, uint64_t now_ms);

/* How much is not paid yet; 0 for most. */
struct penalty_ms penalty_due(
    const struct penalty *p, const struct suspect *who, uint64_t now_ms);

#endif

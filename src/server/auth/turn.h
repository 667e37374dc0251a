/*
 * turn.h - when a sign-in is verified: not before what failures of its address, and
 * of its user, have cost is waited for; and of an address from where somebody has
 * failed, one at a time.  So many connections of one client bring no more guesses
 * than one does: each failure is waited for by all others.
 *
 * A user who signed in from there lately neither waits nor is waited for.  Of the
 * others the one who came last is next, so that connections which only stand there
 * keep nobody out.
 */
#ifndef SERVER_AUTH_TURN_H
#define SERVER_AUTH_TURN_H

#include "server/auth/signin_state.h"

struct turns *turns_new(void); /* NULL: memory */

/* then() is called when it is s's turn, which lasts until turn_end(). */
void turn_await(struct signin *s, void (*then)(struct signin *s));

/* It is verified, or waits for its client: another one's turn.  No-op without a
 * turn. */
void turn_end(struct signin *s);

/* It has not failed yet, and is verified for longer.  Others have waited until it
 * was known whether the users file is current: where nobody has failed they go on. */
void turn_goes_on(struct signin *s);

/* One of that address has failed.  Those that wait for a hashing thread, or for
 * somebody else who verifies passwords, as they came before, wait for a turn
 * instead: their s->then() is called then. */
void turn_failed(struct signin *s);

/* It is going to: what it still waits for only takes time. */
void turn_fails(struct signin *s);

/* ---- what others who wait need, too ---- */

void signin_wait(struct signin *s, enum signin_state state, uint32_t ms,
    void (*then)(struct ev_loop *loop, ev_timer *t, int revents));

/* How long it waits, by who it is and where it comes from. */
uint32_t signin_waits(
    const struct signin *s, struct penalty_ms ms, uint64_t now_ms);

/* What was tried: for who counts failures. */
struct slice signin_tried(const struct signin *s);

#endif

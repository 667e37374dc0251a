/*
 * login_delay.h - who signed in lately, for LOGIN-DELAY (RFC 2449 s6.5).
 *
 * The first sign-in that counts begins a period, in which LOGIN_DELAY_BURST of
 * them are let in: some programs collect mail in two sessions, and two programs
 * of one user that both keep the delay never meet a refusal.  The period is as
 * long as was announced to who is in it, or shorter if the delay is less by
 * now.
 *
 * A sign-in that did not come about is taken back.  One whose session was in
 * vain, which auth has from a worker, is spared LOGIN_DELAY_SPARED times an
 * hour: more gains nobody who has broken into a worker.
 *
 * The table is bounded; in a set of it the one who came longest ago gives way,
 * and is let in too early.  It takes no memory before it is used, and is
 * forgotten when auth ends.
 */
#ifndef SERVER_AUTH_LOGIN_DELAY_H
#define SERVER_AUTH_LOGIN_DELAY_H

#include "server/ipc/login_mark.h"

enum {
	LOGIN_DELAY_BURST = 2,
	LOGIN_DELAY_SPARED = 3,
	LOGIN_DELAY_HOUR_MS = 3600 * 1000,
};

struct login_delays;

struct login_delays *login_delays_new(void); /* NULL: memory */
void login_delays_free(struct login_delays *d);

/* A user's program, as a number that is not 0.  user: by the rule for names;
 * label: of the app password that it has, or "". */
uint64_t login_delay_who(
    const struct login_delays *d, const char *user, const char *label);

/* E_OK: it counts from now on, as *mark_r.  E_AGAIN: it is too early.
 * seconds: the delay of this user, not 0; now: clock_ms(), here and below. */
enum err login_delay_count(struct login_delays *d, uint64_t who,
    uint32_t seconds, uint64_t now, struct login_mark *mark_r) NODISCARD;

/* Milliseconds until one is let in. */
uint64_t login_delay_left(
    const struct login_delays *d, uint64_t who, uint32_t seconds, uint64_t now);

/* A sign-in counts no more; nothing happens if it does not. */
void login_delay_take_back(struct login_delays *d, struct login_mark mark);
void login_delay_spare(
    struct login_delays *d, struct login_mark mark, uint64_t now);

#endif

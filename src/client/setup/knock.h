/*
 * knock.h - which of some servers is one of POP3, with TLS: all are tried at the
 * same time.  Nobody signs in, and no name of a person is sent.
 */
#ifndef CLIENT_SETUP_KNOCK_H
#define CLIENT_SETUP_KNOCK_H

#include <stddef.h>

#include "base/err.h"
#include "client/setup/offer.h"

struct dialer;
struct ev_loop;
struct knocks;

enum { KNOCKS_MAX = 16 };

enum knock_answer {
	KNOCK_NOTHING,    /* or no POP3 */
	KNOCK_UNVERIFIED, /* TLS, with a certificate that does not pass */
	KNOCK_POP3,
};

/* Called once from the loop, and not after knocks_free().  The best of them: of
 * those whose certificate passes, the first one; else the first of the others;
 * else NULL. */
typedef void knocks_done(
    void *arg, enum knock_answer a, const struct offer *best);

/* Takes at most 8 seconds, and one more after the first answer.  Up to
 * KNOCKS_MAX offers, copied.  NULL: memory. */
struct knocks *knocks_start(struct ev_loop *loop, struct dialer *dialer,
    const struct offer *v, size_t n, knocks_done *done, void *arg) NODISCARD;
void knocks_free(struct knocks *k); /* NULL is a no-op */

#endif

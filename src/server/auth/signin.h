/*
 * signin.h - how a sign-in begins.  It is one of signin_begin() (refuse.h), and
 * on its way to IPC_OPEN, IPC_SIGNED_IN or IPC_REFUSED it is in one of the states
 *
 *	SASL      a mechanism waits for the client's next message
 *	ASKED     somebody else looks at a message
 *	DELAYED   failures that came from the same address are being paid for
 *	CHECKING  the parent is asked whether the users file is current: when
 *	          it looks changed, and once before credentials are refused
 *	LOOKING   databases are asked
 *	HASHING   on the hash pool
 *	PLACING   a store for the user's uid is being started
 *	HELD      a refusal waits until its penalty is over; or, if it is
 *	          for LOGIN-DELAY, is looked at once more
 *
 * The functions that begin one answer through auth_worker_refuse() and the
 * like, perhaps before they return; auth_worker_signed_in() is called when it
 * is over.
 */
#ifndef SERVER_AUTH_SIGNIN_H
#define SERVER_AUTH_SIGNIN_H

#include "server/auth/exchange.h"

void signin_pass(struct signin *s, struct slice name, struct slice password);
void signin_apop(struct signin *s, struct slice name, struct slice timestamp,
    const uint8_t digest[APOP_DIGEST]);
/* initial: NULL if there is none. */
void signin_sasl(struct signin *s, struct slice mechanism,
    const struct connection *c, const struct slice *initial);
/* For another program's client, of whose connection nothing is known: only a
 * mechanism that needs nothing of it, and somebody in particular.  service: of
 * the settings. */
void signin_service(struct signin *s, const char *service,
    struct slice mechanism, const struct slice *initial);
void signin_kpop(struct signin *s, struct slice ap_req);
/* The client's next message; E_FORMAT if none is expected. */
enum err signin_step(struct signin *s, struct slice response) NODISCARD;

#endif

/*
 * kerberos.h - signing in by the ticket of the person: GSSAPI, KPOP.
 *
 * The first message is made before the server is called: without a ticket it
 * is not troubled, and it does not wait while the KDC is asked.
 */
#ifndef CLIENT_SESSION_KERBEROS_H
#define CLIENT_SESSION_KERBEROS_H

#include "client/session/core.h"

/* Has the first message made, then dials. */
void kerberos_begin(struct visit *v);
void kerberos_free(struct visit *v);
/* Nothing was signed in by a ticket, or the server has proved itself. */
bool kerberos_is_proven(const struct visit *v);

/* AUTH GSSAPI, and what the server says then. */
void kerberos_auth(struct visit *v);
void kerberos_challenged(struct visit *v, const struct pop3_event *ev);

/* STEP_KPOP: from the first octet to the greeting. */
void kpop_enter(struct visit *v);
/* Octets have come in it. */
void kpop_came(struct visit *v);

#endif

/*
 * ticket.h - a sign-in by a ticket of Kerberos: GSSAPI, and KPOP.
 *
 * What the client shows goes to the process that has the keys, which says what
 * to answer and in the end whose ticket it is.  Which user that is, and whether
 * they may sign in, is decided here, as for a certificate.
 */
#ifndef SERVER_AUTH_TICKET_H
#define SERVER_AUTH_TICKET_H

#include "server/auth/signin_state.h"

/* A message of GSSAPI, the first or another. */
void ticket_step(struct signin *s, struct slice message);

/* KPOP's AP-REQ; then, in the state SASL, the name of USER: see
 * ticket_awaits_name(). */
void ticket_ap_req(struct signin *s, struct slice message);
bool ticket_awaits_name(const struct signin *s);
void ticket_name(struct signin *s, struct slice name);

#endif

/*
 * token.h - a sign-in by a token of OAuth: OAUTHBEARER, and XOAUTH2.
 *
 * The token goes to the process net, which says whose it is.  Which user that is,
 * whether it is who the client wants to be, and whether they may sign in, is decided
 * here, as for a ticket.  A token that is no good is counted as a wrong password is,
 * and the client is told so by its mechanism before it is refused.
 */
#ifndef SERVER_AUTH_TOKEN_H
#define SERVER_AUTH_TOKEN_H

#include "server/auth/signin_state.h"

/* s->sasl has a claim with one. */
void token_take(struct signin *s);

/* The client has heard why its token is no good, and what it answers ends the
 * exchange. */
void token_refused(struct signin *s);

#endif

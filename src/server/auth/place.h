/*
 * place.h - a sign-in that has succeeded is given to the store that has the
 * maildrop; one for another service has reached its end.
 */
#ifndef SERVER_AUTH_PLACE_H
#define SERVER_AUTH_PLACE_H

#include "server/auth/signin_state.h"

/* The credentials of s->user, who is among the users now, are right. */
void signin_place(struct signin *s);

#endif

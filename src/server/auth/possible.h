/*
 * possible.h - by which mechanisms a user could sign in, and why not by others.
 */
#ifndef SERVER_AUTH_POSSIBLE_H
#define SERVER_AUTH_POSSIBLE_H

#include "server/auth/facts.h"
#include "server/users/passwd.h"

/* A row for USER and PASS, for APOP, and for each mechanism that is known.
 * for_app: with an app password. */
void possible_tell(struct facts *f, const struct user *u, bool for_app);

#endif

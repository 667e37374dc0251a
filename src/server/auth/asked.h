/*
 * asked.h - the admin asks, through the parent: see IPC_ASK.
 *
 * What is said of a user is by the users file as it is now.  No secret is told,
 * and a password that is tried counts for nobody.
 */
#ifndef SERVER_AUTH_ASKED_H
#define SERVER_AUTH_ASKED_H

#include "server/auth/process.h"

/* user, password: borrowed.  The answer comes now or later. */
void asked(struct auth *a, uint64_t token, enum ask_kind what,
    struct slice user, struct slice password);

#endif

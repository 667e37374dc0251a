/*
 * control_auth.h - what auth tells the admin: `malotectl user show', `user test'
 * and `auth failures'.
 *
 * The parent hands the question to auth and what auth says to malotectl, and
 * reads neither.  That a password is right says auth, as at a sign-in.
 */
#ifndef SERVER_PARENT_CONTROL_AUTH_H
#define SERVER_PARENT_CONTROL_AUTH_H

#include "server/parent/control_client.h"

/* user, password: "" where there is none. */
void control_auth(struct control_client *k, enum ask_kind what,
    const char *user, const char *password);

/* IPC_FACT and IPC_ASKED, of auth. */
void control_auth_fact(
    const struct parent *p, uint64_t token, const struct control_fact *fact);
void control_auth_done(
    const struct parent *p, uint64_t token, const struct control_done *done);

#endif

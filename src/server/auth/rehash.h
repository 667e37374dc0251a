/*
 * rehash.h - after a sign-in with a password that is not stored as
 * upgrade_scheme says, a hash of it is made that is.
 *
 * It is made by the threads that check hashes, one at a time and when it has its
 * turn, and then handed to the parent.  Nobody waits for it, and it is left out
 * when there is much to do: there is another sign-in.
 */
#ifndef SERVER_AUTH_REHASH_H
#define SERVER_AUTH_REHASH_H

#include "server/auth/process.h"

/* stored: what the password was verified against. */
void rehash_offer(
    struct auth *a, const char *user, const char *stored, const char *password);

/* The parent cannot write. */
void rehash_rest(struct auth *a);

#endif

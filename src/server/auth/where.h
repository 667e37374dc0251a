/*
 * where.h - where is a user's mail?  The parent asks for the admin; the answer
 * is IPC_WHERE_IS, and the store that it names is running then.
 *
 * Nothing is verified: who may ask is the parent's business, and what is said
 * is what the users file and the settings say.
 */
#ifndef SERVER_AUTH_WHERE_H
#define SERVER_AUTH_WHERE_H

#include "base/str.h"
#include "server/auth/process.h"

/* user: as it was typed. */
void where_find(struct auth *a, uint64_t token, struct slice user);

#endif

/*
 * host_drop.h - a whole host as a kind of store: the Maildirs of several users
 * as one maildrop.
 *
 * The path is those of all Maildirs, with colons between them; their messages
 * stand in that order, each Maildir's in its own.  Each is opened, locked and
 * committed to as if its user had signed in; one that cannot be had refuses the
 * whole.  The index that a worker reads is made at each sign-in, in memory, out
 * of those of the Maildirs.
 */
#ifndef SERVER_STORE_HOST_HOST_DROP_H
#define SERVER_STORE_HOST_HOST_DROP_H

#include "server/store/kind.h"

extern const struct store_kind host_kind;

#endif

/*
 * reload.h - the settings are read again, while everybody is served.
 *
 * First all is read and checked, as at the start, and what is needed is made: ports,
 * and in auth, the workers and the stores what the settings become there.  As long as
 * anything of that can fail nothing changes.  Then they hold: for auth and
 * the stores, and when these have said so, for those who connect.  Sessions keep
 * what they began with.
 */
#ifndef SERVER_PARENT_RELOAD_H
#define SERVER_PARENT_RELOAD_H

#include "server/parent/control_client.h"

/* Now, or as soon as that is possible.  k, who waits for the outcome, or NULL. */
void reload_ask(struct parent *p, struct control_client *k);

/* The server ends: there is none any more. */
void reload_end(struct parent *p);

#endif

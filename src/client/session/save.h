/*
 * save.h - what is put on record, and the end of a session.
 */
#ifndef CLIENT_SESSION_SAVE_H
#define CLIENT_SESSION_SAVE_H

#include "client/session/core.h"

/* Writes what has changed, so that what waits for that may be deleted: see
 * items.h.  finally: all of it, and it is the last time.  False: there was
 * nothing to write, or no memory to do so. */
bool save_changes(struct visit *v, bool finally);
/* The brake of the plan is that of the account now.  If it is another one, the
 * next save_changes() writes it, and so before any message that comes then. */
void save_brake(struct visit *v);
bool save_is_busy(const struct visit *v);
void save_free(struct visit *v);

#endif

/*
 * save.h - what is put on record, and the end of a session.
 */
#ifndef CLIENT_SESSION_SAVE_H
#define CLIENT_SESSION_SAVE_H

#include "client/session/core.h"

/* Writes what has changed, so that what waits for that may be deleted: see
 * items.h.  finally: all of it, and it is the last time.  False: there was
 * nothing to write, or no memory to do so. */
bool session_save(struct session *s, bool finally);
bool session_is_saving(const struct session *s);
void session_saving_free(struct session *s);

#endif

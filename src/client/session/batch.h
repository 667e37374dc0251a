/*
 * batch.h - complete messages on their way to the destination.
 *
 * See doc/architecture.md, "A batch".
 */
#ifndef CLIENT_SESSION_BATCH_H
#define CLIENT_SESSION_BATCH_H

#include "client/session/core.h"

/* False: memory. */
bool session_batch_new(struct session *s) NODISCARD;
void session_batch_free(struct session *s);

/* Takes a parcel that is complete, of an item; false: memory. */
bool session_store_add(struct session *s, struct parcel *p) NODISCARD;
/* Stores what is complete, unless some is being stored. */
void session_store(struct session *s);
bool session_store_is_due(const struct session *s);
bool session_store_is_long(const struct session *s); /* ask for no more yet */
/* The thread is storing some. */
bool session_is_storing(const struct session *s);
/* Some are complete and not stored yet. */
bool session_has_unstored(const struct session *s);

#endif

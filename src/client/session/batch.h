/*
 * batch.h - complete messages on their way to the destination, and what it says.
 *
 * See doc/architecture.md, "A batch" and "A destination that takes nothing".
 */
#ifndef CLIENT_SESSION_BATCH_H
#define CLIENT_SESSION_BATCH_H

#include "client/session/core.h"

/* False: memory. */
bool session_batch_new(struct session *s) NODISCARD;
void session_batch_free(struct session *s);

/* Begins to try the destination; nothing is asked for until that is over. */
void session_try(struct session *s);
/* The destination takes nothing: not one octet more is asked for. */
void session_destination_failed(struct session *s, enum err e, const char *why);
/* No other message is to be asked for now: it is not known yet whether the
 * destination takes any. */
bool session_awaits_destination(const struct session *s);

/* Takes a parcel that is complete, of an item; false: memory. */
bool session_store_add(struct session *s, struct parcel *p) NODISCARD;
/* Stores what is complete, unless some is being stored. */
void session_store(struct session *s);
bool session_store_is_due(const struct session *s);
bool session_store_is_long(const struct session *s); /* ask for no more yet */
/* The thread is storing, or trying the destination. */
bool session_is_storing(const struct session *s);
/* Some is complete and not stored. */
bool session_has_unstored(const struct session *s);

#endif

/*
 * batch.h - complete messages on their way to the destination.
 *
 * See doc/architecture.md, "A batch".
 */
#ifndef CLIENT_SESSION_BATCH_H
#define CLIENT_SESSION_BATCH_H

#include "client/session/core.h"

/* False: memory. */
bool batch_new(struct visit *v) NODISCARD;
void batch_free(struct visit *v);

/* Takes a parcel that is complete, of an item; false: memory. */
bool batch_add(struct visit *v, struct parcel *p) NODISCARD;
/* Stores what is complete, unless some is being stored. */
void batch_store(struct visit *v);
bool batch_is_due(const struct visit *v);
bool batch_is_long(const struct visit *v); /* ask for no more yet */
/* The thread is storing some. */
bool batch_is_busy(const struct visit *v);
/* Some are complete and not stored yet. */
bool batch_has_some(const struct visit *v);

#endif

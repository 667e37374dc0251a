/*
 * destination.h - will it take what comes?
 *
 * It is tried before any message is downloaded.  What only a message can tell is
 * told by one that goes ahead of the others.  Once it takes nothing, not one octet
 * more is asked for: see doc/architecture.md, "A destination that takes nothing".
 */
#ifndef CLIENT_SESSION_DESTINATION_H
#define CLIENT_SESSION_DESTINATION_H

#include "client/session/core.h"

/* False: memory. */
bool destination_new(struct session *s) NODISCARD;
void destination_free(struct session *s);

/* The thread begins to try it. */
void destination_try(struct session *s);
bool destination_is_tried(const struct session *s); /* right now */
/* Only one message is to be under way, as it has not taken any yet. */
bool destination_is_scouted(const struct session *s);

/* It takes nothing. */
void destination_failed(struct session *s, enum err e, const char *why);
/* It has taken a message, or not this one. */
void destination_took(struct session *s);
void destination_refused(struct session *s, const struct parcel *p);

#endif

/*
 * destination.h - will it take what comes?
 *
 * It is tried before any message is downloaded.  What only a message can tell
 * is told by one that goes ahead of the others.  Once it takes nothing, not one
 * octet more is asked for: see doc/architecture.md, "A destination that takes
 * nothing".
 */
#ifndef CLIENT_SESSION_DESTINATION_H
#define CLIENT_SESSION_DESTINATION_H

#include "client/session/core.h"

/* False: memory. */
bool destination_new(struct visit *v) NODISCARD;
void destination_free(struct visit *v);

/* Where connecting there takes turns of the network, and there was mail lately or
 * may be by now, the thread begins to try it while the session signs in.  What comes
 * of that matters only after destination_try(). */
void destination_foresee(struct visit *v);
/* The thread begins to try it, or has. */
void destination_try(struct visit *v);
/* Right now: for mail that is wanted; or for whatever reason. */
bool destination_is_tried(const struct visit *v);
bool destination_is_busy(const struct visit *v);
/* Only one message is to be under way, as it has not taken any yet. */
bool destination_is_scouted(const struct visit *v);

/* It takes nothing. */
void destination_failed(struct visit *v, enum err e, const char *why);
/* It has taken a message, or not this one. */
void destination_took(struct visit *v);
/* Why, in `out`; and, if a sign-in there was refused, until when it is not tried
 * again. */
void destination_words(char *out, size_t size, const struct account *a,
    const char *state_dir, bool insist, const char *why);

void destination_refused(struct visit *v, const struct parcel *p);

#endif

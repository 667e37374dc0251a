/*
 * sorting.h - mail that rules have go elsewhere than the account's `deliver`.
 *
 * A message is not begun to be written before its header has come: that says
 * which rule fits.  An account without rules has no sorting at all.
 *
 * A place of a rule is opened when the first message is for it.  One that takes
 * nothing is a matter of the messages that are for it: these stay on the server,
 * and are tried again in the next run.
 */
#ifndef CLIENT_SESSION_SORTING_H
#define CLIENT_SESSION_SORTING_H

#include "client/session/core.h"

/* Does nothing where there are no rules.  False: memory. */
bool sorting_new(struct visit *v) NODISCARD;
void sorting_free(struct visit *v);

/* A message begins: where it goes is not known yet. */
void sorting_begin(struct visit *v);
/* Is that so? */
bool sorting_waits(const struct visit *v);
/* Octets of it, which v->identity has seen too; returns those that are still to be
 * written.  As soon as the header is there v->parcel is begun, unless the place
 * takes nothing: then item i is in trouble. */
struct slice sorting_add(struct visit *v, size_t i, struct slice data);
/* The message has ended before that: it is done now. */
void sorting_end(struct visit *v, size_t i);

/* Is it for a place that a rule names?  Then that is all that its failure
 * concerns. */
bool sorting_is_apart(const struct visit *v, const struct parcel *p);
/* That place has not taken the parcel of item i, and is to get no other one in
 * this session. */
void sorting_failed(
    struct visit *v, size_t i, const struct parcel *p, const char *why);

/* See delivery_stop(). */
void sorting_stop(struct visit *v);

#endif

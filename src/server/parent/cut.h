/*
 * cut.h - the channel between two processes, after one of them has closed it
 * because of what came through it.
 *
 * Nobody but these two can say who was wrong, and either may have been broken
 * into.  So neither is ended: they are without each other for a second, then
 * they get a new channel.  Whoever accuses falsely has only cut itself off.
 */
#ifndef SERVER_PARENT_CUT_H
#define SERVER_PARENT_CUT_H

#include "server/parent/child.h"

/* a has closed its channel to b. */
void cut_begin(struct child *a, struct child *b);

/* Is there none between them at the moment? */
bool cut_between(const struct child *a, const struct child *b);

#endif

/*
 * replace.h - processes that auth asks, and that programs ask: when their settings
 * change, others take their place.
 */
#ifndef SERVER_PARENT_REPLACE_H
#define SERVER_PARENT_REPLACE_H

#include "server/parent/child.h"

/* Notes whose settings will be other ones by `next`. */
void replace_note(struct parent *p, struct conf *next);

/* By p->conf, which is what `next` was: starts those that there are to be, and
 * others in the place of those that were noted; these, and who is not wanted any
 * more, answer what they were asked and end. */
void replace_all(struct parent *p);

#endif

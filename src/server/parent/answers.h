/*
 * answers.h - what is asked of several processes at a time, and waiting for the
 * answers: for all of them, or for as long as is said.  Who has died does not
 * answer any more.
 */
#ifndef SERVER_PARENT_ANSWERS_H
#define SERVER_PARENT_ANSWERS_H

#include "server/parent/child.h"

/* Begins a round of questions, which have this number; nobody is asked yet.
 * done() is called from the loop when all have answered, or after `seconds`. */
uint32_t answers_begin(
    struct parent *p, double seconds, void (*done)(struct parent *p));
/* It has been asked, in this round; and all have. */
void answers_expect(struct child *c);
void answers_look(struct parent *p);
/* Nothing is waited for any more, and done() is not called. */
void answers_forget(struct parent *p);

/* It has answered the question of that number.  why: NULL, or why it cannot do what
 * it was asked. */
void answers_came(struct child *c, uint32_t number, const char *why);
/* It has died. */
void answers_gone(struct child *c);

/* Somebody who was asked has not answered in time; NULL: nobody. */
const struct child *answers_missing(const struct parent *p);

#endif

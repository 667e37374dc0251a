/*
 * trouble.h - messages that could not be had or delivered.
 *
 * They are remembered from run to run, so that one that may break a session
 * gets one of its own, and that after some runs the person is told since when.
 */
#ifndef CLIENT_SESSION_TROUBLE_H
#define CLIENT_SESSION_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/state/state.h"

struct listed;
struct visit;

enum trouble_kind {
	TROUBLE_LINE,    /* the line was lost, maybe because of it */
	TROUBLE_SERVER,  /* the server does not give it */
	TROUBLE_LATER,   /* the destination has not taken it this time */
	TROUBLE_REFUSED, /* the destination refuses it */
};

/* trouble.c's own: the first one of this session, and why. */
struct failures {
	size_t first; /* item */
	char why[STATE_WORDS];
	bool refused; /* the destination refuses one */
};

/* False: item i was in trouble before. */
bool trouble_note(
    struct visit *v, size_t i, enum trouble_kind kind, const char *why);
bool trouble_is_known(const struct visit *v, const struct listed *l);
void trouble_clear(struct visit *v, size_t i);
/* It was no message that has broken the sessions of this run so far. */
void trouble_forgive(struct visit *v);
/* Once the plan is made: forgets those that are not listed any more. */
void trouble_prune(struct visit *v);
/* Fails if there are some; says which, and since when. */
void trouble_report(struct visit *v);
/* A message that may have broken a session gets one of its own, at each run at
 * first, later once a day.  In the others not even its header is asked for. */
bool trouble_is_shunned(struct visit *v, const struct listed *l);
/* May it be collected in this session? */
bool trouble_is_for_now(struct visit *v, const struct listed *l);

#endif

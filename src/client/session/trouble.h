/*
 * trouble.h - messages that could not be had or delivered.
 *
 * They are remembered from run to run, so that one that may break a session gets
 * one of its own, and that after some runs the person is told since when.
 */
#ifndef CLIENT_SESSION_TROUBLE_H
#define CLIENT_SESSION_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/state/state.h"

struct listed;
struct session;

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
bool session_trouble(
    struct session *s, size_t i, enum trouble_kind kind, const char *why);
bool session_is_troubled(const struct session *s, const struct listed *l);
void session_trouble_clear(struct session *s, size_t i);
/* Forgets those that are not listed any more. */
void session_troubles_prune(struct session *s);
/* Fails if there are some; says which, and since when. */
void session_troubles_report(struct session *s);
/* A message that may have broken a session gets one of its own, at each run at
 * first, later once a day.  In the others not even its header is asked for. */
bool session_is_shunned(struct session *s, const struct listed *l);
/* May it be collected in this session? */
bool session_is_for_now(struct session *s, const struct listed *l);

#endif

/*
 * notes.h - what a session that only tries (attempt.h) notes on its way: v->facts,
 * which is NULL in one that collects.
 */
#ifndef CLIENT_SESSION_NOTES_H
#define CLIENT_SESSION_NOTES_H

#include "client/session/core.h"

/* The step goes over to `next`.  Tells of what is passed, and returns the step
 * that is taken. */
enum step notes_next(struct visit *v, enum step next);
/* visit_fail() was called. */
void notes_failed(struct visit *v);

/* What was found on the way.  arg: the visit. */
void notes_found(void *arg, const struct sockaddr_storage *v, size_t n);
void notes_connected(struct visit *v, const char *peer);
void notes_shook_hands(struct visit *v); /* well or not */

#endif

/*
 * served.h - which mechanisms can be served, how long mail stays, and what
 * LOGIN-DELAY is, as the users are now, and that the workers know it: nothing is
 * announced that nobody could use, or that is not true.
 */
#ifndef SERVER_AUTH_SERVED_H
#define SERVER_AUTH_SERVED_H

#include "server/auth/process.h"

struct sasl_mechanism;

bool served_has(const struct auth *a, const struct sasl_mechanism *m);

/* Tells one worker, or, if something has changed, all of them. */
void served_tell(const struct auth *a, struct auth_worker *w);
void served_tell_all(struct auth *a);
/* The same at no cost, unless the users were read since the last time, or a row
 * of a database has asked for what none had. */
void served_follow(struct auth *a);

/* The same with another half of APOP's timestamps. */
void served_turn(struct auth *a);

#endif

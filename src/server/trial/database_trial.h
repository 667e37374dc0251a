/*
 * database_trial.h - is a database as its block `users` says, and what of it could
 * nobody sign in by?  It is really asked, as the server would (users/db_ask.h);
 * nothing is changed there.
 */
#ifndef SERVER_TRIAL_DATABASE_TRIAL_H
#define SERVER_TRIAL_DATABASE_TRIAL_H

#include "server/conf/conf.h"

/* Says what is wrong with the block c->known[i], at its line.  What somebody must
 * mend is an error; that it does not answer is a warning, as it may later. */
void database_trial(
    const struct conf *c, unsigned i, struct conf_report *report);

#endif

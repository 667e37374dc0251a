/*
 * issuer_trial.h - can issuers of tokens be asked, and are there keys?
 */
#ifndef SERVER_TRIAL_ISSUER_TRIAL_H
#define SERVER_TRIAL_ISSUER_TRIAL_H

#include "server/conf/conf.h"

/* Of the issuer at place i, by a process that is confined as the one that asks it
 * later: what is wrong is complained of. */
void issuer_trial(const struct conf *c, unsigned i, struct conf_report *report);

/* The same, but of all whose keys are in a file: nobody else is asked, so it does
 * not take long. */
void issuers_try_files(const struct conf *c, struct conf_report *report);

#endif

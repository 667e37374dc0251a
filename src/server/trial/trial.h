/*
 * trial.h - what maloted --check looks at beyond the configuration: can the
 * users who are in the users file sign in, and can their mail be read and
 * written by who owns it?
 */
#ifndef SERVER_TRIAL_TRIAL_H
#define SERVER_TRIAL_TRIAL_H

#include "server/conf/conf.h"

/* Warns of each line of the users file that makes no sense and of each user who
 * would be refused; that nobody at all could sign in is an error.  The settings
 * have come from conf_read() without errors.  As root this process becomes the
 * owners of the mail for the time; nothing is written.  Returns how many users
 * can sign in. */
size_t conf_try(const struct conf *c, const struct conf_env *env,
    struct conf_report *report);

#endif

/*
 * combination.h - settings that make no sense together with what the drivers of
 * databases can do, whoever is in them.
 */
#ifndef SERVER_TRIAL_COMBINATION_H
#define SERVER_TRIAL_COMBINATION_H

#include "server/conf/conf.h"

/* A warning for each. */
void combination_tell(const struct conf *conf, const struct conf_env *env,
    const struct conf_text *text);

#endif

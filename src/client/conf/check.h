/*
 * check.h - does what an account says go together, and what follows.
 */
#ifndef CLIENT_CONF_CHECK_H
#define CLIENT_CONF_CHECK_H

#include "client/conf/value.h"
#include "conf/text.h"

/* Fills in the defaults that depend on other settings, and complains.
 * has_security: it was said.  E_NOMEM. */
enum err account_check(struct account *a, bool has_security,
    const struct value_place *place, const struct conf_lines *l) NODISCARD;

#endif

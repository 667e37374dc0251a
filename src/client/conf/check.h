/*
 * check.h - does what an account says go together, and what follows.
 */
#ifndef CLIENT_CONF_CHECK_H
#define CLIENT_CONF_CHECK_H

#include "client/conf/value.h"
#include "conf/text.h"

/* What the file says, also if it could not be taken: that was complained of. */
struct account_said {
	bool security, server, email, folders, smtp_security;
};

/* Fills in the defaults that depend on other settings, and complains.  E_NOMEM.
 */
enum err account_check(struct account *a, const struct account_said *said,
    const struct value_place *place, const struct conf_lines *l) NODISCARD;

/* Of password, token, certificate, and what `auth` needs of them. */
void account_check_secrets(const struct account *a, const struct conf_lines *l);

#endif

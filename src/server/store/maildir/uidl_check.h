/*
 * uidl_check.h - for `maloted --check`: lists of other servers that the first
 * sign-in to their maildrop would be refused for.
 */
#ifndef SERVER_STORE_MAILDIR_UIDL_CHECK_H
#define SERVER_STORE_MAILDIR_UIDL_CHECK_H

#include "server/conf/store_conf.h"

/* Looks at the Maildirs below the root in which no unique-ids are decided yet,
 * and hands over a warning for each list that cannot be used as it is. */
typedef void (*uidl_check_say)(void *arg, const char *warning);
void uidl_check(const struct store_conf *conf, uidl_check_say say, void *arg);

#endif

/*
 * account.h - where a user's mail is and whose it is: the one rule, for those
 * who sign in, for malotectl before it adds a user, and for maloted --check.
 */
#ifndef SERVER_USERS_ACCOUNT_H
#define SERVER_USERS_ACCOUNT_H

#include "server/conf/auth_conf.h"
#include "server/ipc/owner.h"
#include "server/users/passwd.h"

struct account {
	char mail[MAIL_PATH_MAX]; /* "maildir:/..." */
	uint32_t uid, gid;
	uint32_t root; /* the number of the mail root */
};

static inline struct owner
account_owner(const struct account *at)
{
	return (struct owner){ at->uid, at->gid, at->root };
}

/* The place is checked against the mail root of the block that knows the user,
 * whoever has named it.  E_CONFIG if this user could not read mail whatever the password: *why_r is a
 * word for the log, static, and eb says what to do.  The user's name has come
 * from name_normalize(). */
enum err account_find(struct account *out, const struct auth_conf *conf,
    const struct user *u, const char **why_r, struct errbuf *eb) NODISCARD;

#endif

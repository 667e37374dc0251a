/*
 * host_account.h - where the mail of a whole host is: of all users whose names
 * end in "@host", for whoever may read it as one maildrop (malote_host).
 */
#ifndef SERVER_USERS_HOST_ACCOUNT_H
#define SERVER_USERS_HOST_ACCOUNT_H

#include "server/users/account.h"

struct host_account {
	/* "host:" and its users' paths, in the order of their names, each once,
	 * with colons between them: of fewer than MAIL_MAX octets.  The
	 * caller's. */
	char *mail;
	uint32_t uid, gid, root; /* of all of them */
	/* One of the users removes nothing, or reads inside TLS only: so for all
	 * of it. */
	bool read_only, tls_only;
};

/* As account_find(), for u->host.  E_CONFIG: its users have more than one uid,
 * there are too many or none, one of them could not read mail, or this is not
 * switched on.  E_NOMEM. */
enum err host_account_find(struct host_account *out,
    const struct auth_conf *conf, const struct users *users,
    const struct user *u, const char **why_r, struct errbuf *eb) NODISCARD;

#endif

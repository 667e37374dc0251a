/*
 * row.h - a user of a row of a database: columns with names.
 *
 *	password	as in the users file; see scheme.h
 *	uid, gid	both, or none
 *	home, mail
 *	allow_nets, nologin, malote_pop3, malote_tls, ...	see extra.h
 *	user		the name itself
 *
 * Dovecot's "userdb_" before a name is passed over.  A column of another name is
 * refused, as it could restrict the user in a way that is not known here.
 */
#ifndef SERVER_USERS_ROW_H
#define SERVER_USERS_ROW_H

#include "server/ipc/ipc.h"
#include "server/users/passwd.h"

struct column {
	struct slice name,
	    value; /* one that is NULL in the database is left out */
};

/* Of a message: u8 n, n times { str column, bytes value }, borrowed from it.  Makes
 * it a bad one if there are too many, or too much of them. */
size_t row_get(struct ipc_in *in, struct column c[ROW_COLUMNS_MAX]);

/* scheme: what a password is stored as that does not say so itself, or "".
 * name: by the rule.  *u_r is to be freed by user_free(), its line is 0.
 * E_CONFIG with words: the row gives no user; E_NOMEM. */
enum err row_user(struct user **u_r, const char *name, const struct column *c,
    size_t n, const char *scheme, const struct name_rule *rule,
    struct errbuf *eb) NODISCARD;

/* The name in a row of a list: of one column, or of two, what is before its @ and
 * what is behind.  E_CONFIG with words: it has others; E_FORMAT: there can be no
 * such user. */
enum err row_listed(char name[NAME_MAX_OCTETS + 1], const struct column *c,
    size_t n, const struct name_rule *rule, struct errbuf *eb) NODISCARD;

/* Does a column of that name mean something?  E_CONFIG with words: it would be
 * refused, in whatever row. */
enum err row_column(struct slice name, struct errbuf *eb) NODISCARD;

#endif

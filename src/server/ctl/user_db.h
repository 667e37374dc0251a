/*
 * user_db.h - users in databases, as the commands of user.c see them: the blocks
 * `users` of the configuration, in their order.  Databases are asked, and changed,
 * by processes of their own (users/db_ask.h), with a server or without one.
 */
#ifndef SERVER_CTL_USER_DB_H
#define SERVER_CTL_USER_DB_H

#include "server/ctl/commands.h"

/* Are users known elsewhere than in the users file? */
bool user_db_any(const struct options *o);

/* Is this block the users file? */
bool user_db_is_file(const struct options *o, unsigned i);

/* The block of --database. */
enum err user_db_named(
    const struct options *o, unsigned *i_r, struct errbuf *eb) NODISCARD;

/* The block of --database; without it the first that knows the name, which may be
 * the users file.  E_NOENT with words: it does not know it, or none does. */
enum err user_db_which(const struct options *o, const char *name, unsigned *i_r,
    struct errbuf *eb) NODISCARD;

/* The block of --database, or the first that a user can be added to. */
enum err user_db_for_add(
    const struct options *o, unsigned *i_r, struct errbuf *eb) NODISCARD;

/* Can that be done there, and with these options?  E_CONFIG with words that name
 * the setting.  Asked before the password is. */
enum err user_db_can_add(const struct options *o, unsigned i, const char *name,
    struct errbuf *eb) NODISCARD;
enum err user_db_can_passwd(
    const struct options *o, unsigned i, struct errbuf *eb) NODISCARD;
enum err user_db_can_delete(
    const struct options *o, unsigned i, struct errbuf *eb) NODISCARD;

/* Each looks afterwards whether the server sees it as it is meant. */
enum err user_db_add(const struct options *o, unsigned i, const char *name,
    const char *hash, struct errbuf *eb) NODISCARD;
enum err user_db_passwd(const struct options *o, unsigned i, const char *name,
    const char *hash, struct errbuf *eb) NODISCARD;
enum err user_db_delete(const struct options *o, unsigned i, const char *name,
    struct errbuf *eb) NODISCARD;

/* Prints the names. */
enum err user_db_list(
    const struct options *o, unsigned i, struct errbuf *eb) NODISCARD;

#endif

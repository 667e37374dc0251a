/*
 * app_table.h - the app passwords of all users, for the process that compares
 * them.
 *
 * A password is looked for by its digest: one SHA-256 and one search, whoever the
 * user is and however many they have, so the time does not tell who has any.
 */
#ifndef SERVER_USERS_APP_TABLE_H
#define SERVER_USERS_APP_TABLE_H

#include "server/users/app_database.h"
#include "server/users/name.h"

struct app_password {
	const char *user; /* by the rule for names */
	const char *label;
	const char *protocol; /* "": any */
	const char *networks; /* "": from anywhere */
	uint64_t until;       /* seconds since 1970; 0: for ever */
	uint8_t digest[APP_DIGEST];
	char *texts; /* all four */
};

struct app_table;

/* Of a database, which is read whole.  *bad_r: rows that make no sense, and give nobody a password. */
enum err app_table_read(struct app_table **t_r, struct slice image,
    const struct name_rule *rule, unsigned *bad_r, struct errbuf *eb) NODISCARD;
void app_table_free(struct app_table *t); /* NULL is a no-op */
size_t app_table_count(const struct app_table *t);

/* The user's app password that this is; NULL: it is none of theirs.  Borrowed
 * from t. */
const struct app_password *app_table_find(
    const struct app_table *t, const char *user, struct slice typed);

/* Is it for that protocol ("pop3", or what a service is called)? */
bool app_password_is_for(const struct app_password *p, const char *protocol);

/* Is its last day over? */
bool app_password_is_over(const struct app_password *p, uint64_t unix_seconds);

/* NULL: it is the user's now, by that protocol, for who comes from there; else a
 * word for the log. */
const char *app_password_refuses(const struct app_password *p,
    const char *protocol, const char *address, uint64_t unix_seconds);

#endif

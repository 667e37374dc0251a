/*
 * app_database.h - the app passwords of all users: an SQLite database, the file
 * app-passwords.sqlite in the state folder.
 *
 * It is handled as one piece of octets in memory: malotectl reads the file, and
 * puts a new one in its place; auth is given a descriptor, as it is of the users
 * file, and reads it whole.  So no process waits for another's lock, a reader
 * sees all of a change or nothing, and SQLite opens no file anywhere.
 */
#ifndef SERVER_USERS_APP_DATABASE_H
#define SERVER_USERS_APP_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "server/users/app_secret.h"

enum {
	APP_LABEL_MAX = 64,      /* octets */
	APP_NETWORKS_MAX = 1024, /* octets of the list */
	APP_DATABASE_MAX = 64 * 1024 * 1024,
};

struct app_database;

/* Texts are borrowed until the next row. */
struct app_row {
	const char *user; /* by the rule for names of who added it */
	const char *label;
	const char *protocol; /* "pop3", or "": any */
	const char *networks; /* see net/cidr.h; "": from anywhere */
	uint64_t created;     /* seconds since 1970 */
	uint64_t until; /* the first one when it works no more; 0: never */
	const uint8_t *digest; /* APP_DIGEST octets */
};

/* Once in a process, before it is confined.  E_NOMEM. */
enum err app_database_init(void) NODISCARD;

/* An empty image is that of a new database.  E_CONFIG: it is none of ours, of a
 * later version, or damaged. */
enum err app_database_open(struct app_database **db_r, struct slice image,
    struct errbuf *eb) NODISCARD;
void app_database_close(struct app_database *db); /* NULL is a no-op */

/* APP_SALT octets; borrowed from db. */
const uint8_t *app_database_salt(const struct app_database *db);

/* Gives each row, by user and label, to take(), whose failure ends it.  *bad_r:
 * how many make no sense, and were left out. */
enum err app_database_each(struct app_database *db,
    enum err (*take)(void *arg, const struct app_row *row), void *arg,
    unsigned *bad_r, struct errbuf *eb) NODISCARD;

/* E_BUSY: the user has one of this label. */
enum err app_database_add(struct app_database *db, const struct app_row *row,
    struct errbuf *eb) NODISCARD;

/* Removes the one of a label, or all of the user's if label is NULL; *n_r: how
 * many. */
enum err app_database_remove(struct app_database *db, const char *user,
    const char *label, unsigned *n_r, struct errbuf *eb) NODISCARD;

/* The octets of the file as it is to be; the caller's, to be freed. */
enum err app_database_image(struct app_database *db, char **image_r,
    size_t *n_r, struct errbuf *eb) NODISCARD;

#endif

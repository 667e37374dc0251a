/*
 * db_driver.h - a kind of database, as the process that asks one sees it: a file
 * that defines a struct db_driver called db_NAME, for the row of that name in
 * USER_DRIVERS (src/server/conf/user_driver.h).
 *
 * A driver has connections, each used by one thread at a time.  It may wait, but
 * no longer than until a time of clock_ms() as far as its library lets it.
 */
#ifndef SERVER_HELPER_DB_DRIVER_H
#define SERVER_HELPER_DB_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/conf/db_command.h"

/* Columns in their order, copied; a value has a NUL behind it, too. */
struct db_row {
	size_t n, octets;
	struct {
		char *name, *value;
		size_t value_n;
	} column[ROW_COLUMNS_MAX];
};

/* value: NULL is left out.  E_FULL with words, E_NOMEM. */
enum err db_row_put(struct db_row *r, const char *name, const char *value,
    size_t n, struct errbuf *eb) NODISCARD;
void db_row_clear(struct db_row *r); /* wipes */

/* What the process may reach once it is confined: read, and connect to. */
struct db_reach {
	const char *path[24];
	size_t n;
	uint16_t port[8];
	size_t n_ports;
	bool any_port;
};
void db_reach_path(struct db_reach *r, const char *path); /* borrowed */
void db_reach_port(struct db_reach *r, uint32_t port);

enum { DB_PARAMETERS = 8 };

/* $1, $2, $3 of a query: the name, what is before its @, what is behind it or
 * "".  $4 to $8, which only an admin's query has: the hash of a password, uid, gid,
 * home, mail; NULL if there is none.  Those from the number n on are not wanted. */
struct db_parameters {
	const char *value[DB_PARAMETERS];
	bool stands[DB_PARAMETERS]; /* in the query */
	size_t n;
	char local[NAME_MAX_OCTETS + 1];
};
void db_parameters(
    struct db_parameters *p, const char *query, const char *name);
/* The same for an admin's query. */
void db_parameters_of(struct db_parameters *p, const struct db_command *cmd);

/* What comes of an admin's query. */
struct db_result {
	/* Takes the names of the columns, with empty values; then each row. */
	enum err (*take)(
	    struct db_result *to, const struct db_row *row, struct errbuf *eb);
	uint64_t changed; /* rows */
};

/* Hands a row on, and clears it. */
enum err db_result_row(
    struct db_result *to, struct db_row *row, struct errbuf *eb) NODISCARD;
/* Of a change: E_CONFIG if it concerns several rows. */
enum err db_result_check(
    const struct db_result *r, struct errbuf *eb) NODISCARD;

/* Whom the machine trusts: a file of certificates, or "". */
const char *db_authorities(void);

struct db_driver {
	bool is_file; /* nothing is connected to */

	/* Before the process is confined and has threads.  What is wrong is
	 * said once, and again by open(). */
	enum err (*prepare)(
	    const struct db_conf *c, struct db_reach *r, struct errbuf *eb);

	/* *conn_r is to be closed.  E_AGAIN: no answer until then. */
	enum err (*open)(void **conn_r, const struct db_conf *c, uint64_t until,
	    struct errbuf *eb);

	/* E_OK: r is filled.  E_NOENT: it knows no such user.  E_CLOSED: this
	 * connection is of no use any more, a new one may be.  E_AGAIN: no
	 * answer until then; the connection is of no use either.  E_CONFIG: it
	 * does not understand the question, or the answer makes no sense. */
	enum err (*find)(void *conn, const struct db_conf *c, const char *name,
	    uint64_t until, struct db_row *r, struct errbuf *eb);

	/* An admin's query, on a connection that is used for nothing else and
	 * closed afterwards.  The results are those of find(), without E_NOENT.
	 * Only a DB_CHANGE can change anything, which is undone when the
	 * connection is closed, unless commit() was called before: NULL where
	 * there is no such thing. */
	enum err (*run)(void *conn, const struct db_conf *c,
	    const struct db_command *cmd, uint64_t until, struct db_result *to,
	    struct errbuf *eb);
	enum err (*commit)(void *conn, uint64_t until, struct errbuf *eb);

	void (*close)(void *conn);

	/* Of one that verifies, else NULL: as find(), but the row is that of a
	 * user whose password this is.  E_DENIED: it is not. */
	enum err (*verify)(void *conn, const struct db_conf *c,
	    const char *name, const char *password, uint64_t until,
	    struct db_row *r, struct errbuf *eb);
};

#endif

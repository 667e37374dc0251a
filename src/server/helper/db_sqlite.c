/*
 * Users in a file of SQLite, which only an admin's query writes to: see
 * db_driver.h.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/helper/db_driver.h"

enum {
	STEPS = 10000, /* between looks at the clock */
	VALUE_MAX = 1024 * 1024,
	URI_MAX = 3 * MAIL_PATH_MAX + sizeof("file:?immutable=1"),
};

struct connection {
	sqlite3 *db;
	sqlite3_stmt *query;
	struct stat file; /* as it was opened */
	uint64_t until;   /* of what it is asked now */
	bool is_still;    /* nobody else has it open: see open_still() */
	bool is_used;
};

static enum err
prepare(const struct db_conf *c, struct db_reach *r, struct errbuf *eb)
{
	static char folder[PATH_MAX];

	/* Beside it there are its journal and its write-ahead log. */
	memcpy(folder, c->file, strlen(c->file) + 1);
	db_reach_path(r, dirname(folder));
	return sqlite3_initialize() == SQLITE_OK
		   ? E_OK
		   : err_set(eb, E_NOMEM, "SQLite cannot start");
}

static void
close_connection(void *conn)
{
	struct connection *c = conn;

	sqlite3_finalize(c->query);
	sqlite3_close(c->db);
	free(c);
}

static int
is_late(void *arg)
{
	const struct connection *c = arg;

	return clock_ms() >= c->until;
}

static enum err
fail(struct connection *c, enum err e, struct errbuf *eb)
{
	return err_set(eb, e, "%s", sqlite3_errmsg(c->db));
}

static enum err
open_as(struct connection *c, const char *file, int flags, struct errbuf *eb)
{
	if (sqlite3_open_v2(file, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return c->db == NULL ? err_set(eb, E_NOMEM, "out of memory")
				     : fail(c, E_IO, eb);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	sqlite3_progress_handler(c->db, STEPS, is_late, c);
	return E_OK;
}

/* Is it one whose write-ahead log must be looked at, which only who may write can
 * begin to do? */
static bool
needs_a_writer(struct connection *c)
{
	int r = sqlite3_exec(c->db, "PRAGMA schema_version", NULL, NULL, NULL);

	return (r & 0xff) == SQLITE_READONLY || (r & 0xff) == SQLITE_CANTOPEN;
}

static bool
is_empty(const char *file, const char *suffix)
{
	char path[MAIL_PATH_MAX + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", file, suffix);
	return stat(path, &st) < 0 ? errno == ENOENT : st.st_size == 0;
}

/* Is there nothing in its write-ahead log, or, of a writer that crashed, in its
 * journal? */
static bool
is_all_in_the_file(const char *file)
{
	return is_empty(file, "-wal") && is_empty(file, "-journal");
}

static void
put_uri(char uri[URI_MAX], const char *file)
{
	char *to = stpcpy(uri, "file:");

	for (; *file != '\0'; file++)
		if (strchr("%?#", *file) != NULL)
			to += sprintf(to, "%%%02x", (unsigned char)*file);
		else
			*to++ = *file;
	strcpy(to, "?immutable=1");
}

/* As a file that does not change: SQLite takes no lock, and sees no change.  So it
 * is good for one question, if the file is the same after it. */
static enum err
open_still(struct connection *c, const char *file, struct errbuf *eb)
{
	char uri[URI_MAX];

	if (!is_all_in_the_file(file))
		return fail(c, E_IO, eb);
	sqlite3_close(c->db);
	c->db = NULL;
	c->is_still = true;
	put_uri(uri, file);
	return open_as(c, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, eb);
}

static enum err
open_file(struct connection *c, const struct db_conf *conf, struct errbuf *eb)
{
	enum err e;

	if (stat(conf->file, &c->file) < 0)
		return err_sys(eb, E_IO, "%s", conf->file);
	e = open_as(c, conf->file,
	    conf->writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, eb);
	if (e == E_OK && !conf->writes && needs_a_writer(c))
		e = open_still(c, conf->file, eb);
	return e;
}

static enum err
open_connection(void **conn_r, const struct db_conf *conf, uint64_t until,
    struct errbuf *eb)
{
	struct connection *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	c->until = until;
	if ((e = open_file(c, conf, eb)) != E_OK)
		close_connection(c);
	else
		*conn_r = c;
	return e;
}

/* Has another file come in its place, or this one changed where that matters? */
static bool
is_replaced(const struct connection *c, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || st.st_dev != c->file.st_dev ||
	    st.st_ino != c->file.st_ino)
		return true;
	return c->is_still &&
	       (st.st_size != c->file.st_size ||
		   st.st_mtim.tv_sec != c->file.st_mtim.tv_sec ||
		   st.st_mtim.tv_nsec != c->file.st_mtim.tv_nsec);
}

/* What a call of SQLite's came to that is no row. */
static enum err
result(struct connection *c, int r, struct errbuf *eb)
{
	switch (r & 0xff) {
	case SQLITE_DONE: return E_NOENT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_INTERRUPT: return fail(c, E_AGAIN, eb);
	case SQLITE_READONLY:
		return err_set(eb, E_CONFIG,
		    "the owner of the file, uid %u, must be able to write to "
		    "it and to its folder",
		    geteuid());
	case SQLITE_CONSTRAINT:
	case SQLITE_ERROR:
	case SQLITE_RANGE: return fail(c, E_CONFIG, eb);
	default: return fail(c, E_CLOSED, eb);
	}
}

static enum err
bind(struct connection *c, const char *query, const struct db_parameters *p,
    struct errbuf *eb)
{
	static const char *const names[DB_PARAMETERS] = { "$1", "$2", "$3",
		"$4", "$5", "$6", "$7", "$8" };
	int r = SQLITE_OK;

	if (c->query == NULL)
		r = sqlite3_prepare_v2(c->db, query, -1, &c->query, NULL);
	for (size_t i = 0; i < p->n && r == SQLITE_OK; i++) {
		int at = sqlite3_bind_parameter_index(c->query, names[i]);

		if (at != 0)
			r = sqlite3_bind_text(
			    c->query, at, p->value[i], -1, SQLITE_TRANSIENT);
	}
	if (r == SQLITE_OK && c->query == NULL)
		return err_set(eb, E_CONFIG, "the query is empty");
	return r == SQLITE_OK ? E_OK : result(c, r, eb);
}

static enum err
take_columns(struct connection *c, struct db_row *row, struct errbuf *eb)
{
	enum err e = E_OK;

	for (int i = 0; i < sqlite3_column_count(c->query) && e == E_OK; i++) {
		const char *name = sqlite3_column_name(c->query, i);
		const void *value = sqlite3_column_text(c->query, i);
		int n = sqlite3_column_bytes(c->query, i);

		if (name == NULL)
			return err_set(eb, E_NOMEM, "out of memory");
		e = db_row_put(row, name, value, (size_t)n, eb);
	}
	return e;
}

static enum err
take_row(struct connection *c, struct db_row *row, struct errbuf *eb)
{
	enum err e = take_columns(c, row, eb);
	int r;

	if (e != E_OK)
		return e;
	r = sqlite3_step(c->query);
	if (r == SQLITE_ROW)
		return err_set(
		    eb, E_CONFIG, "the query gives more than one row");
	return r == SQLITE_DONE ? E_OK : result(c, r, eb);
}

static void
wait_until(struct connection *c, uint64_t until)
{
	uint64_t now = clock_ms();

	c->until = until;
	sqlite3_busy_timeout(c->db, until > now ? (int)(until - now) : 1);
}

static enum err
ask(struct connection *c, const struct db_conf *conf, const char *name,
    struct db_row *row, struct errbuf *eb)
{
	struct db_parameters p;
	enum err e;
	int r;

	db_parameters(&p, conf->query, name);
	if ((e = bind(c, conf->query, &p, eb)) == E_OK) {
		r = sqlite3_step(c->query);
		e = r == SQLITE_ROW ? take_row(c, row, eb) : result(c, r, eb);
	}
	if (c->query != NULL) {
		sqlite3_reset(c->query); /* no lock is held meanwhile */
		sqlite3_clear_bindings(c->query);
	}
	return e;
}

static enum err
find(void *conn, const struct db_conf *conf, const char *name, uint64_t until,
    struct db_row *row, struct errbuf *eb)
{
	struct connection *c = conn;
	enum err e;

	if (is_replaced(c, conf->file) || (c->is_still && c->is_used))
		return err_set(eb, E_CLOSED, "the file was replaced");
	c->is_used = true;
	wait_until(c, until);
	e = ask(c, conf, name, row, eb);
	return c->is_still && is_replaced(c, conf->file)
		   ? err_set(eb, E_CLOSED, "the file changes")
		   : e;
}

/* ---- for an admin ---- */

static enum err
give_names(struct connection *c, struct db_result *to, struct errbuf *eb)
{
	struct db_row row = { .n = 0 };
	enum err e = E_OK;

	for (int i = 0; i < sqlite3_column_count(c->query) && e == E_OK; i++) {
		const char *name = sqlite3_column_name(c->query, i);

		e = name != NULL ? db_row_put(&row, name, "", 0, eb)
				 : err_set(eb, E_NOMEM, "out of memory");
	}
	return e == E_OK ? db_result_row(to, &row, eb) : e;
}

static enum err
give_rows(struct connection *c, struct db_result *to, struct errbuf *eb)
{
	enum err e = E_OK;
	int r;

	while (e == E_OK && (r = sqlite3_step(c->query)) == SQLITE_ROW) {
		struct db_row row = { .n = 0 };

		if ((e = take_columns(c, &row, eb)) == E_OK)
			e = db_result_row(to, &row, eb);
		db_row_clear(&row);
	}
	if (e != E_OK)
		return e;
	to->changed = (uint64_t)sqlite3_changes64(c->db);
	return r == SQLITE_DONE ? E_OK : result(c, r, eb);
}

/* Of ours. */
static enum err
say(struct connection *c, const char *words, struct errbuf *eb)
{
	int r = sqlite3_exec(c->db, words, NULL, NULL, NULL);

	return r == SQLITE_OK ? E_OK : result(c, r, eb);
}

static enum err
run(void *conn, const struct db_conf *conf, const struct db_command *cmd,
    uint64_t until, struct db_result *to, struct errbuf *eb)
{
	bool changes = cmd->what == DB_CHANGE;
	struct connection *c = conn;
	struct db_parameters p;
	enum err e = E_OK;

	wait_until(c, until);
	db_parameters_of(&p, cmd);
	if (changes)
		e = say(c, "BEGIN IMMEDIATE", eb);
	if (e == E_OK && (e = bind(c, cmd->query, &p, eb)) == E_OK)
		e = give_names(c, to, eb);
	if (e == E_OK && cmd->what != DB_TRY)
		e = give_rows(c, to, eb);
	sqlite3_finalize(c->query);
	c->query = NULL;
	if (e == E_OK && c->is_still && is_replaced(c, conf->file))
		return err_set(eb, E_CLOSED, "the file changes");
	return e == E_OK && changes ? db_result_check(to, eb) : e;
}

static enum err
commit(void *conn, uint64_t until, struct errbuf *eb)
{
	wait_until(conn, until);
	return say(conn, "COMMIT", eb);
}

extern const struct db_driver db_sqlite;
const struct db_driver db_sqlite = { .is_file = true,
	.prepare = prepare,
	.open = open_connection,
	.find = find,
	.run = run,
	.commit = commit,
	.close = close_connection };

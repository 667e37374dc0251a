#include "client/state/db.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

#define APPLICATION_ID 0x6d6c6f74 /* "mlot" */

enum { BUSY_MS = 30000 };

/* Step n makes version n + 1 of version n. */
static const char *const steps[] = {
	"CREATE TABLE account ("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" known INTEGER NOT NULL DEFAULT 0,"
	" braked INTEGER NOT NULL DEFAULT 0,"
	" serial_until INTEGER NOT NULL DEFAULT 0,"
	" no_capa_until INTEGER NOT NULL DEFAULT 0,"
	" sizes_lie INTEGER NOT NULL DEFAULT 0,"
	" auth_rank INTEGER NOT NULL DEFAULT 0,"
	" not_before INTEGER NOT NULL DEFAULT 0,"
	" tried_at INTEGER NOT NULL DEFAULT 0,"
	" collected_at INTEGER NOT NULL DEFAULT 0,"
	" exit_code INTEGER NOT NULL DEFAULT 0,"
	" error TEXT NOT NULL DEFAULT '', notice TEXT NOT NULL DEFAULT '',"
	" collected INTEGER NOT NULL DEFAULT 0,"
	" collected_octets INTEGER NOT NULL DEFAULT 0,"
	" deleted INTEGER NOT NULL DEFAULT 0,"
	" freed_octets INTEGER NOT NULL DEFAULT 0,"
	" left INTEGER NOT NULL DEFAULT 0,"
	" left_octets INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE message ("
	" id INTEGER PRIMARY KEY,"
	" account INTEGER NOT NULL REFERENCES account,"
	" uid BLOB CHECK (length(uid) = 10), size INTEGER NOT NULL,"
	" header BLOB CHECK (length(header) = 10), strong INTEGER NOT NULL,"
	" place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 2),"
	" stored_at INTEGER NOT NULL, gone_at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX message_account ON message (account);"
	"CREATE TABLE intent ("
	" id INTEGER PRIMARY KEY,"
	" account INTEGER NOT NULL REFERENCES account,"
	" at INTEGER NOT NULL, dest TEXT NOT NULL,"
	" uid BLOB CHECK (length(uid) = 10), size INTEGER NOT NULL,"
	" header BLOB NOT NULL CHECK (length(header) = 10),"
	" strong INTEGER NOT NULL,"
	" to_delete INTEGER NOT NULL,"
	" tmp TEXT, file TEXT, octets INTEGER NOT NULL,"
	" start INTEGER NOT NULL, length INTEGER NOT NULL,"
	" content BLOB NOT NULL CHECK (length(content) = 10)) STRICT;"
	"CREATE TABLE trouble ("
	" id INTEGER PRIMARY KEY,"
	" account INTEGER NOT NULL REFERENCES account,"
	" uid BLOB CHECK (length(uid) = 10), size INTEGER NOT NULL,"
	" tries INTEGER NOT NULL, breaks INTEGER NOT NULL,"
	" first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,"
	" why TEXT NOT NULL) STRICT;"
	"PRAGMA application_id = " TEXT_OF(APPLICATION_ID) ";",
	/* Empty: not known, as of all that version 1 has. */
	"ALTER TABLE account ADD COLUMN maildrop TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE account ADD COLUMN language TEXT NOT NULL DEFAULT '';",

	"ALTER TABLE account ADD COLUMN"
	" no_top_until INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE trouble ADD COLUMN msgno INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE account ADD COLUMN"
	" no_recapa_until INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" no_list_until INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" no_uidl_until INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE account ADD COLUMN"
	" refused_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" refused_mark INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" refused_why TEXT NOT NULL DEFAULT '';",

	"ALTER TABLE account ADD COLUMN"
	" auth_below INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" auth_below_until INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE account ADD COLUMN"
	" crowd INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" crowd_until INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE account ADD COLUMN"
	" cut_until INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" cut_commands INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" cut_octets INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE account ADD COLUMN"
	" cut_met INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE intent ADD COLUMN folder TEXT;",

	"ALTER TABLE account ADD COLUMN"
	" no_utf8_until INTEGER NOT NULL DEFAULT 0;",

	"CREATE TABLE number ("
	" account INTEGER NOT NULL REFERENCES account,"
	" number INTEGER NOT NULL CHECK (number > 0),"
	" key BLOB NOT NULL CHECK (length(key) = 10),"
	" size INTEGER NOT NULL,"
	" header BLOB CHECK (length(header) = 10),"
	" seen_at INTEGER NOT NULL,"
	" PRIMARY KEY (account, number)) STRICT, WITHOUT ROWID;",

	"ALTER TABLE number ADD COLUMN"
	" stub_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE intent ADD COLUMN"
	" number INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE intent ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;",
};

enum { VERSION = sizeof(steps) / sizeof(steps[0]) };

/* ---- the file ---- */

static enum err
db_run(struct state *s, const char *sql, struct errbuf *eb)
{
	return state_db_error(
	    s, sqlite3_exec(s->db, sql, NULL, NULL, NULL), eb);
}

/* The first column of the first row. */
static enum err
db_ask(struct state *s, const char *sql, int64_t *v_r, char *text, size_t size,
    struct errbuf *eb)
{
	struct query q = { .s = s };

	*v_r = 0;
	q.rc = sqlite3_prepare_v2(s->db, sql, -1, &q.st, NULL);
	if (query_row(&q)) {
		*v_r = sqlite3_column_int64(q.st, 0);
		query_get_text(&q, text, size);
	}
	q.rc = sqlite3_finalize(q.st);
	return state_db_error(s, q.rc, eb);
}

static enum err
ask_number(struct state *s, const char *sql, int64_t *v_r, struct errbuf *eb)
{
	return db_ask(s, sql, v_r, NULL, 0, eb);
}

/* Version 0 is a file with nothing in it. */
static enum err
read_version(struct state *s, int64_t *version_r, struct errbuf *eb)
{
	int64_t id, tables;
	enum err e;

	if ((e = ask_number(s, "PRAGMA application_id", &id, eb)) != E_OK ||
	    (e = ask_number(s, "PRAGMA user_version", version_r, eb)) != E_OK ||
	    (e = ask_number(
		 s, "SELECT count(*) FROM sqlite_schema", &tables, eb)) != E_OK)
		return e;
	if (*version_r > VERSION && id == APPLICATION_ID)
		return err_set(
		    eb, E_CONFIG, _("%s was made by a newer malote"), s->file);
	if (id != APPLICATION_ID && (id != 0 || *version_r != 0 || tables != 0))
		return err_set(eb, E_CONFIG,
		    _("%s is the database of another program"), s->file);
	return E_OK;
}

/* In one transaction: another process may be making the tables. */
static enum err
read_version_alone(struct state *s, int64_t *version_r, struct errbuf *eb)
{
	enum err e = db_run(s, "BEGIN", eb), end;

	if (e != E_OK)
		return e;
	e = read_version(s, version_r, eb);
	end = db_run(s, "COMMIT", e == E_OK ? eb : NULL);
	return e == E_OK ? end : e;
}

static enum err
migrate(struct state *s, struct errbuf *eb)
{
	char sql[64];
	int64_t version;
	enum err e, end;

	if ((e = db_run(s, "BEGIN IMMEDIATE", eb)) != E_OK)
		return e;
	e = read_version(s, &version, eb); /* now nobody else changes it */
	for (; e == E_OK && version < VERSION; version++)
		e = db_run(s, steps[version], eb);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", VERSION);
	if (e == E_OK)
		e = db_run(s, sql, eb);
	end =
	    db_run(s, e == E_OK ? "COMMIT" : "ROLLBACK", e == E_OK ? eb : NULL);
	return e == E_OK ? end : e;
}

/* What is in there is not what its version says: it is damaged. */
static enum err
db_prepare(struct state *s, struct errbuf *eb)
{
	for (int i = 0; i < STATEMENTS; i++) {
		int rc = sqlite3_prepare_v3(s->db, state_statements[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &s->st[i], NULL);

		if (rc == SQLITE_ERROR)
			return state_db_damaged(s, eb);
		if (rc != SQLITE_OK)
			return state_db_error(s, rc, eb);
	}
	return E_OK;
}

static enum err
check(struct state *s, struct errbuf *eb)
{
	char words[8];
	int64_t v;
	enum err e =
	    db_ask(s, "PRAGMA quick_check(1)", &v, words, sizeof(words), eb);

	if (e == E_OK && strcmp(words, "ok") != 0)
		e = state_db_damaged(s, eb);
	return e;
}

static enum err
set_up(struct state *s, struct errbuf *eb)
{
	int64_t version;
	enum err e;

	if ((e = db_run(s, "PRAGMA foreign_keys = ON", eb)) != E_OK ||
	    (e = db_run(s, "PRAGMA synchronous = FULL", eb)) != E_OK ||
	    (e = db_run(s, "PRAGMA journal_mode = WAL", eb)) != E_OK ||
	    (e = read_version_alone(s, &version, eb)) != E_OK ||
	    (version < VERSION && (e = migrate(s, eb)) != E_OK) ||
	    (e = check(s, eb)) != E_OK)
		return e;
	return db_prepare(s, eb);
}

/* SQLite would make it as readable as others of the person's files.  It is never
 * opened here: closing it would give up the locks of this process on it. */
static enum err
make_file(const struct state *s, struct errbuf *eb)
{
	struct stat st;

	if (mknod(s->file, S_IFREG | 0600, 0) != 0 &&
	    (stat(s->file, &st) != 0 ||
		((st.st_mode & 077) != 0 && chmod(s->file, 0600) != 0)))
		return err_sys(eb, E_IO, "%s", s->file);
	return E_OK;
}

static enum err
open_once(struct state *s, struct errbuf *eb)
{
	enum err e;
	int rc;

	rc = sqlite3_open_v2(
	    s->file, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(s->db, BUSY_MS);
	e = rc == SQLITE_OK ? set_up(s, eb) : state_db_error(s, rc, eb);
	if (e == E_FORMAT) /* its log is left as it is */
		sqlite3_db_config(
		    s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (e != E_OK)
		state_db_close(s);
	return e;
}

/* SQLite does not wait for another process that is just making it a WAL, or
 * recovering it: that is over soon. */
enum err
state_db_open(struct state *s, struct errbuf *eb)
{
	const struct timespec moment = { 0, 10 * 1000 * 1000 };
	uint64_t end = clock_ms() + BUSY_MS;
	enum err e = make_file(s, eb);

	if (e != E_OK)
		return e;
	while ((e = open_once(s, eb)) == E_BUSY && clock_ms() < end)
		nanosleep(&moment, NULL);
	return e;
}

void
state_db_close(struct state *s)
{
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(s->st[i]);
		s->st[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

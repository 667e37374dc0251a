#include "server/users/app_database.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "net/cidr.h"
#include "server/ipc/proto.h"

#define APPLICATION 0x6d6c6170 /* "mlap" */
#define VERSION     1

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

/* The salt is that of all: an app password is too long for anybody to have made
 * a list of digests, with or without one. */
static const char schema[] =
    "CREATE TABLE about (salt BLOB NOT NULL) STRICT;"
    "CREATE TABLE app_password ("
    " user TEXT NOT NULL, label TEXT NOT NULL,"
    " protocol TEXT NOT NULL, networks TEXT NOT NULL,"
    " created INTEGER NOT NULL, until INTEGER NOT NULL,"
    " digest BLOB NOT NULL UNIQUE,"
    " PRIMARY KEY (user, label)) STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = " TEXT_OF(
	APPLICATION) ";"
		     "PRAGMA user_version = " TEXT_OF(
			 VERSION) ";"
				  "INSERT INTO about VALUES (randomblob(16));";

struct app_database {
	sqlite3 *db;
	uint8_t salt[APP_SALT];
};

enum err
app_database_init(void)
{
	return sodium_init() >= 0 && sqlite3_initialize() == SQLITE_OK
		   ? E_OK
		   : E_NOMEM;
}

static enum err
fault(const struct app_database *d, struct errbuf *eb)
{
	int code = d->db != NULL ? sqlite3_errcode(d->db) : SQLITE_NOMEM;

	if (code == SQLITE_NOMEM)
		return err_set(eb, E_NOMEM, "out of memory");
	return err_set(eb, E_CONFIG, "%s", sqlite3_errmsg(d->db));
}

/* ---- opening ---- */

/* Whatever is in the file, it is no program. */
static void
harden(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1024 * 1024);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

/* SQLite frees the copy. */
static enum err
load(struct app_database *d, struct slice image, struct errbuf *eb)
{
	unsigned char *copy = sqlite3_malloc64(image.n);

	if (copy == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	memcpy(copy, image.p, image.n);
	return sqlite3_deserialize(d->db, "main", copy, (sqlite3_int64)image.n,
		   (sqlite3_int64)image.n,
		   SQLITE_DESERIALIZE_FREEONCLOSE |
		       SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK
		   ? E_OK
		   : fault(d, eb);
}

static enum err
number(struct app_database *d, const char *sql, int64_t *v_r, struct errbuf *eb)
{
	sqlite3_stmt *st = NULL;
	enum err e = E_OK;

	if (sqlite3_prepare_v2(d->db, sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		e = fault(d, eb);
	else
		*v_r = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return e;
}

static enum err
check(struct app_database *d, struct errbuf *eb)
{
	int64_t application = 0, version = 0;
	enum err e;

	if ((e = number(d, "PRAGMA application_id", &application, eb)) !=
		E_OK ||
	    (e = number(d, "PRAGMA user_version", &version, eb)) != E_OK)
		return e;
	if (application != APPLICATION)
		return err_set(
		    eb, E_CONFIG, "this is no database of app passwords");
	if (version != VERSION)
		return err_set(eb, E_CONFIG,
		    "this database is of another version of malote");
	return E_OK;
}

static enum err
get_salt(struct app_database *d, struct errbuf *eb)
{
	sqlite3_stmt *st = NULL;
	enum err e = E_OK;

	if (sqlite3_prepare_v2(
		d->db, "SELECT salt FROM about", -1, &st, NULL) != SQLITE_OK)
		e = fault(d, eb);
	else if (sqlite3_step(st) != SQLITE_ROW ||
		 sqlite3_column_type(st, 0) != SQLITE_BLOB ||
		 sqlite3_column_bytes(st, 0) != APP_SALT)
		e = err_set(eb, E_CONFIG, "this database has no salt");
	else
		memcpy(d->salt, sqlite3_column_blob(st, 0), APP_SALT);
	sqlite3_finalize(st);
	return e;
}

enum err
app_database_open(
    struct app_database **db_r, struct slice image, struct errbuf *eb)
{
	struct app_database *d = calloc(1, sizeof(*d));
	enum err e = E_OK;

	*db_r = NULL;
	if (d == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if (sqlite3_open_v2(":memory:", &d->db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK)
		e = fault(d, eb);
	else if (image.n != 0)
		e = load(d, image, eb);
	if (e == E_OK)
		harden(d->db);
	if (e == E_OK && image.n == 0 &&
	    sqlite3_exec(d->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		e = fault(d, eb);
	if (e != E_OK || (e = check(d, eb)) != E_OK ||
	    (e = get_salt(d, eb)) != E_OK) {
		app_database_close(d);
		return e;
	}
	*db_r = d;
	return E_OK;
}

void
app_database_close(struct app_database *d)
{
	if (d == NULL)
		return;
	sqlite3_close(d->db);
	free(d);
}

const uint8_t *
app_database_salt(const struct app_database *d)
{
	return d->salt;
}

/* ---- reading ---- */

enum { USER, LABEL, PROTOCOL, NETWORKS, CREATED, UNTIL, DIGEST };

/* NULL: it is none, or longer than max, or has a NUL. */
static const char *
text(sqlite3_stmt *st, int column, size_t max)
{
	const char *s = NULL;

	if (sqlite3_column_type(st, column) == SQLITE_TEXT)
		s = (const char *)sqlite3_column_text(st, column);
	if (s == NULL || strlen(s) > max ||
	    strlen(s) != (size_t)sqlite3_column_bytes(st, column))
		return NULL;
	return s;
}

static bool
is_time(sqlite3_stmt *st, int column)
{
	return sqlite3_column_type(st, column) == SQLITE_INTEGER &&
	       sqlite3_column_int64(st, column) >= 0;
}

/* False: it makes no sense, and gives nobody a password. */
static bool
get_row(sqlite3_stmt *st, struct app_row *row)
{
	row->user = text(st, USER, NAME_MAX_OCTETS);
	row->label = text(st, LABEL, APP_LABEL_MAX);
	row->protocol = text(st, PROTOCOL, APP_LABEL_MAX);
	row->networks = text(st, NETWORKS, APP_NETWORKS_MAX);
	if (row->user == NULL || row->label == NULL || row->protocol == NULL ||
	    row->networks == NULL || !is_time(st, CREATED) ||
	    !is_time(st, UNTIL) ||
	    sqlite3_column_type(st, DIGEST) != SQLITE_BLOB ||
	    sqlite3_column_bytes(st, DIGEST) != APP_DIGEST)
		return false;
	row->created = (uint64_t)sqlite3_column_int64(st, CREATED);
	row->until = (uint64_t)sqlite3_column_int64(st, UNTIL);
	row->digest = sqlite3_column_blob(st, DIGEST);
	return row->networks[0] == '\0' ||
	       cidr_list_is_good(
		   (struct slice){ row->networks, strlen(row->networks) });
}

enum err
app_database_each(struct app_database *d,
    enum err (*take)(void *arg, const struct app_row *row), void *arg,
    unsigned *bad_r, struct errbuf *eb)
{
	static const char sql[] =
	    "SELECT user, label, protocol, networks, created, until, digest "
	    "FROM app_password ORDER BY user, label";
	sqlite3_stmt *st = NULL;
	struct app_row row;
	enum err e = E_OK;
	int rc;

	*bad_r = 0;
	if (sqlite3_prepare_v2(d->db, sql, -1, &st, NULL) != SQLITE_OK)
		return fault(d, eb);
	while (e == E_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (get_row(st, &row))
			e = take(arg, &row);
		else
			(*bad_r)++;
	}
	if (e == E_OK && rc != SQLITE_DONE)
		e = fault(d, eb);
	sqlite3_finalize(st);
	return e;
}

/* ---- changing ---- */

/* Does the statement, which gives no rows.  Takes st. */
static enum err
run(struct app_database *d, sqlite3_stmt *st, struct errbuf *eb)
{
	int rc = sqlite3_step(st);

	sqlite3_finalize(st);
	if (rc == SQLITE_CONSTRAINT)
		return err_set(
		    eb, E_BUSY, "this user has an app password of this label");
	return rc == SQLITE_DONE ? E_OK : fault(d, eb);
}

enum err
app_database_add(
    struct app_database *d, const struct app_row *row, struct errbuf *eb)
{
	static const char sql[] =
	    "INSERT INTO app_password (user, label, protocol, networks, "
	    "created, until, digest) VALUES (?, ?, ?, ?, ?, ?, ?)";
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(d->db, sql, -1, &st, NULL) != SQLITE_OK)
		return fault(d, eb);
	sqlite3_bind_text(st, USER + 1, row->user, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, LABEL + 1, row->label, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, PROTOCOL + 1, row->protocol, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, NETWORKS + 1, row->networks, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, CREATED + 1, (sqlite3_int64)row->created);
	sqlite3_bind_int64(st, UNTIL + 1, (sqlite3_int64)row->until);
	sqlite3_bind_blob(
	    st, DIGEST + 1, row->digest, APP_DIGEST, SQLITE_STATIC);
	return run(d, st, eb);
}

enum err
app_database_remove(struct app_database *d, const char *user, const char *label,
    unsigned *n_r, struct errbuf *eb)
{
	static const char sql[] = "DELETE FROM app_password WHERE user = ?1 "
				  "AND (?2 IS NULL OR label = ?2)";
	sqlite3_stmt *st = NULL;
	enum err e;

	*n_r = 0;
	if (sqlite3_prepare_v2(d->db, sql, -1, &st, NULL) != SQLITE_OK)
		return fault(d, eb);
	sqlite3_bind_text(st, 1, user, -1, SQLITE_STATIC);
	if (label != NULL)
		sqlite3_bind_text(st, 2, label, -1, SQLITE_STATIC);
	if ((e = run(d, st, eb)) == E_OK)
		*n_r = (unsigned)sqlite3_changes(d->db);
	return e;
}

enum err
app_database_image(
    struct app_database *d, char **image_r, size_t *n_r, struct errbuf *eb)
{
	sqlite3_int64 n = 0;
	unsigned char *image = sqlite3_serialize(d->db, "main", &n, 0);

	*image_r = image != NULL ? malloc((size_t)n + 1) : NULL;
	*n_r = (size_t)n;
	if (*image_r != NULL)
		memcpy(*image_r, image, (size_t)n);
	sqlite3_free(image);
	return *image_r != NULL ? E_OK : err_set(eb, E_NOMEM, "out of memory");
}

/*
 * Users in MariaDB or MySQL: see db_driver.h.
 *
 * The name is a parameter of a prepared statement, never part of its text; it stays
 * prepared as long as the connection is kept.  The
 * library waits for a server by a function of ours, so that the deadline is ours.
 */
#include <ctype.h>
#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/helper/db_driver.h"
#include "server/helper/db_words.h"

enum {
	/* As mysql/client_plugin.h has it, which includes what is not installed. */
	AUTHENTICATION_PLUGIN = 2,
	OCCURRENCES = 16, /* of parameters in a query */
	PACKET_MAX = 1024 * 1024,
};

/* What `connection` says. */
struct place {
	char host[DB_WORD_MAX], user[DB_WORD_MAX], password[DB_WORD_MAX];
	char dbname[DB_WORD_MAX], port[DB_WORD_MAX];
	struct db_tls tls;
};

struct connection {
	MYSQL *db;
	MYSQL_STMT *query;      /* prepared, or NULL */
	size_t of[OCCURRENCES]; /* the number of each `?` in it, from 0 */
	size_t n_of;
	char column[ROW_OCTETS_MAX + 1];
};

/* ---- where it is ---- */

static enum err
check_place(const struct place *p, struct errbuf *eb)
{
	uint32_t port;

	if (!str_to_u32((struct slice){ p->port, strlen(p->port) }, &port) ||
	    port == 0 || port > UINT16_MAX)
		return err_set(
		    eb, E_CONFIG, "connection: port must be a number");
	return db_tls_check(&p->tls, "ssl", eb);
}

static enum err
read_place(struct place *p, const char *words, struct errbuf *eb)
{
	const struct db_word known[] = {
		{ "host", p->host },
		{ "port", p->port },
		{ "user", p->user },
		{ "password", p->password },
		{ "dbname", p->dbname },
		{ "ssl", p->tls.how },
		{ "ssl_ca", p->tls.authorities },
	};
	enum err e;

	*p = (struct place){ .host = "localhost", .port = "3306" };
	db_tls_default(&p->tls);
	e = db_words_take(words, known, sizeof(known) / sizeof(known[0]), eb);
	return e == E_OK ? check_place(p, eb) : e;
}

/* ---- before ---- */

static enum err
prepare(const struct db_conf *c, struct db_reach *r, struct errbuf *eb)
{
	static const char *const plugins[] = { "mysql_native_password",
		"caching_sha2_password", "client_ed25519", "sha256_password" };
	/* For the resolver and the library of TLS. */
	static const char *const folders[] = { "/etc", "/run/systemd/resolve",
		"/usr/lib/ssl", "/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates", "/usr/share/mysql",
		"/usr/share/mariadb" };
	static struct place p; /* a path of it is borrowed */
	MYSQL *db;
	enum err e;

	if (mysql_library_init(0, NULL, NULL) != 0 ||
	    (db = mysql_init(NULL)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	/* They are files, which cannot be loaded later. */
	for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++)
		mysql_client_find_plugin(db, plugins[i], AUTHENTICATION_PLUGIN);
	mysql_close(db);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		db_reach_path(r, folders[i]);
	e = read_place(&p, c->connection, eb);
	explicit_bzero(p.password, sizeof(p.password));
	db_reach_path(r, p.tls.authorities);
	db_reach_port(r, (uint32_t)strtoul(p.port, NULL, 10));
	return e;
}

/* ---- connecting ---- */

static void
end_query(struct connection *c)
{
	if (c->query != NULL)
		mysql_stmt_close(c->query);
	c->query = NULL;
}

static void
close_connection(void *conn)
{
	struct connection *c = conn;

	if (c->db != NULL)
		mysql_close(c->db);
	/* Then there is nobody to tell it to. */
	end_query(c);
	explicit_bzero(c->column, sizeof(c->column));
	free(c);
}

/* What a failure means: that of a server which was waited for as long as may be
 * is another than that of one which is gone.  Of an answer that breaks off the
 * library gives no number. */
static enum err
fail(unsigned number, const char *words, uint64_t until, struct errbuf *eb)
{
	enum err e = number != 0 && number < CR_MIN_ERROR ? E_CONFIG : E_CLOSED;

	if (e == E_CLOSED && clock_ms() >= until)
		return err_set(eb, E_AGAIN, "it does not answer");
	return err_set(
	    eb, e, "%s", number != 0 ? words : "its answer breaks off");
}

/* Of what this thread asks now. */
static _Thread_local uint64_t deadline;

/* While it connects: for one address of a server; else 0. */
static _Thread_local unsigned address_ms;

/* The library's own timeouts are for each octet that comes, and not all in the
 * same unit. */
static int
await(my_socket fd, my_bool reads, int timeout)
{
	struct pollfd p = { .fd = fd, .events = reads ? POLLIN : POLLOUT };
	uint64_t now = clock_ms(), until = deadline;
	int r;

	if (address_ms != 0 && !reads && now + address_ms < until)
		until = now + address_ms;
	do
		r = now < until ? poll(&p, 1, (int)(until - now)) : 0;
	while (r < 0 && errno == EINTR && (now = clock_ms()) < until);
	return r;
}

static void
set_options(MYSQL *db, const struct place *p, unsigned timeout)
{
	bool tls = p->host[0] != '/' && db_tls_is_used(&p->tls);
	unsigned long packet = PACKET_MAX;
	my_bool yes = 1;
	unsigned no = 0;

	mysql_optionsv(db, MARIADB_OPT_IO_WAIT, await);
	/* Without them it would not wait by that function. */
	mysql_optionsv(db, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
	mysql_optionsv(db, MYSQL_OPT_READ_TIMEOUT, &timeout);
	mysql_optionsv(db, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
	mysql_optionsv(db, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	/* A server could ask for any file of this machine. */
	mysql_optionsv(db, MYSQL_OPT_LOCAL_INFILE, &no);
	if (!tls)
		return;
	mysql_optionsv(db, MYSQL_OPT_SSL_ENFORCE, &yes);
	mysql_optionsv(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
	mysql_optionsv(db, MYSQL_OPT_SSL_CA, p->tls.authorities);
}

/* Below TLS the library reads a whole record without asking await(). */
static enum err
never_block(MYSQL *db, struct errbuf *eb)
{
	int fd = mysql_get_socket(db);

	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0
		   ? E_OK
		   : err_sys(eb, E_IO, "fcntl");
}

static enum err
connect_to(
    MYSQL *db, const struct db_conf *conf, uint64_t until, struct errbuf *eb)
{
	struct place p;
	bool local;
	enum err e = read_place(&p, conf->connection, eb);

	/* A row that is as it was before counts as changed, too. */
	if (e == E_OK) {
		local = p.host[0] == '/';
		set_options(db, &p, conf->timeout);
		/* Of two that its name has the second one has its time, too. */
		address_ms = conf->timeout * 1000u / 2;
		if (mysql_real_connect(db, local ? NULL : p.host, p.user,
			p.password, p.dbname,
			(unsigned)strtoul(p.port, NULL, 10),
			local ? p.host : NULL, CLIENT_FOUND_ROWS) == NULL)
			e = fail(CR_MIN_ERROR, mysql_error(db), until, eb);
		else
			e = never_block(db, eb);
		address_ms = 0;
	}
	explicit_bzero(&p, sizeof(p));
	return e;
}

/* "$2" and so on become "?", as the server has it. */
static enum err
number_parameters(struct connection *c, char *query, struct errbuf *eb)
{
	char *to = query;

	c->n_of = 0;
	for (const char *p = query; *p != '\0'; p++) {
		bool is =
		    *p == '$' && p[1] > '0' && p[1] <= '0' + DB_PARAMETERS;

		if (is && c->n_of == OCCURRENCES)
			return err_set(eb, E_CONFIG,
			    "the query has more than %d parameters",
			    OCCURRENCES);
		if (is)
			c->of[c->n_of++] = (size_t)(*++p - '1');
		*to++ = is ? '?' : *p;
	}
	*to = '\0';
	return E_OK;
}

static enum err
prepare_query(struct connection *c, const char words[DB_QUERY_MAX],
    uint64_t until, struct errbuf *eb)
{
	char query[DB_QUERY_MAX];
	enum err e;

	end_query(c);
	memcpy(query, words, sizeof(query));
	if ((e = number_parameters(c, query, eb)) != E_OK)
		return e;
	if ((c->query = mysql_stmt_init(c->db)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if (mysql_stmt_prepare(c->query, query, strlen(query)) != 0)
		return fail(mysql_stmt_errno(c->query),
		    mysql_stmt_error(c->query), until, eb);
	return mysql_stmt_param_count(c->query) == c->n_of
		   ? E_OK
		   : err_set(eb, E_CONFIG,
			 "the query has a ? of its own; write $1");
}

static enum err
open_connection(void **conn_r, const struct db_conf *conf, uint64_t until,
    struct errbuf *eb)
{
	struct connection *c = calloc(1, sizeof(*c));
	enum err e = E_NOMEM;

	deadline = until;
	if (c == NULL || (c->db = mysql_init(NULL)) == NULL)
		err_set(eb, E_NOMEM, "out of memory");
	else
		e = connect_to(c->db, conf, until, eb);
	if (e == E_OK)
		*conn_r = c;
	else if (c != NULL)
		close_connection(c);
	return e;
}

/* ---- asking ---- */

static enum err
execute(struct connection *c, const struct db_parameters *p, uint64_t until,
    struct errbuf *eb)
{
	MYSQL_BIND bind[OCCURRENCES];

	memset(bind, 0, sizeof(bind));
	for (size_t i = 0; i < c->n_of; i++) {
		const char *value = p->value[c->of[i]];

		bind[i].buffer_type =
		    value != NULL ? MYSQL_TYPE_STRING : MYSQL_TYPE_NULL;
		bind[i].buffer = (void *)value;
		bind[i].buffer_length = value != NULL ? strlen(value) : 0;
	}
	if (mysql_stmt_bind_param(c->query, bind) != 0 ||
	    mysql_stmt_execute(c->query) != 0)
		return fail(mysql_stmt_errno(c->query),
		    mysql_stmt_error(c->query), until, eb);
	return E_OK;
}

static enum err
take_column(struct connection *c, unsigned i, const char *name,
    struct db_row *row, struct errbuf *eb)
{
	unsigned long n = 0;
	my_bool is_null = 0;
	MYSQL_BIND bind = { .buffer_type = MYSQL_TYPE_STRING,
		.buffer = c->column,
		.buffer_length = sizeof(c->column),
		.length = &n,
		.is_null = &is_null };

	if (mysql_stmt_fetch_column(c->query, &bind, i, 0) != 0)
		return err_set(eb, E_CLOSED, "%s", mysql_stmt_error(c->query));
	/* What is too long was cut, but its length is true. */
	return db_row_put(row, name, is_null ? NULL : c->column, n, eb);
}

/* The next row; E_NOENT: there is no more. */
static enum err
fetch(struct connection *c, uint64_t until, struct errbuf *eb)
{
	switch (mysql_stmt_fetch(c->query)) {
	case 0:
	case MYSQL_DATA_TRUNCATED: return E_OK; /* nothing was asked for yet */
	case MYSQL_NO_DATA: return E_NOENT;
	default:
		return fail(mysql_stmt_errno(c->query),
		    mysql_stmt_error(c->query), until, eb);
	}
}

static enum err
take_columns(struct connection *c, MYSQL_RES *about, struct db_row *row,
    struct errbuf *eb)
{
	unsigned n = mysql_num_fields(about);
	enum err e = E_OK;

	for (unsigned i = 0; i < n && e == E_OK; i++)
		e = take_column(
		    c, i, mysql_fetch_field_direct(about, i)->name, row, eb);
	return e;
}

/* Row by row, so that a query which finds everybody costs no memory. */
static enum err
take_row(
    struct connection *c, struct db_row *row, uint64_t until, struct errbuf *eb)
{
	MYSQL_RES *about = mysql_stmt_result_metadata(c->query);
	enum err e, more;

	if (about == NULL)
		return err_set(eb, E_CONFIG, "the query gives no rows at all");
	if ((e = fetch(c, until, eb)) == E_OK &&
	    (e = take_columns(c, about, row, eb)) == E_OK &&
	    (more = fetch(c, until, eb)) != E_NOENT)
		e = more != E_OK ? more
				 : err_set(eb, E_CONFIG,
				       "the query gives more than one row");
	mysql_free_result(about);
	return e;
}

/* May the query of a connection stay prepared?  The library keeps the names of the
 * columns as they were then, whatever becomes of the table: so only one whose own
 * words say them. */
static bool
names_columns(const char *query)
{
	static const char word[] = "SELECT";
	const char *p = query + strspn(query, " \t\r\n");

	return strncasecmp(p, word, strlen(word)) == 0 &&
	       isspace((unsigned char)p[strlen(word)]) &&
	       strchr(p, '*') == NULL;
}

/* Does the server, or what stands between, not have what was prepared any more? */
static bool
is_forgotten(const struct connection *c)
{
	unsigned number = mysql_stmt_errno(c->query);

	return number == ER_UNKNOWN_STMT_HANDLER || number == ER_NEED_REPREPARE;
}

static enum err
ask(struct connection *c, const struct db_conf *conf,
    const struct db_parameters *p, uint64_t until, struct errbuf *eb)
{
	enum err e;

	if (c->query != NULL) {
		e = execute(c, p, until, eb);
		if (e == E_OK || !is_forgotten(c))
			return e;
		*eb = (struct errbuf){ "" };
	}
	e = prepare_query(c, conf->query, until, eb);
	return e == E_OK ? execute(c, p, until, eb) : e;
}

static enum err
find(void *conn, const struct db_conf *conf, const char *name, uint64_t until,
    struct db_row *row, struct errbuf *eb)
{
	struct connection *c = conn;
	struct db_parameters p;
	enum err e;

	deadline = until;
	db_parameters(&p, conf->query, name);
	e = ask(c, conf, &p, until, eb);
	if (e == E_OK)
		e = take_row(c, row, until, eb);
	/* Of these all of the answer has been read. */
	if ((e != E_OK && e != E_NOENT) || !names_columns(conf->query) ||
	    mysql_stmt_free_result(c->query) != 0)
		end_query(c);
	return e;
}

/* ---- for an admin ---- */

static enum err
give_names(MYSQL_RES *about, struct db_result *to, struct errbuf *eb)
{
	struct db_row row = { .n = 0 };
	enum err e = E_OK;

	for (unsigned i = 0; i < mysql_num_fields(about) && e == E_OK; i++)
		e = db_row_put(
		    &row, mysql_fetch_field_direct(about, i)->name, "", 0, eb);
	return e == E_OK ? db_result_row(to, &row, eb) : e;
}

static enum err
give_rows(struct connection *c, MYSQL_RES *about, struct db_result *to,
    uint64_t until, struct errbuf *eb)
{
	enum err e;

	/* Of a change that gives rows, each is one that was changed. */
	for (to->changed = 0; (e = fetch(c, until, eb)) == E_OK;
	     to->changed++) {
		struct db_row row = { .n = 0 };

		if ((e = take_columns(c, about, &row, eb)) == E_OK)
			e = db_result_row(to, &row, eb);
		db_row_clear(&row);
		if (e != E_OK)
			break;
	}
	return e == E_NOENT ? E_OK : e;
}

/* Of a query that gives rows; with DB_TRY it was not executed. */
static enum err
give_results(struct connection *c, const struct db_command *cmd, uint64_t until,
    struct db_result *to, struct errbuf *eb)
{
	MYSQL_RES *about = mysql_stmt_result_metadata(c->query);
	enum err e = E_OK;

	if (about == NULL)
		return E_OK;
	e = give_names(about, to, eb);
	if (e == E_OK && cmd->what != DB_TRY)
		e = give_rows(c, about, to, until, eb);
	mysql_free_result(about);
	return e;
}

static enum err
run(void *conn, const struct db_conf *conf, const struct db_command *cmd,
    uint64_t until, struct db_result *to, struct errbuf *eb)
{
	bool changes = cmd->what == DB_CHANGE;
	struct connection *c = conn;
	struct db_parameters p;
	enum err e;

	deadline = until;
	db_parameters_of(&p, cmd);
	e = prepare_query(c, cmd->query, until, eb);
	if (e == E_OK &&
	    mysql_query(c->db, changes ? "START TRANSACTION"
				       : "START TRANSACTION READ ONLY") != 0)
		e = fail(mysql_errno(c->db), mysql_error(c->db), until, eb);
	if (e == E_OK && cmd->what != DB_TRY &&
	    (e = execute(c, &p, until, eb)) == E_OK)
		to->changed = mysql_stmt_affected_rows(c->query);
	if (e == E_OK)
		e = give_results(c, cmd, until, to, eb);
	end_query(c);
	return e == E_OK && changes ? db_result_check(to, eb) : e;
}

static enum err
commit(void *conn, uint64_t until, struct errbuf *eb)
{
	struct connection *c = conn;

	deadline = until;
	return mysql_commit(c->db) == 0
		   ? E_OK
		   : fail(mysql_errno(c->db), mysql_error(c->db), until, eb);
}

extern const struct db_driver db_mysql;
const struct db_driver db_mysql = { .prepare = prepare,
	.open = open_connection,
	.find = find,
	.run = run,
	.commit = commit,
	.close = close_connection };

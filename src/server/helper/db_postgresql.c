/*
 * Users in PostgreSQL: see db_driver.h.
 *
 * The name is a parameter of the query, never part of its text.  libpq is asked
 * without waiting, so that the deadline is ours; only connecting may take longer,
 * as libpq has a time for each address there.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/helper/db_driver.h"

enum { DEFAULT_PORT = 5432, LEAST_TIMEOUT = 2 /* of libpq's */ };

/* libpq's words end in a LF, and may have several lines. */
static enum err
fail(enum err e, const char *words, struct errbuf *eb)
{
	size_t n = strcspn(words, "\n");

	return err_set(eb, e, "%.*s", (int)n, n != 0 ? words : "it failed");
}

static enum err
late(struct errbuf *eb)
{
	return err_set(eb, E_AGAIN, "it does not answer");
}

/* ---- before ---- */

/* As what `connection`, and the file of a service that it names, do not say: the
 * server's certificate is verified, by those whom the machine trusts. */
static void
set_defaults(unsigned timeout)
{
	unsigned half = timeout > 4 ? timeout / 2 : LEAST_TIMEOUT;
	const char *authorities = db_authorities();
	char seconds[16];

	setenv("PGSSLMODE", "verify-full", 1);
	setenv("PGGSSENCMODE", "disable", 1);
	setenv("PGCLIENTENCODING", "UTF8", 1);
	setenv("PGAPPNAME", "maloted", 1);
	/* libpq looks there for a certificate of ours, and gives up if it may
	 * not look into the home directory of the user. */
	setenv("HOME", "/", 1);
	/* For each address of each host, as the first one may be silent. */
	snprintf(seconds, sizeof(seconds), "%u", half);
	setenv("PGCONNECT_TIMEOUT", seconds, 1);
	if (authorities[0] != '\0')
		setenv("PGSSLROOTCERT", authorities, 1);
}

static bool
is_file(const char *keyword)
{
	return strcmp(keyword, "sslrootcert") == 0 ||
	       strcmp(keyword, "sslcert") == 0 ||
	       strcmp(keyword, "sslkey") == 0 ||
	       strcmp(keyword, "sslcrl") == 0 ||
	       strcmp(keyword, "sslcrldir") == 0 ||
	       strcmp(keyword, "passfile") == 0;
}

/* One for each host, with commas between; none is the usual one. */
static void
reach_ports(struct db_reach *r, const char *ports)
{
	for (const char *p = ports; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (*p != '\0' && *p != ',')
			db_reach_port(r, (uint32_t)strtoul(p, NULL, 10));
	}
}

static enum err
prepare(const struct db_conf *c, struct db_reach *r, struct errbuf *eb)
{
	/* For the resolver, OpenSSL, and libpq itself. */
	static const char *const folders[] = { "/etc", "/run/systemd/resolve",
		"/usr/lib/ssl", "/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates", "/usr/share/zoneinfo" };
	PQconninfoOption *options;
	char *words = NULL;

	set_defaults(c->timeout);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		db_reach_path(r, folders[i]);
	if ((options = PQconninfoParse(c->connection, &words)) == NULL) {
		fail(E_CONFIG, words != NULL ? words : "out of memory", eb);
		PQfreemem(words);
		return E_CONFIG;
	}
	/* They are there as long as the process is. */
	for (PQconninfoOption *o = options; o->keyword != NULL; o++) {
		if (o->val != NULL && is_file(o->keyword))
			db_reach_path(r, o->val);
		if (o->val != NULL && strcmp(o->keyword, "port") == 0)
			reach_ports(r, o->val);
		/* What stands in the file of services is not looked for. */
		if (o->val != NULL && strcmp(o->keyword, "service") == 0)
			r->any_port = true;
	}
	db_reach_port(r, DEFAULT_PORT);
	return E_OK;
}

/* ---- connecting ---- */

/* Until the server's socket is ready for that; E_AGAIN: it was not. */
static enum err
await(PGconn *conn, short events, uint64_t until, struct errbuf *eb)
{
	struct pollfd fd = { .fd = PQsocket(conn), .events = events };
	uint64_t now = clock_ms();
	int r;

	if (fd.fd < 0)
		return fail(E_CLOSED, PQerrorMessage(conn), eb);
	do
		r = now < until ? poll(&fd, 1, (int)(until - now)) : 0;
	while (r < 0 && errno == EINTR && (now = clock_ms()) < until);
	return r > 0 ? E_OK : late(eb);
}

/* libpq would write them to standard error, which is the log. */
static void
pass_over(void *arg, const char *notice)
{
}

static enum err
open_connection(
    void **conn_r, const struct db_conf *c, uint64_t until, struct errbuf *eb)
{
	PGconn *conn = PQconnectdb(c->connection);
	enum err e = E_OK;

	if (conn == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	PQsetNoticeProcessor(conn, pass_over, NULL);
	if (PQstatus(conn) != CONNECTION_OK || PQsetnonblocking(conn, 1) != 0)
		e = clock_ms() < until
			? fail(E_CLOSED, PQerrorMessage(conn), eb)
			: late(eb);
	if (e == E_OK)
		*conn_r = conn;
	else
		PQfinish(conn);
	return e;
}

/* ---- asking ---- */

/* Until all that was sent is on its way. */
static enum err
flush(PGconn *conn, uint64_t until, struct errbuf *eb)
{
	enum err e = E_OK;
	int r;

	while (e == E_OK && (r = PQflush(conn)) != 0) {
		if (r < 0)
			return fail(E_CLOSED, PQerrorMessage(conn), eb);
		e = await(conn, POLLOUT, until, eb);
	}
	return e;
}

/* A parameter that does not stand in the query has a type all the same: the
 * server could not guess one. */
static enum err
send_query(PGconn *conn, const char *query, const struct db_parameters *p,
    uint64_t until, struct errbuf *eb)
{
	enum { TEXT_OID = 25 };
	Oid type[DB_PARAMETERS];

	for (size_t i = 0; i < DB_PARAMETERS; i++)
		type[i] = p->stands[i] ? 0 : TEXT_OID;
	if (PQsendQueryParams(
		conn, query, (int)p->n, type, p->value, NULL, NULL, 0) == 0 ||
	    PQsetSingleRowMode(conn) == 0)
		return fail(E_CLOSED, PQerrorMessage(conn), eb);
	return flush(conn, until, eb);
}

/* The next result; NULL: there are no more. */
static enum err
next_result(
    PGconn *conn, PGresult **result_r, uint64_t until, struct errbuf *eb)
{
	enum err e = E_OK;

	while (e == E_OK && PQisBusy(conn)) {
		e = await(conn, POLLIN, until, eb);
		if (e == E_OK && PQconsumeInput(conn) == 0)
			e = fail(E_CLOSED, PQerrorMessage(conn), eb);
	}
	if (e == E_OK)
		*result_r = PQgetResult(conn);
	return e;
}

static enum err
take_row(const PGresult *result, struct db_row *row, struct errbuf *eb)
{
	enum err e = E_OK;

	for (int i = 0; i < PQnfields(result) && e == E_OK; i++)
		if (!PQgetisnull(result, 0, i))
			e = db_row_put(row, PQfname(result, i),
			    PQgetvalue(result, 0, i),
			    (size_t)PQgetlength(result, 0, i), eb);
	return e;
}

static enum err
refused(PGconn *conn, const PGresult *result, struct errbuf *eb)
{
	const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	if (PQstatus(conn) == CONNECTION_BAD || words == NULL)
		return fail(E_CLOSED, PQresultErrorMessage(result), eb);
	return err_set(eb, E_CONFIG, "%s%s%s", words, hint != NULL ? "; " : "",
	    hint != NULL ? hint : "");
}

/* E_NOENT: it has no row.  row: NULL for one that only counts. */
static enum err
take_result(
    PGconn *conn, const PGresult *result, struct db_row *row, struct errbuf *eb)
{
	switch (PQresultStatus(result)) {
	case PGRES_SINGLE_TUPLE:
		return row != NULL ? take_row(result, row, eb) : E_OK;
	case PGRES_TUPLES_OK: return E_NOENT;
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		return err_set(eb, E_CONFIG, "the query gives no rows at all");
	default: return refused(conn, result, eb);
	}
}

/* Row by row, so that a query which finds everybody costs no memory. */
static enum err
next_row(PGconn *conn, struct db_row *row, uint64_t until, struct errbuf *eb)
{
	PGresult *result = NULL;
	enum err e = next_result(conn, &result, until, eb);

	if (e != E_OK)
		return e;
	if (result == NULL)
		return fail(E_CLOSED, PQerrorMessage(conn), eb);
	e = take_result(conn, result, row, eb);
	PQclear(result);
	return e;
}

/* What is left of an answer: nothing, mostly. */
static enum err
finish(PGconn *conn, uint64_t until, struct errbuf *eb)
{
	PGresult *result = NULL;
	enum err e;

	while ((e = next_result(conn, &result, until, eb)) == E_OK &&
	       result != NULL)
		PQclear(result);
	return e;
}

static enum err
take_only_row(
    PGconn *conn, struct db_row *row, uint64_t until, struct errbuf *eb)
{
	enum err e = next_row(conn, row, until, eb), more = E_NOENT;

	if (e == E_OK)
		more = next_row(conn, NULL, until, eb);
	if (more == E_OK)
		return err_set(
		    eb, E_CONFIG, "the query gives more than one row");
	return more != E_NOENT ? more : e;
}

static enum err
take_answer(PGconn *conn, struct db_row *row, uint64_t until, struct errbuf *eb)
{
	enum err e = take_only_row(conn, row, until, eb), last;

	if (e == E_CLOSED || e == E_AGAIN)
		return e;
	last = finish(conn, until, eb);
	return last != E_OK ? last : e;
}

static enum err
find(void *conn, const struct db_conf *c, const char *name, uint64_t until,
    struct db_row *row, struct errbuf *eb)
{
	struct db_parameters p;
	enum err e;

	db_parameters(&p, c->query, name);
	e = send_query(conn, c->query, &p, until, eb);
	return e == E_OK ? take_answer(conn, row, until, eb) : e;
}

/* ---- for an admin ---- */

/* What comes of an admin's query, row by row. */
struct answer {
	struct db_result *to;
	bool is_named; /* the columns were told */
};

static enum err
give_names(const PGresult *result, struct answer *a, struct errbuf *eb)
{
	struct db_row row = { .n = 0 };
	enum err e = E_OK;

	a->is_named = true;
	for (int i = 0; i < PQnfields(result) && e == E_OK; i++)
		e = db_row_put(&row, PQfname(result, i), "", 0, eb);
	return e == E_OK ? db_result_row(a->to, &row, eb) : e;
}

static enum err
give_result(PGconn *conn, PGresult *result, struct answer *a, struct errbuf *eb)
{
	ExecStatusType status = PQresultStatus(result);
	struct db_row row = { .n = 0 };
	enum err e = E_OK;

	if (status == PGRES_EMPTY_QUERY)
		return err_set(eb, E_CONFIG, "the query is empty");
	if (status != PGRES_TUPLES_OK && status != PGRES_SINGLE_TUPLE &&
	    status != PGRES_COMMAND_OK)
		return refused(conn, result, eb);
	if (status != PGRES_COMMAND_OK && !a->is_named)
		e = give_names(result, a, eb);
	if (status == PGRES_SINGLE_TUPLE && e == E_OK &&
	    (e = take_row(result, &row, eb)) == E_OK)
		e = db_result_row(a->to, &row, eb);
	db_row_clear(&row);
	if (status != PGRES_SINGLE_TUPLE)
		a->to->changed += strtoull(PQcmdTuples(result), NULL, 10);
	return e;
}

static enum err
give_results(
    PGconn *conn, struct db_result *to, uint64_t until, struct errbuf *eb)
{
	struct answer a = { .to = to };
	PGresult *result;
	enum err e;

	while ((e = next_result(conn, &result, until, eb)) == E_OK &&
	       result != NULL) {
		e = give_result(conn, result, &a, eb);
		PQclear(result);
		if (e != E_OK)
			break;
	}
	return e;
}

static enum err
give_nothing(struct db_result *to, const struct db_row *row, struct errbuf *eb)
{
	return E_OK;
}

/* Of ours, without parameters and rows. */
static enum err
say(PGconn *conn, const char *words, uint64_t until, struct errbuf *eb)
{
	struct db_result none = { .take = give_nothing };
	struct db_parameters p = { .n = 0 };
	enum err e = send_query(conn, words, &p, until, eb);

	return e == E_OK ? give_results(conn, &none, until, eb) : e;
}

static enum err
prepare_only(PGconn *conn, const struct db_command *cmd, struct db_result *to,
    uint64_t until, struct errbuf *eb)
{
	enum err e;

	if (PQsendPrepare(conn, "", cmd->query, 0, NULL) == 0)
		return fail(E_CLOSED, PQerrorMessage(conn), eb);
	e = flush(conn, until, eb);
	return e == E_OK ? give_results(conn, to, until, eb) : e;
}

static enum err
run(void *conn, const struct db_conf *c, const struct db_command *cmd,
    uint64_t until, struct db_result *to, struct errbuf *eb)
{
	bool changes = cmd->what == DB_CHANGE;
	struct db_parameters p;
	enum err e;

	if (cmd->what == DB_TRY)
		return prepare_only(conn, cmd, to, until, eb);
	db_parameters_of(&p, cmd);
	e = say(conn, changes ? "BEGIN" : "BEGIN READ ONLY", until, eb);
	if (e == E_OK)
		e = send_query(conn, cmd->query, &p, until, eb);
	if (e == E_OK)
		e = give_results(conn, to, until, eb);
	return e == E_OK && changes ? db_result_check(to, eb) : e;
}

static enum err
commit(void *conn, uint64_t until, struct errbuf *eb)
{
	return say(conn, "COMMIT", until, eb);
}

static void
close_connection(void *conn)
{
	PQfinish(conn);
}

extern const struct db_driver db_postgresql;
const struct db_driver db_postgresql = { .prepare = prepare,
	.open = open_connection,
	.find = find,
	.run = run,
	.commit = commit,
	.close = close_connection };

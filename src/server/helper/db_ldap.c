/*
 * Users in a directory (LDAP): see db_driver.h.
 *
 * One entry below the base is searched for, by a filter in which the name is
 * escaped (db_filter.h); its attributes are the columns of a row.  Nobody binds as
 * the user: the password is verified as everywhere, by what is stored.
 */
#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "server/helper/db_driver.h"
#include "server/helper/db_filter.h"
#include "server/helper/db_words.h"

enum {
	FILTER_MAX = DB_QUERY_MAX + 4 * 3 * NAME_MAX_OCTETS,
	ENTRIES_MAX = 2, /* a second one is already too many */
	SLACK_MS = 100,  /* the library's clock is not ours */
};

/* What `connection` says. */
struct place {
	char uri[DB_WORD_MAX], base[DB_WORD_MAX];
	char user[DB_WORD_MAX], password[DB_WORD_MAX];
	char tls[DB_WORD_MAX], tls_ca[DB_WORD_MAX];
};

struct connection {
	LDAP *ld;
	char base[DB_WORD_MAX];
	/* What `attributes` says: NULL behind the last one. */
	char *attribute[ROW_COLUMNS_MAX + 1], *column[ROW_COLUMNS_MAX];
	size_t n;
	char filter[FILTER_MAX];
};

/* ---- where it is ---- */

static enum err
take_word(
    struct place *p, const char *keyword, const char *value, struct errbuf *eb)
{
	const struct {
		const char *keyword;
		char *to;
	} known[] = {
		{ "uri", p->uri },
		{ "base", p->base },
		{ "user", p->user },
		{ "password", p->password },
		{ "tls", p->tls },
		{ "tls_ca", p->tls_ca },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(keyword, known[i].keyword) == 0) {
			memcpy(known[i].to, value, strlen(value) + 1);
			return E_OK;
		}
	return err_set(eb, E_CONFIG,
	    "connection: there is no %.32s; there are uri, base, user, "
	    "password, tls and tls_ca",
	    keyword);
}

static bool
is_by(const struct place *p, const char *scheme)
{
	return strncmp(p->uri, scheme, strlen(scheme)) == 0;
}

static enum err
check_place(const struct place *p, struct errbuf *eb)
{
	if (!is_by(p, "ldap://") && !is_by(p, "ldaps://") &&
	    !is_by(p, "ldapi://"))
		return err_set(eb, E_CONFIG,
		    "connection: uri must begin with ldap://, ldaps:// or "
		    "ldapi://");
	if (strcmp(p->tls, "verify") != 0 && strcmp(p->tls, "no") != 0)
		return err_set(
		    eb, E_CONFIG, "connection: tls must be verify or no");
	/* A directory takes that for somebody who says no name. */
	if ((p->user[0] != '\0') != (p->password[0] != '\0'))
		return err_set(eb, E_CONFIG,
		    "connection: user and password are both needed, or none");
	return E_OK;
}

static enum err
read_place(struct place *p, const char *words, struct errbuf *eb)
{
	char keyword[DB_WORD_MAX], value[DB_WORD_MAX];
	enum err e;

	*p = (struct place){ .tls = "verify" };
	snprintf(p->tls_ca, sizeof(p->tls_ca), "%s", db_authorities());
	while ((e = db_words_next(&words, keyword, value, eb)) == E_OK)
		if ((e = take_word(p, keyword, value, eb)) != E_OK)
			break;
	explicit_bzero(value, sizeof(value));
	return e == E_NOENT ? check_place(p, eb) : e;
}

/* ---- which attributes ---- */

static enum err
read_attributes(struct connection *c, const char *words, struct errbuf *eb)
{
	char keyword[DB_WORD_MAX], value[DB_WORD_MAX];
	enum err e;

	while ((e = db_words_next(&words, keyword, value, eb)) == E_OK) {
		if (c->n == ROW_COLUMNS_MAX)
			return err_set(eb, E_CONFIG, "attributes: more than %d",
			    ROW_COLUMNS_MAX);
		c->attribute[c->n] = strdup(keyword);
		c->column[c->n] = strdup(value);
		if (c->attribute[c->n] == NULL || c->column[c->n++] == NULL)
			return err_set(eb, E_NOMEM, "out of memory");
	}
	return e == E_NOENT ? E_OK : e;
}

/* ---- before ---- */

static enum err
prepare(const struct db_conf *c, struct db_reads *r, struct errbuf *eb)
{
	/* For the resolver and the library of TLS. */
	static const char *const folders[] = { "/etc", "/run/systemd/resolve",
		"/usr/lib/ssl", "/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates" };
	static struct place p; /* its tls_ca is borrowed */
	enum err e;
	LDAP *ld;

	/* What holds is in our configuration only. */
	setenv("LDAPNOINIT", "1", 1);
	/* The library makes itself ready, while there are no threads. */
	if (ldap_initialize(&ld, NULL) == LDAP_SUCCESS)
		ldap_unbind_ext_s(ld, NULL, NULL);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		db_reads_add(r, folders[i]);
	e = read_place(&p, c->connection, eb);
	explicit_bzero(p.password, sizeof(p.password));
	db_reads_add(r, p.tls_ca);
	return e;
}

/* ---- connecting ---- */

static void
close_connection(void *conn)
{
	struct connection *c = conn;

	if (c->ld != NULL)
		ldap_unbind_ext_s(c->ld, NULL, NULL);
	for (size_t i = 0; i < ROW_COLUMNS_MAX; i++) {
		free(c->attribute[i]);
		free(c->column[i]);
	}
	free(c);
}

/* What a result of the library means: that of a server which was waited for as
 * long as may be is another than that of one which is gone. */
static enum err
fail(LDAP *ld, int r, uint64_t until, struct errbuf *eb)
{
	bool is_late = clock_ms() + SLACK_MS >= until;
	char *words = NULL;
	enum err e = r == LDAP_SERVER_DOWN || r == LDAP_CONNECT_ERROR ||
			     r == LDAP_UNAVAILABLE || r == LDAP_BUSY
			 ? E_CLOSED
			 : E_CONFIG;

	if (r == LDAP_TIMEOUT || r == LDAP_TIMELIMIT_EXCEEDED ||
	    (e == E_CLOSED && is_late))
		return err_set(eb, E_AGAIN, "it does not answer");
	ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &words);
	err_set(eb, e, "%s%s%s", ldap_err2string(r),
	    words != NULL && words[0] != '\0' ? ": " : "",
	    words != NULL ? words : "");
	ldap_memfree(words);
	return e;
}

static int
set_tls(LDAP *ld, const struct place *p)
{
	int hard = LDAP_OPT_X_TLS_HARD, client = 0;
	int least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;

	if (ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &hard) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, p->tls_ca) != 0)
		return LDAP_CONNECT_ERROR;
	return ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
}

static int
set_options(LDAP *ld, const struct db_conf *conf)
{
	const struct timeval span = { conf->timeout, 0 };
	int version = LDAP_VERSION3;

	/* It is asked, and no other that it names. */
	if (ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &span) != 0)
		return LDAP_LOCAL_ERROR;
	return ldap_set_option(ld, LDAP_OPT_TIMEOUT, &span);
}

static int
bind_as_configured(LDAP *ld, const struct place *p)
{
	struct berval password = { strlen(p->password), (char *)p->password };
	int r = LDAP_SUCCESS;

	if (is_by(p, "ldap://") && strcmp(p->tls, "no") != 0)
		r = ldap_start_tls_s(ld, NULL, NULL);
	if (r == LDAP_SUCCESS)
		r = ldap_sasl_bind_s(
		    ld, p->user, LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL);
	return r;
}

static enum err
connect_to(struct connection *c, const struct db_conf *conf, uint64_t until,
    struct errbuf *eb)
{
	struct place p;
	enum err e = read_place(&p, conf->connection, eb);
	int r;

	if (e == E_OK)
		e = read_attributes(c, conf->attributes, eb);
	if (e == E_OK && (r = ldap_initialize(&c->ld, p.uri)) != LDAP_SUCCESS)
		e = err_set(
		    eb, E_CONFIG, "connection: uri: %s", ldap_err2string(r));
	if (e == E_OK &&
	    ((r = set_options(c->ld, conf)) != LDAP_SUCCESS ||
		(r = set_tls(c->ld, &p)) != LDAP_SUCCESS ||
		(r = bind_as_configured(c->ld, &p)) != LDAP_SUCCESS))
		e = fail(c->ld, r, until, eb);
	memcpy(c->base, p.base, sizeof(c->base));
	explicit_bzero(&p, sizeof(p));
	return e;
}

static enum err
open_connection(void **conn_r, const struct db_conf *conf, uint64_t until,
    struct errbuf *eb)
{
	struct connection *c = calloc(1, sizeof(*c));
	enum err e = c == NULL ? err_set(eb, E_NOMEM, "out of memory")
			       : connect_to(c, conf, until, eb);

	if (e == E_OK)
		*conn_r = c;
	else if (c != NULL)
		close_connection(c);
	return e;
}

/* ---- asking ---- */

static enum err
take_attribute(struct connection *c, LDAPMessage *entry, size_t i,
    struct db_row *row, struct errbuf *eb)
{
	struct berval **v = ldap_get_values_len(c->ld, entry, c->attribute[i]);
	enum err e = E_OK;
	int n;

	if (v == NULL)
		return E_OK;
	n = ldap_count_values_len(v);
	if (n > 1)
		e = err_set(eb, E_CONFIG, "the entry has several %.64s",
		    c->attribute[i]);
	else if (n == 1)
		e = db_row_put(
		    row, c->column[i], v[0]->bv_val, v[0]->bv_len, eb);
	for (int k = 0; k < n; k++)
		explicit_bzero(v[k]->bv_val, v[k]->bv_len);
	ldap_value_free_len(v);
	return e;
}

static enum err
take_entry(struct connection *c, LDAPMessage *found, struct db_row *row,
    struct errbuf *eb)
{
	LDAPMessage *entry = ldap_first_entry(c->ld, found);
	enum err e = E_OK;

	if (entry == NULL)
		return E_NOENT;
	if (ldap_next_entry(c->ld, entry) != NULL)
		return err_set(
		    eb, E_CONFIG, "the filter finds more than one entry");
	for (size_t i = 0; i < c->n && e == E_OK; i++)
		e = take_attribute(c, entry, i, row, eb);
	return e;
}

static struct timeval
span_until(uint64_t until)
{
	uint64_t now = clock_ms();
	uint64_t ms = until > now ? until - now : 1;

	return (struct timeval){ (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };
}

static enum err
find(void *conn, const struct db_conf *conf, const char *name, uint64_t until,
    struct db_row *row, struct errbuf *eb)
{
	struct timeval span = span_until(until);
	struct connection *c = conn;
	LDAPMessage *found = NULL;
	struct db_parameters p;
	enum err e;
	int r;

	db_parameters(&p, conf->query, name);
	e = db_filter(c->filter, sizeof(c->filter), conf->query, &p, eb);
	if (e != E_OK)
		return E_CONFIG;
	r = ldap_search_ext_s(c->ld, c->base, LDAP_SCOPE_SUBTREE, c->filter,
	    c->attribute, 0, NULL, NULL, &span, ENTRIES_MAX, &found);
	if (r == LDAP_SUCCESS || r == LDAP_SIZELIMIT_EXCEEDED)
		e = take_entry(c, found, row, eb);
	else
		e = fail(c->ld, r, until, eb);
	ldap_msgfree(found);
	return e;
}

extern const struct db_driver db_ldap;
const struct db_driver db_ldap = { prepare, open_connection, find,
	close_connection };

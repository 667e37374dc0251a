/*
 * Users in a directory (LDAP): see db_driver.h.
 *
 * One entry below the base is searched for, by a filter in which the name is
 * escaped (db_filter.h); its attributes are the columns of a row.
 *
 * Of the driver ldap the password is verified as everywhere, by what is stored.
 * Of ldap-bind the directory verifies it: that entry, or the one that a template
 * names, binds with it, on a connection that is there for that.
 */
#include <errno.h>
#include <ldap.h>
#include <poll.h>
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
	PAGE = 500,     /* entries: what servers give at once at most, mostly */
	SLACK_MS = 100, /* the library's clock is not ours */
};

/* What `connection` says. */
struct place {
	char uri[DB_WORD_MAX], base[DB_WORD_MAX];
	char user[DB_WORD_MAX], password[DB_WORD_MAX];
	char tls[DB_WORD_MAX], tls_ca[DB_WORD_MAX];
};

struct connection {
	LDAP *ld;
	LDAP *binds; /* as users; NULL: not yet */
	char base[DB_WORD_MAX];
	/* What `attributes` says: NULL behind the last one. */
	char *attribute[ROW_COLUMNS_MAX + 1], *column[ROW_COLUMNS_MAX];
	size_t n;
	char filter[FILTER_MAX]; /* or the name of an entry */
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
	if (e == E_CONFIG)
		err_set(eb, e,
		    "attributes: write ATTRIBUTE=COLUMN, with spaces between "
		    "several of them");
	return e == E_NOENT ? E_OK : e;
}

/* ---- before ---- */

/* uri: several, with spaces or commas between, are asked one after the other. */
static void
reach_ports(struct db_reach *r, const char *uri)
{
	char words[DB_WORD_MAX], *rest = words, *word;
	LDAPURLDesc *u;

	memcpy(words, uri, strlen(uri) + 1);
	while ((word = strsep(&rest, " ,")) != NULL) {
		if (ldap_url_parse(word, &u) != LDAP_URL_SUCCESS)
			continue;
		if (strcmp(u->lud_scheme, "ldapi") != 0)
			db_reach_port(r, (uint32_t)u->lud_port);
		ldap_free_urldesc(u);
	}
}

static enum err
prepare(const struct db_conf *c, struct db_reach *r, struct errbuf *eb)
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
		db_reach_path(r, folders[i]);
	e = read_place(&p, c->connection, eb);
	explicit_bzero(p.password, sizeof(p.password));
	db_reach_path(r, p.tls_ca);
	reach_ports(r, p.uri);
	return e;
}

/* ---- waiting ---- */

/* Of what this thread asks now. */
static _Thread_local uint64_t deadline;

/* What is below TLS: the library's own timeouts do not hold in a handshake, nor
 * in the middle of a record. */
static int
await(Sockbuf_IO_Desc *io, short events)
{
	struct pollfd p = { .events = events };
	uint64_t now = clock_ms();
	int r;

	ber_sockbuf_ctrl(io->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
	do
		r = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;
	while (r < 0 && errno == EINTR && (now = clock_ms()) < deadline);
	if (r == 0)
		errno = ETIMEDOUT;
	return r > 0 ? 0 : -1;
}

static ber_slen_t
read_in_time(Sockbuf_IO_Desc *io, void *to, ber_len_t n)
{
	return await(io, POLLIN) == 0 ? LBER_SBIOD_READ_NEXT(io, to, n) : -1;
}

static ber_slen_t
write_in_time(Sockbuf_IO_Desc *io, void *from, ber_len_t n)
{
	return await(io, POLLOUT) == 0 ? LBER_SBIOD_WRITE_NEXT(io, from, n)
				       : -1;
}

static int
pass_on(Sockbuf_IO_Desc *io, int what, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(io, what, arg);
}

static Sockbuf_IO in_time = { .sbi_ctrl = pass_on,
	.sbi_read = read_in_time,
	.sbi_write = write_in_time };

static int
wait_in_time(LDAP *ld)
{
	Sockbuf *sb;

	if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sb) != LDAP_SUCCESS ||
	    ber_sockbuf_add_io(
		sb, &in_time, LBER_SBIOD_LEVEL_PROVIDER + 1, NULL) != 0)
		return LDAP_LOCAL_ERROR;
	return LDAP_SUCCESS;
}

/* ---- connecting ---- */

static void
close_connection(void *conn)
{
	struct connection *c = conn;

	if (c->ld != NULL)
		ldap_unbind_ext_s(c->ld, NULL, NULL);
	if (c->binds != NULL)
		ldap_unbind_ext_s(c->binds, NULL, NULL);
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
	/* Of two addresses that its name has, the second one has its time, too. */
	const struct timeval span = { conf->timeout, 0 },
			     half = { (conf->timeout + 1) / 2, 0 };
	int version = LDAP_VERSION3;

	/* It is asked, and no other that it names. */
	if (ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) != 0 ||
	    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &half) != 0)
		return LDAP_LOCAL_ERROR;
	return ldap_set_option(ld, LDAP_OPT_TIMEOUT, &span);
}

static int
bind_as(LDAP *ld, const char *dn, const char *password)
{
	struct berval secret = { strlen(password), (char *)password };

	return ldap_sasl_bind_s(
	    ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
}

static int
begin_tls(LDAP *ld, const struct place *p)
{
	return is_by(p, "ldap://") && strcmp(p->tls, "no") != 0
		   ? ldap_start_tls_s(ld, NULL, NULL)
		   : LDAP_SUCCESS;
}

/* Nobody is bound yet.  If it fails *ld_r is NULL: nothing must be said there
 * without TLS. */
static enum err
dial(LDAP **ld_r, const struct place *p, const struct db_conf *conf,
    uint64_t until, struct errbuf *eb)
{
	int r = ldap_initialize(ld_r, p->uri);
	enum err e = E_OK;

	if (r != LDAP_SUCCESS) {
		*ld_r = NULL;
		return err_set(
		    eb, E_CONFIG, "connection: uri: %s", ldap_err2string(r));
	}
	if ((r = wait_in_time(*ld_r)) != LDAP_SUCCESS ||
	    (r = set_options(*ld_r, conf)) != LDAP_SUCCESS ||
	    (r = set_tls(*ld_r, p)) != LDAP_SUCCESS ||
	    (r = begin_tls(*ld_r, p)) != LDAP_SUCCESS)
		e = fail(*ld_r, r, until, eb);
	if (e != E_OK) {
		ldap_unbind_ext_s(*ld_r, NULL, NULL);
		*ld_r = NULL;
	}
	return e;
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
	if (e == E_OK)
		e = dial(&c->ld, &p, conf, until, eb);
	if (e == E_OK &&
	    (r = bind_as(c->ld, p.user, p.password)) != LDAP_SUCCESS)
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
	enum err e;

	deadline = until;
	e = c == NULL ? err_set(eb, E_NOMEM, "out of memory")
		      : connect_to(c, conf, until, eb);
	if (e == E_OK)
		*conn_r = c;
	else if (c != NULL)
		close_connection(c);
	return e;
}

/* ---- asking ---- */

/* That there is such an entry is enough. */
static char *no_attributes[] = { (char *)LDAP_NO_ATTRS, NULL };

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

/* The only one; E_NOENT: there is none. */
static enum err
only_entry(struct connection *c, LDAPMessage *found, LDAPMessage **entry_r,
    struct errbuf *eb)
{
	*entry_r = ldap_first_entry(c->ld, found);
	if (*entry_r == NULL)
		return E_NOENT;
	return ldap_next_entry(c->ld, *entry_r) == NULL
		   ? E_OK
		   : err_set(
			 eb, E_CONFIG, "the filter finds more than one entry");
}

static enum err
take_entry(struct connection *c, LDAPMessage *found, struct db_row *row,
    struct errbuf *eb)
{
	LDAPMessage *entry;
	enum err e = only_entry(c, found, &entry, eb);

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

/* Does the query name the entry itself?  A filter begins with a parenthesis. */
static bool
is_template(const struct db_conf *conf)
{
	return conf->driver == DRIVER_LDAP_BIND && conf->query[0] != '(';
}

/* What is asked for, with the name in it. */
static enum err
make_filter(struct connection *c, const struct db_conf *conf, const char *query,
    const char *name, struct errbuf *eb)
{
	struct db_parameters p;
	enum err e;

	db_parameters(&p, query, name);
	e = is_template(conf)
		? db_dn(c->filter, sizeof(c->filter), query, &p, eb)
		: db_filter(c->filter, sizeof(c->filter), query, &p, eb);
	return e == E_OK ? E_OK : E_CONFIG;
}

/* ld: as whom.  *found_r is to be freed in any case. */
static enum err
search(struct connection *c, LDAP *ld, const struct db_conf *conf,
    uint64_t until, LDAPMessage **found_r, struct errbuf *eb)
{
	struct timeval span = span_until(until);
	bool is_named = is_template(conf);
	int r;

	*found_r = NULL;
	r = ldap_search_ext_s(ld, is_named ? c->filter : c->base,
	    is_named ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
	    is_named ? "(objectClass=*)" : c->filter,
	    c->n != 0 ? c->attribute : no_attributes, 0, NULL, NULL, &span,
	    ENTRIES_MAX, found_r);
	if (r == LDAP_SUCCESS || r == LDAP_SIZELIMIT_EXCEEDED)
		return E_OK;
	return r == LDAP_NO_SUCH_OBJECT && is_named ? E_NOENT
						    : fail(ld, r, until, eb);
}

/* What came of it.  dn_r: the name of the entry, for ldap_memfree(), or NULL: it is
 * of no use. */
static enum err
search_row(struct connection *c, LDAP *ld, const struct db_conf *conf,
    uint64_t until, struct db_row *row, char **dn_r, struct errbuf *eb)
{
	LDAPMessage *found;
	enum err e = search(c, ld, conf, until, &found, eb);

	if (e == E_OK)
		e = take_entry(c, found, row, eb);
	if (e == E_OK && dn_r != NULL &&
	    (*dn_r = ldap_get_dn(ld, ldap_first_entry(ld, found))) == NULL)
		e = err_set(eb, E_NOMEM, "out of memory");
	ldap_msgfree(found);
	return e;
}

static enum err
find(void *conn, const struct db_conf *conf, const char *name, uint64_t until,
    struct db_row *row, struct errbuf *eb)
{
	struct connection *c = conn;
	enum err e = make_filter(c, conf, conf->query, name, eb);

	deadline = until;
	return e == E_OK ? search_row(c, c->ld, conf, until, row, NULL, eb) : e;
}

/* ---- binding as users ---- */

static enum err
prepare_binding(struct connection *c, const struct db_conf *conf,
    uint64_t until, struct errbuf *eb)
{
	struct timeval span;
	struct place p;
	enum err e = E_OK;

	if (c->binds == NULL &&
	    (e = read_place(&p, conf->connection, eb)) == E_OK)
		e = dial(&c->binds, &p, conf, until, eb);
	explicit_bzero(&p, sizeof(p));
	span = span_until(until);
	if (e == E_OK &&
	    ldap_set_option(c->binds, LDAP_OPT_TIMEOUT, &span) != 0)
		e = err_set(eb, E_CONFIG, "no timeout");
	return e;
}

/* E_DENIED: it is not the password, or the entry may not bind. */
static enum err
bind_as_user(struct connection *c, const struct db_conf *conf, const char *dn,
    const char *password, uint64_t until, struct errbuf *eb)
{
	enum err e = prepare_binding(c, conf, until, eb);
	int r;

	if (e != E_OK)
		return e;
	r = bind_as(c->binds, dn, password);
	switch (r) {
	case LDAP_SUCCESS: return E_OK;
	case LDAP_CONSTRAINT_VIOLATION:
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_UNWILLING_TO_PERFORM: return E_DENIED;
	default: return fail(c->binds, r, until, eb);
	}
}

static enum err
verify_found(struct connection *c, const struct db_conf *conf,
    const char *password, uint64_t until, struct db_row *row, struct errbuf *eb)
{
	char *dn = NULL;
	enum err e = search_row(c, c->ld, conf, until, row, &dn, eb);

	if (e == E_OK)
		e = bind_as_user(c, conf, dn, password, until, eb);
	ldap_memfree(dn);
	return e;
}

/* A directory does not say whether there is such an entry: who is refused may be
 * somebody whom it does not know.  What is wanted of the entry it may itself
 * read. */
static enum err
verify_named(struct connection *c, const struct db_conf *conf,
    const char *password, uint64_t until, struct db_row *row, struct errbuf *eb)
{
	enum err e = bind_as_user(c, conf, c->filter, password, until, eb);

	if (e == E_DENIED)
		return E_NOENT;
	if (e == E_OK && c->n != 0)
		e = search_row(c, c->binds, conf, until, row, NULL, eb);
	return e == E_NOENT
		   ? err_set(eb, E_CONFIG,
			 "an entry may not read itself, and attributes are "
			 "asked for")
		   : e;
}

static enum err
verify(void *conn, const struct db_conf *conf, const char *name,
    const char *password, uint64_t until, struct db_row *row, struct errbuf *eb)
{
	struct connection *c = conn;
	enum err e = make_filter(c, conf, conf->query, name, eb);

	deadline = until;
	if (e != E_OK)
		return e;
	return is_template(conf)
		   ? verify_named(c, conf, password, until, row, eb)
		   : verify_found(c, conf, password, until, row, eb);
}

/* ---- for an admin ---- */

/* Which attribute is that column? */
static const char *
attribute_of(const struct connection *c, const char *column, struct errbuf *eb)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->column[i], column) == 0)
			return c->attribute[i];
	err_set(eb, E_CONFIG, "attributes does not say which one is %s: add %s",
	    column,
	    strcmp(column, "user") == 0 ? "uid=user" : "userPassword=password");
	return NULL;
}

static enum err
give_entry(struct connection *c, const struct db_conf *conf, uint64_t until,
    struct db_result *to, struct errbuf *eb)
{
	struct db_row row = { .n = 0 };
	enum err e = E_OK;

	for (size_t i = 0; i < c->n && e == E_OK; i++)
		e = db_row_put(&row, c->column[i], "", 0, eb);
	if (e == E_OK)
		e = db_result_row(to, &row, eb);
	if (e != E_OK)
		return e;
	e = search_row(c, c->ld, conf, until, &row, NULL, eb);
	if (e == E_OK)
		e = db_result_row(to, &row, eb);
	db_row_clear(&row);
	return e == E_NOENT ? E_OK : e;
}

/* Each value of that attribute is a name. */
static enum err
give_page(struct connection *c, LDAPMessage *found, const char *attribute,
    struct db_result *to, struct errbuf *eb)
{
	enum err e = E_OK;

	for (LDAPMessage *entry = ldap_first_entry(c->ld, found);
	     entry != NULL && e == E_OK;
	     entry = ldap_next_entry(c->ld, entry)) {
		struct berval **v =
		    ldap_get_values_len(c->ld, entry, attribute);

		for (int i = 0; i < ldap_count_values_len(v) && e == E_OK;
		     i++) {
			struct db_row row = { .n = 0 };

			e = db_row_put(
			    &row, "user", v[i]->bv_val, v[i]->bv_len, eb);
			if (e == E_OK)
				e = db_result_row(to, &row, eb);
		}
		ldap_value_free_len(v);
	}
	return e;
}

/* Of the next page; *cookie is that of the one after it, empty behind the last. */
static enum err
list_page(struct connection *c, const char *filter, const char *attribute,
    struct berval *cookie, LDAPMessage **found_r, struct errbuf *eb)
{
	char *wanted[] = { (char *)attribute, NULL };
	LDAPControl *page = NULL, *ask[] = { NULL, NULL }, **told = NULL;
	LDAPControl *end;
	ber_int_t estimate;
	int r = ldap_create_page_control(c->ld, PAGE, cookie, 0, &page);

	*found_r = NULL;
	ask[0] = page;
	if (r == LDAP_SUCCESS)
		r = ldap_search_ext_s(c->ld, c->base, LDAP_SCOPE_SUBTREE,
		    filter, wanted, 0, ask, NULL, NULL, 0, found_r);
	if (r == LDAP_SUCCESS)
		r = ldap_parse_result(
		    c->ld, *found_r, NULL, NULL, NULL, NULL, &told, 0);
	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){ 0, NULL };
	end = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, told, NULL);
	if (r == LDAP_SUCCESS && end != NULL)
		r = ldap_parse_pageresponse_control(
		    c->ld, end, &estimate, cookie);
	ldap_controls_free(told);
	ldap_control_free(page);
	return r == LDAP_SUCCESS ? E_OK : fail(c->ld, r, UINT64_MAX, eb);
}

static enum err
give_names(struct connection *c, const char *filter, struct db_result *to,
    struct errbuf *eb)
{
	const char *attribute = attribute_of(c, "user", eb);
	struct berval cookie = { 0, NULL };
	struct db_row row = { .n = 0 };
	LDAPMessage *found;
	enum err e =
	    attribute != NULL ? db_row_put(&row, "user", "", 0, eb) : E_CONFIG;

	if (e == E_OK)
		e = db_result_row(to, &row, eb);
	if (e != E_OK)
		return e;
	do {
		e = list_page(c, filter, attribute, &cookie, &found, eb);
		if (e == E_OK)
			e = give_page(c, found, attribute, to, eb);
		ldap_msgfree(found);
	} while (e == E_OK && cookie.bv_len != 0);
	ber_memfree(cookie.bv_val);
	return e;
}

/* Another hash: the directory never gets to know the password. */
static enum err
set_password(struct connection *c, LDAPMessage *entry, const char *hash,
    uint64_t until, struct errbuf *eb)
{
	const char *attribute = attribute_of(c, "password", eb);
	char *values[] = { (char *)hash, NULL };
	LDAPMod change = { .mod_op = LDAP_MOD_REPLACE,
		.mod_type = (char *)attribute,
		.mod_values = values };
	LDAPMod *changes[] = { &change, NULL };
	char *dn;
	int r;

	if (attribute == NULL)
		return E_CONFIG;
	if ((dn = ldap_get_dn(c->ld, entry)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	r = ldap_modify_ext_s(c->ld, dn, changes, NULL, NULL);
	ldap_memfree(dn);
	return r == LDAP_SUCCESS ? E_OK : fail(c->ld, r, until, eb);
}

static enum err
change_entry(struct connection *c, const struct db_conf *conf, const char *hash,
    uint64_t until, struct db_result *to, struct errbuf *eb)
{
	LDAPMessage *found, *entry;
	enum err e = search(c, c->ld, conf, until, &found, eb);

	if (e == E_OK)
		e = only_entry(c, found, &entry, eb);
	if (e == E_OK)
		e = set_password(c, entry, hash, until, eb);
	to->changed = e == E_OK;
	ldap_msgfree(found);
	return e == E_NOENT ? E_OK : e;
}

/* A filter that is tried finds somebody or not. */
static enum err
run(void *conn, const struct db_conf *conf, const struct db_command *cmd,
    uint64_t until, struct db_result *to, struct errbuf *eb)
{
	struct connection *c = conn;
	enum err e;

	deadline = until;
	if (cmd->what == DB_LIST)
		return give_names(c, cmd->query, to, eb);
	e = make_filter(c, conf, cmd->query, cmd->name, eb);
	if (e != E_OK)
		return e;
	return cmd->what == DB_CHANGE
		   ? change_entry(c, conf, cmd->hash, until, to, eb)
		   : give_entry(c, conf, until, to, eb);
}

extern const struct db_driver db_ldap, db_ldap_bind;
const struct db_driver db_ldap = { .prepare = prepare,
	.open = open_connection,
	.find = find,
	.run = run,
	.close = close_connection };
const struct db_driver db_ldap_bind = { .prepare = prepare,
	.open = open_connection,
	.find = find,
	.run = run,
	.close = close_connection,
	.verify = verify };

#include "server/helper/token_judge.h"

#include <string.h>
#include <time.h>

#include "base/slurp.h"
#include "server/helper/token_claims.h"
#include "server/helper/token_fetch.h"
#include "server/helper/token_introspect.h"
#include "server/helper/token_source.h"

enum { AUTHORITIES_MAX = 1024 * 1024 };

/* What is made ready before there are threads, and only read then. */
static struct {
	const struct net_conf *conf;
	struct token_source source[ISSUERS_MAX];
	char secret[ISSUERS_MAX][TOKEN_SECRET_MAX];
} all;

/* ---- whose it is ---- */

static bool
asks_issuer(const struct issuer_conf *c)
{
	return c->introspection[0] != '\0';
}

/* By the name of the issuer in it, which is not verified yet; or else, of those that
 * are shown to their issuer, the one there is.  NULL: nobody's. */
static const struct issuer_conf *
find_issuer(const char *name)
{
	const struct net_conf *c = all.conf;

	for (unsigned i = 0; name != NULL && i < c->n_issuers; i++)
		if (strcmp(c->issuer[i].issuer, name) == 0)
			return &c->issuer[i];
	for (unsigned i = 0; i < c->n_issuers; i++)
		if (asks_issuer(&c->issuer[i]) &&
		    (name == NULL || c->issuer[i].issuer[0] == '\0'))
			return &c->issuer[i];
	return NULL;
}

/* ---- one that is signed ---- */

static void
refuse(struct token_verdict *v, enum token_result result, const char *words)
{
	v->result = result;
	err_set(&v->why, E_DENIED, "%s", words);
}

static bool
is_permitted(const struct issuer_conf *c, const struct token_algorithm *a)
{
	const char *p = c->algorithms;

	while (a != NULL && *(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };

		if (slice_eq(name, a->name))
			return true;
		p += name.n;
	}
	return false;
}

/* E_NOENT: it is by a key that is not among those that we have. */
static enum err
verify_once(struct token_source *s, const struct token_jwt *t,
    const struct token_algorithm *a, uint64_t *serial_r, bool *is_old_r)
{
	struct token_key_set *set = token_source_take(s, is_old_r);
	enum err e = E_NOENT;

	*serial_r = set != NULL ? set->serial : 0;
	if (set != NULL)
		e = token_keys_verify(set->keys, t, a);
	token_source_give(s, set);
	return e;
}

/* May it be by a key that is new? */
static bool
is_strange(const struct token_jwt *t, enum err e)
{
	return e == E_NOENT || (e == E_DENIED && t->kid == NULL);
}

/* False: the issuer must be asked. */
static bool
verify(struct token_source *s, const struct token_jwt *t,
    const struct token_algorithm *a, bool may_ask, struct token_verdict *v)
{
	uint64_t serial;
	enum err e = verify_once(s, t, a, &serial, &v->is_stale), e2;

	if (is_strange(t, e) && issuer_fetches_keys(s->conf)) {
		if (!may_ask)
			return false;
		e2 = token_source_fetch(s, serial, &v->why);
		if (e2 == E_OK)
			e = verify_once(s, t, a, &serial, &v->is_stale);
		else if (e2 != E_BUSY || serial == 0)
			e = E_AGAIN;
	}
	v->result = TOKEN_FAILED;
	if (e == E_OK)
		v->result = TOKEN_GOOD;
	else if (e == E_NOENT && serial == 0)
		err_set(&v->why, e, "its keys could not be read");
	else if (e == E_NOENT)
		refuse(v, TOKEN_BAD, "the issuer has no such key");
	else if (e == E_DENIED)
		refuse(v, TOKEN_BAD, "the issuer has not signed it");
	return true;
}

static bool
judge_signed(struct token_source *s, const struct token_jwt *t, bool may_ask,
    struct token_verdict *v)
{
	const struct issuer_conf *c = s->conf;
	const struct token_algorithm *a =
	    token_algorithm_find((struct slice){ t->alg, strlen(t->alg) });

	if (!is_permitted(c, a)) {
		refuse(v, TOKEN_BAD, "its algorithm is not among algorithms");
		return true;
	}
	if (!verify(s, t, a, may_ask, v))
		return false;
	if (v->result == TOKEN_GOOD)
		v->result = token_claims_judge(
		    c, t->claims, (double)time(NULL), v->user, &v->why);
	return true;
}

/* ---- one that is shown to its issuer ---- */

static enum err
show(json_t **said_r, unsigned i, struct slice token, struct errbuf *eb)
{
	return token_introspect(said_r, &all.conf->issuer[i],
	    all.source[i].authorities, all.secret[i], token, eb);
}

static bool
judge_shown(const struct issuer_conf *c, struct slice token, bool may_ask,
    struct token_verdict *v)
{
	json_t *said;

	if (!may_ask)
		return false;
	v->result = TOKEN_FAILED;
	if (show(&said, (unsigned)(c - all.conf->issuer), token, &v->why) ==
	    E_OK)
		v->result = token_claims_judge(
		    c, said, (double)time(NULL), v->user, &v->why);
	json_decref(said);
	return true;
}

/* ---- what the process calls ---- */

static bool
judge(struct slice token, bool may_ask, struct token_verdict *v)
{
	const struct issuer_conf *c = NULL;
	struct token_jwt t;
	enum err e = token_jwt_parse(&t, token);
	bool done = true;

	*v = (struct token_verdict){ .result = TOKEN_FAILED };
	if (e != E_NOMEM)
		c = find_issuer(e == E_OK ? token_jwt_issuer(&t) : NULL);
	if (e == E_NOMEM)
		err_set(&v->why, e, "out of memory");
	else if (c == NULL)
		refuse(v, TOKEN_BAD,
		    e == E_OK ? "it is of no issuer that is configured"
			      : "it is no signed token");
	else {
		size_t i = (size_t)(c - all.conf->issuer);

		v->issuer = (unsigned)i + 1;
		done = asks_issuer(c)
			   ? judge_shown(c, token, may_ask, v)
			   : judge_signed(&all.source[i], &t, may_ask, v);
	}
	token_jwt_free(&t);
	return done;
}

/* What resolvers and libraries of TLS read. */
static void
reach_files(struct db_reach *r)
{
	static const char *const folders[] = { "/etc", "/run/systemd/resolve",
		"/usr/lib/ssl", "/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		db_reach_path(r, folders[i]);
}

static enum err
reach_issuer(struct db_reach *r, const struct issuer_conf *c, struct errbuf *eb)
{
	const char *url = asks_issuer(c) ? c->introspection : c->keys;
	char host[256];
	uint16_t port;

	if (url[0] == '/')
		return E_OK;
	if (!token_fetch_place(url, host, sizeof(host), &port))
		return err_set(eb, E_CONFIG, "%s is no URL", url);
	db_reach_port(r, port);
	return E_OK;
}

/* If they cannot be read, nobody is trusted. */
static enum err
read_authorities(struct token_source *s, struct errbuf *eb)
{
	const char *path = s->conf->ca_file;
	struct errbuf why;
	struct slurp in;

	if (path[0] == '\0')
		return E_OK;
	if (slurp(path, AUTHORITIES_MAX, &in, &why) != E_OK) {
		s->authorities = (struct slice){ " ", 1 };
		return err_set(eb, E_CONFIG, "%s: %s", path, why.text);
	}
	s->authorities = (struct slice){ in.text, in.n };
	return E_OK;
}

/* Of one issuer, what is in files. */
static enum err
read_files(unsigned i, struct errbuf *eb)
{
	const struct issuer_conf *c = &all.conf->issuer[i];
	enum err e = token_source_init(&all.source[i], c, eb);

	if (e == E_OK)
		e = read_authorities(&all.source[i], eb);
	if (e == E_OK && asks_issuer(c))
		e = token_introspect_secret(all.secret[i], c, eb);
	return e;
}

/* What is wrong with one issuer is no reason not to serve the users of others. */
static enum err
prepare(const struct net_conf *c, struct db_reach *r, struct errbuf *eb)
{
	enum err e = token_fetch_prepare(eb);

	all.conf = c;
	reach_files(r);
	for (unsigned i = 0; i < c->n_issuers; i++) {
		const struct issuer_conf *one = &c->issuer[i];
		struct errbuf why = { "out of memory" };
		enum err odd = read_files(i, &why);

		if (odd == E_OK)
			odd = reach_issuer(r, one, &why);
		if (odd != E_OK)
			e = err_set(
			    eb, odd, "oauth \"%s\": %s", one->name, why.text);
	}
	return e;
}

static enum err
refresh(unsigned i, struct errbuf *eb)
{
	struct token_source *s = &all.source[i];
	struct token_key_set *set;
	bool is_old;
	uint64_t serial;
	enum err e;

	if (!issuer_fetches_keys(s->conf))
		return E_OK;
	set = token_source_take(s, &is_old);
	serial = set != NULL ? set->serial : 0;
	token_source_give(s, set);
	e = token_source_fetch(s, serial, eb);
	return e == E_BUSY ? E_OK : e;
}

/* A token that nobody has issued. */
static enum err
try(unsigned i, struct errbuf *eb)
{
	static const struct slice none = { "maloted-check", 13 };
	const struct issuer_conf *c = &all.conf->issuer[i];
	json_t *said;
	enum err e;

	if (!asks_issuer(c))
		return refresh(i, eb);
	e = show(&said, i, none, eb);
	if (e == E_OK && !json_is_boolean(json_object_get(said, "active")))
		e = err_set(
		    eb, E_FORMAT, "it does not say whether a token is active");
	json_decref(said);
	return e;
}

static void
kept(unsigned i, const struct token_kept *keys)
{
	struct token_source *s = &all.source[i];

	if (issuer_fetches_keys(s->conf))
		token_source_kept(s, keys);
}

static bool
news(unsigned i, uint64_t *serial, struct token_kept *keys_r)
{
	struct token_source *s = &all.source[i];

	return issuer_fetches_keys(s->conf) &&
	       token_source_news(s, serial, keys_r);
}

const struct token_judge token_judge = { prepare, judge, refresh, kept, news,
	try };

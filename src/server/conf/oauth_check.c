/*
 * The blocks `oauth` of a configuration: whose tokens are accepted.  See check.h.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slurp.h"
#include "sasl/sasl.h"
#include "server/conf/check.h"
#include "server/conf/token_algorithm.h"

#ifdef HAVE_OAUTH
enum { IS_BUILT = 1 };
#else
enum { IS_BUILT = 0 };
#endif

#define COMPLAIN_OF(l, i, ...) conf_error(&(l)->text, (i)->line, __VA_ARGS__)

/* ---- what signs ---- */

static bool
is_symmetric(struct slice name)
{
	return slice_caseeq(name, "none") ||
	       (name.n > 2 && slice_caseeq((struct slice){ name.p, 2 }, "HS"));
}

static void
check_algorithm(
    const struct conf_issuer *i, struct slice name, const struct conf_lines *l)
{
	char known[128];

	if (token_algorithm_find(name) != NULL)
		return;
	COMPLAIN_OF(l, i, "oauth \"%s\": algorithms: %s %.*s; write some of:%s",
	    i->of.name,
	    is_symmetric(name) ? "whoever verifies could also sign by"
			       : "there is no",
	    (int)name.n, name.p, token_algorithm_list(known, sizeof(known)));
}

static void
check_algorithms(const struct conf_issuer *i, const struct conf_lines *l)
{
	const char *p = i->of.algorithms;
	bool any = false;

	while (*(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };

		p += name.n;
		any = true;
		check_algorithm(i, name, l);
	}
	if (!any)
		COMPLAIN_OF(l, i,
		    "oauth \"%s\": algorithms names none; leave it out, or "
		    "write for example \"RS256 ES256\"",
		    i->of.name);
}

/* ---- where it is asked, and what is read ---- */

static bool
is_https(const char *url)
{
	static const char https[] = "https://";

	return strncmp(url, https, sizeof(https) - 1) == 0 &&
	       url[sizeof(https) - 1] != '\0' && strpbrk(url, " \"\\") == NULL;
}

static void
check_file(const struct conf_issuer *i, const char *setting, const char *path,
    bool is_secret, const struct conf_lines *l)
{
	struct errbuf eb;
	struct stat st;
	int fd;

	if (path[0] != '/') {
		COMPLAIN_OF(l, i,
		    "oauth \"%s\": %s = \"%s\" is not an absolute path; begin "
		    "it with /%s",
		    i->of.name, setting, path,
		    strcmp(setting, "keys") == 0 ? ", or with https://" : "");
		return;
	}
	if (slurp_open(path, &fd, &st, &eb) != E_OK) {
		COMPLAIN_OF(l, i, "oauth \"%s\": %s %s: %s", i->of.name,
		    setting, path, eb.text);
		return;
	}
	close(fd);
	if (is_secret && (st.st_mode & (S_IROTH | S_IRGRP)) != 0)
		conf_warn(&l->text, i->line,
		    "oauth \"%s\": others may read the secret in %s; chmod go= "
		    "%s",
		    i->of.name, path, path);
}

static void
check_keys(const struct conf_issuer *i, const struct conf_lines *l)
{
	const struct issuer_conf *of = &i->of;

	if (of->issuer[0] == '\0')
		COMPLAIN_OF(l, i,
		    "oauth \"%s\" does not say who signs the tokens; write "
		    "issuer = \"URL\", as it stands in their claim iss",
		    of->name);
	if (of->audience[0] == '\0')
		COMPLAIN_OF(l, i,
		    "oauth \"%s\" would take tokens that were given for any "
		    "other service; write audience = \"NAME\", as it stands in "
		    "their claim aud",
		    of->name);
	check_algorithms(i, l);
	if (!issuer_fetches_keys(of))
		check_file(i, "keys", of->keys, false, l);
	else if (!is_https(of->keys))
		COMPLAIN_OF(l, i, "oauth \"%s\": keys = \"%s\" is no URL",
		    of->name, of->keys);
}

static void
check_introspection(const struct conf_issuer *i, const struct conf_lines *l)
{
	const struct issuer_conf *of = &i->of;

	if (!is_https(of->introspection))
		COMPLAIN_OF(l, i,
		    "oauth \"%s\": introspection = \"%s\" is no address to "
		    "which tokens and a secret can be sent; write "
		    "\"https://...\"",
		    of->name, of->introspection);
	if (of->client_id[0] == '\0' || of->client_secret_file[0] == '\0')
		COMPLAIN_OF(l, i,
		    "oauth \"%s\": introspection is for somebody whom the "
		    "issuer knows; write client_id = \"NAME\" and "
		    "client_secret_file = \"FILE\"",
		    of->name);
	else
		check_file(
		    i, "client_secret_file", of->client_secret_file, true, l);
}

/* ---- what clients are told ---- */

/* It stands in a string of JSON: RFC 6749 s3.3 has no other characters. */
static void
check_told(const struct conf_issuer *i, const struct conf_lines *l)
{
	const char *url = i->openid_configuration;

	if (strpbrk(i->of.scope, "\"\\") != NULL)
		COMPLAIN_OF(l, i,
		    "oauth \"%s\": scope = '%s' is no list of words; write "
		    "them "
		    "with spaces between",
		    i->of.name, i->of.scope);
	if (url[0] != '\0' && !is_https(url))
		COMPLAIN_OF(l, i,
		    "oauth \"%s\": openid_configuration = \"%s\" is no URL of "
		    "https",
		    i->of.name, url);
}

/* ---- one block, and all ---- */

static void
check_issuer(struct conf_issuer *i, const struct conf_lines *l)
{
	struct issuer_conf *of = &i->of;
	bool has_keys = of->keys[0] != '\0';

	if (has_keys == (of->introspection[0] != '\0'))
		COMPLAIN_OF(l, i,
		    "oauth \"%s\" %s; write one of keys = \"FILE or URL\" and "
		    "introspection = \"URL\"",
		    of->name,
		    has_keys ? "has two ways to look at a token"
			     : "does not say how to look at a token");
	else if (has_keys)
		check_keys(i, l);
	else
		check_introspection(i, l);
	if (of->user_claim[0] == '\0')
		snprintf(of->user_claim, sizeof(of->user_claim), "%s",
		    has_keys ? "email" : "username");
	if (of->ca_file[0] != '\0')
		check_file(i, "ca_file", of->ca_file, false, l);
	check_told(i, l);
}

/* A token is one issuer's: which one, is known by its claim iss, or there is only
 * one who can be asked. */
static void
check_is_other(const struct conf *c, unsigned n, const struct conf_lines *l)
{
	const struct conf_issuer *i = &c->issuer[n];

	for (unsigned k = 0; k < n; k++) {
		const struct issuer_conf *o = &c->issuer[k].of;

		if (strcmp(o->issuer, i->of.issuer) == 0)
			COMPLAIN_OF(l, i,
			    "oauth \"%s\" has the issuer of oauth \"%s\"; "
			    "leave one of them",
			    i->of.name, o->name);
		if (o->introspection[0] != '\0' &&
		    i->of.introspection[0] != '\0')
			COMPLAIN_OF(l, i,
			    "oauth \"%s\" and \"%s\" both have introspection: "
			    "a token that does not say whose it is would be "
			    "shown to the wrong one; leave one of them",
			    o->name, i->of.name);
	}
}

static bool
takes_tokens(const char *mechanisms)
{
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if (sasl_mechanisms[i]->asks == SASL_TOKEN &&
		    str_has_word(mechanisms, sasl_mechanisms[i]->name))
			return true;
	return false;
}

/* Do tokens come anywhere where they are wanted, and only there? */
static void
check_takers(const struct conf *c, const struct conf_lines *l)
{
	bool any = false;

	for (unsigned i = 0; i < c->n_listeners; i++)
		any = any || takes_tokens(c->listener[i].mechanisms);
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct conf_service *s = &c->service[i];

		if (!takes_tokens(s->mechanisms))
			continue;
		any = true;
		if (c->n_issuers == 0 && !takes_tokens(c->mechanisms))
			COMPLAIN_OF(l, s,
			    "sasl \"%s\" takes tokens, and nobody's are good; "
			    "write a block oauth \"NAME\"",
			    s->name);
	}
	if (c->n_issuers != 0 && !any)
		conf_warn(&l->text, c->issuer[0].line,
		    "there is a block oauth, but nobody takes tokens; write "
		    "OAUTHBEARER and XOAUTH2 in mechanisms");
}

static void
tell_processes(struct conf *c)
{
	c->net.role.n = c->n_issuers != 0;
	c->net.n_issuers = c->auth.n_issuers = (uint16_t)c->n_issuers;
	for (unsigned i = 0; i < c->n_issuers; i++) {
		const struct conf_issuer *from = &c->issuer[i];
		struct known_issuer *to = &c->auth.issuer[i];

		c->net.issuer[i] = from->of;
		memcpy(to->name, from->of.name, sizeof(to->name));
		memcpy(to->scope, from->of.scope, sizeof(to->scope));
		memcpy(to->openid_configuration, from->openid_configuration,
		    sizeof(to->openid_configuration));
		if (from->of.timeout > c->auth.token_timeout)
			c->auth.token_timeout = from->of.timeout;
	}
}

void
conf_check_issuers(struct conf *c, const struct conf_lines *l)
{
	if (c->n_issuers != 0 && !IS_BUILT)
		COMPLAIN_OF(l, &c->issuer[0],
		    "this maloted is built without OAuth; leave the block out, "
		    "or build it with cjose, libcurl and jansson");
	for (unsigned i = 0; i < c->n_issuers; i++) {
		check_issuer(&c->issuer[i], l);
		check_is_other(c, i, l);
	}
	check_takers(c, l);
	tell_processes(c);
}

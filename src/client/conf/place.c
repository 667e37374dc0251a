#include "client/conf/place.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"
#include "client/conf/client_conf.h"
#include "client/conf/dest_login.h"
#include "client/conf/rule.h"

const struct destination destination_none = {
	.login = { .timeout = 60 },
	.creates = true,
};

/* "USER@HOST" says more than "HOST". */
static const struct destination *
block_for(const struct client_conf *c, const struct dest *dest)
{
	const struct destination *best = NULL;

	for (size_t i = 0; i < c->n_blocks; i++)
		if (destination_is_for(&c->blocks[i], dest) &&
		    (best == NULL || strchr(best->login.name, '@') == NULL))
			best = &c->blocks[i];
	return best;
}

/* NULL: neither `deliver` nor the block says it. */
static const char *
user_for(const struct dest *dest, const struct destination *block)
{
	if (dest->user != NULL || block == NULL)
		return dest->user;
	return block->login.user;
}

/* Is it that server, and that user?  NULL: any. */
static bool
is_there(const struct destination *d, const struct dest *dest, const char *user)
{
	const struct account *a = &d->login;

	return strcasecmp(a->server, dest->host) == 0 &&
	       a->port == dest->port &&
	       (user == NULL || strcmp(a->user, user) == 0);
}

const struct destination *
place_known(const struct client_conf *c, const struct dest *dest)
{
	const char *user = user_for(dest, block_for(c, dest));

	for (size_t i = 0; i < c->n_places; i++)
		if (is_there(c->places[i], dest, user))
			return c->places[i];
	return NULL;
}

/* ---- finding them ---- */

/* To put messages, to look whether they are there, and to make a label. */
#define GMAIL_SCOPE \
	"https://www.googleapis.com/auth/gmail.insert " \
	"https://www.googleapis.com/auth/gmail.readonly " \
	"https://www.googleapis.com/auth/gmail.labels"

static enum security
security_of(const struct dest *dest)
{
	return dest->kind == DEST_IMAP ? SECURITY_STARTTLS : SECURITY_TLS;
}

static enum err
place_fill(struct destination *d, const struct dest *dest, const char *user)
{
	struct account *a = &d->login;

	a->name = strdup(a->name != NULL ? a->name : dest->host);
	a->server = strdup(dest->host);
	a->user = strdup(user);
	a->email = strdup(user);
	a->port = dest->port;
	a->security = security_of(dest);
	a->is_place = true;
	if (a->scope == NULL && dest->kind == DEST_GMAIL)
		a->scope = (char *)GMAIL_SCOPE; /* nobody frees or changes it */
	if (a->auth == NULL)
		a->auth = (char *)"auto"; /* nobody frees or changes it */
	return a->name != NULL && a->server != NULL && a->user != NULL &&
		       a->email != NULL
		   ? E_OK
		   : E_NOMEM;
}

/* All else in it is borrowed from its block. */
static void
place_free(struct destination *d)
{
	free(d->login.name);
	free(d->login.server);
	free(d->login.user);
	free(d->login.email);
	free(d);
}

void
places_free(struct client_conf *c)
{
	for (size_t i = 0; i < c->n_places; i++)
		place_free(c->places[i]);
	free(c->places);
}

/* One that was met before, so that nobody has to sign in twice for it. */
static const struct destination *
place_met(const struct client_conf *c, const struct dest *dest,
    const struct destination *block, const char *user)
{
	for (size_t i = 0; i < c->n_places; i++) {
		const struct destination *d = c->places[i];

		if (is_there(d, dest, user) &&
		    d->login.security == security_of(dest) &&
		    strcasecmp(d->login.name,
			block != NULL ? block->login.name : dest->host) == 0)
			return d;
	}
	return NULL;
}

static enum err
place_add(struct client_conf *c, struct dest *dest,
    const struct destination *block, const char *user)
{
	struct destination **v = reallocarray(
	    c->places, c->n_places + 1, sizeof(struct destination *));
	struct destination *d;

	if (v == NULL)
		return E_NOMEM;
	c->places = v;
	if ((d = malloc(sizeof(*d))) == NULL)
		return E_NOMEM;
	*d = block != NULL ? *block : destination_none;
	dest->at = v[c->n_places++] = d;
	return place_fill(d, dest, user);
}

/* Its connection is libcurl's. */
static void
check_api(const struct dest *dest, unsigned line, const struct conf_text *text)
{
	const struct account *a = &dest->at->login;

	if (dest->kind == DEST_GMAIL && !account_uses_token(a))
		conf_error(text, a->line != 0 ? a->line : line,
		    _("Gmail's API takes a token only; write oauth = "
		      "\"google\" into a block destination \"gmail\""));
	if (a->fingerprint != NULL || a->client_certificate != NULL)
		conf_error(text, a->line,
		    _("fingerprint and client_certificate are not for "
		      "\"gmail\" "
		      "and \"jmap\"; leave them out"));
	if (strcmp(a->auth, "auto") != 0)
		conf_warn(text, a->line,
		    _("auth changes nothing for \"gmail\" and \"jmap\", which "
		      "take a token, or jmap a password; leave it out"));
}

static enum err
place_fit(struct client_conf *c, struct dest *dest,
    const struct destination *block, const char *user, unsigned line,
    const struct conf_text *text)
{
	enum err e;

	dest->at = place_met(c, dest, block, user);
	if (dest->at != NULL)
		return E_OK;
	e = place_add(c, dest, block, user);
	if (e == E_OK && (dest->kind == DEST_GMAIL || dest->kind == DEST_JMAP))
		check_api(dest, line, text);
	return e;
}

/* email: who signs in if nobody else is said, or NULL.  line: of the block with
 * that setting. */
static enum err
place_find(struct client_conf *c, struct dest *dest, const char *setting,
    const char *email, unsigned line, const struct conf_text *text)
{
	const struct destination *block;
	const char *user;

	if (!dest_signs_in(dest) || dest->host == NULL) /* of that was told */
		return E_OK;
	block = block_for(c, dest);
	if ((user = user_for(dest, block)) == NULL)
		user = email;
	if (user == NULL) {
		conf_error(text, line,
		    _("%s = \"%s\" does not say who signs in there; write "
		      "\"USER@\" before the server's name"),
		    setting, dest->text);
		return E_OK;
	}
	return place_fit(c, dest, block, user, line, text);
}

static bool
is_block_for(const struct client_conf *c, const struct dest *dest,
    const struct destination *block)
{
	return dest_signs_in(dest) && dest->host != NULL &&
	       block_for(c, dest) == block;
}

static bool
is_used(const struct client_conf *c, const struct destination *block)
{
	for (size_t i = 0; i < c->n; i++)
		if (is_block_for(c, &c->v[i].dest, block) ||
		    (c->v[i].sent.text != NULL &&
			is_block_for(c, &c->v[i].sent, block)))
			return true;
	for (size_t i = 0; i < c->n_rules; i++)
		if (is_block_for(c, &c->rules[i].dest, block))
			return true;
	return false;
}

static void
warn_of_unused(const struct client_conf *c, const struct conf_text *text)
{
	char shown[VALUE_SHOWN];

	for (size_t i = 0; i < c->n_blocks; i++)
		if (!is_used(c, &c->blocks[i]))
			conf_warn(text, c->blocks[i].login.line,
			    _("nothing is put to destination \"%s\": no "
			      "deliver or sent names it"),
			    value_shown(shown, c->blocks[i].login.name));
}

/* A rule may be one of several accounts: none of them signs in by itself. */
enum err
places_find(struct client_conf *c, const struct conf_text *text)
{
	enum err e = E_OK;

	for (size_t i = 0; i < c->n && e == E_OK; i++) {
		struct account *a = &c->v[i];

		e = place_find(c, &a->dest, "deliver", a->email, a->line, text);
		if (e == E_OK && a->sent.text != NULL)
			e = place_find(
			    c, &a->sent, "sent", a->email, a->line, text);
	}
	for (size_t i = 0; i < c->n_rules && e == E_OK; i++) {
		struct rule *r = &c->rules[i];

		e = place_find(c, &r->dest, "deliver", NULL, r->line, text);
	}
	warn_of_unused(c, text);
	return e;
}

const struct account *
place_login(const struct dest *dest)
{
	return dest->at != NULL ? &dest->at->login : NULL;
}

bool
place_has_secret(const struct dest *dest)
{
	const struct account *a = place_login(dest);

	return a != NULL &&
	       (a->password != NULL || a->password_command != NULL ||
		   account_uses_token(a));
}

bool
account_delivers_to(const struct account *a, const struct destination *to)
{
	if (a->dest.at == to || a->sent.at == to)
		return true;
	for (const struct rule *const *r = a->rules; *r != NULL; r++)
		if ((*r)->dest.at == to)
			return true;
	return false;
}

bool
account_delivers_with_token(
    const struct client_conf *c, const struct account *a)
{
	for (size_t i = 0; i < c->n_places; i++)
		if (c->places[i]->login.client != NULL &&
		    account_delivers_to(a, c->places[i]))
			return true;
	return false;
}

#include "client/setup/add_oauth.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/oauth/consent.h"
#include "client/setup/talk.h"

enum { PATIENCE = 15 * 60 }; /* seconds, for a person and a browser */

/* ---- who malote is there ---- */

static bool
use_block(struct adding *a, const char *name)
{
	if (strlen(name) >= sizeof(a->draft.value))
		return adding_fail(
		    a, EX_USAGE, "%s", _("that name is too long"));
	memcpy(a->draft.value, name, strlen(name) + 1);
	a->draft.secret = DRAFT_OAUTH;
	return true;
}

/* The block of the configuration that is for the provider, in `conf`. */
static const char *
find_block(const struct client_conf *conf, const char *provider)
{
	for (size_t i = 0; i < conf->n_oauth; i++) {
		const struct oauth_client *c = &conf->oauth[i];

		if (strcmp(c->name, provider) == 0 ||
		    (c->provider != NULL && strcmp(c->provider, provider) == 0))
			return c->name;
	}
	return NULL;
}

/* False: there is none, or it cannot be read; what is wrong is said later. */
static bool
take_block(struct adding *a, const char *provider)
{
	const struct account *new;
	struct client_conf conf;
	struct errbuf eb;
	const char *name;
	bool taken;

	if (!adding_account(a, &conf, &new, &eb))
		return false;
	name = find_block(&conf, provider);
	taken = name != NULL && use_block(a, name);
	client_conf_free(&conf);
	return taken;
}

/* malote has no identity of its own at any provider. */
static bool
ask_client(struct adding *a, const char *provider)
{
	struct draft *d = &a->draft;

	talk_say("",
	    _("%s takes no passwords: you sign in there in a browser, and "
	      "malote gets tokens (OAuth 2.0). For that it needs a client id; "
	      "man malote-oauth says how you get one."),
	    a->found.provider->name);
	if (!talk_ask(d->client_id, sizeof(d->client_id),
		_("client_id (Enter: leave): ")) ||
	    d->client_id[0] == '\0')
		return adding_leave(a);
	if (!talk_ask(d->client_secret, sizeof(d->client_secret),
		_("client_secret (Enter: there is none): ")))
		return adding_leave(a);
	return use_block(a, provider);
}

bool
adding_oauth(struct adding *a)
{
	const struct provider *p = a->found.provider;
	const char *preset = p != NULL ? p->oauth : NULL;
	bool must = a->draft.offer.only_token ||
		    (p != NULL && p->secret == TAKES_TOKEN);

	if (a->r->oauth != NULL)
		return use_block(a, a->r->oauth);
	if (preset != NULL && take_block(a, preset))
		return true;
	if (!must)
		return true;
	if (preset != NULL && a->r->terminal)
		return ask_client(a, preset);
	return adding_fail(a, EX_CONFIG,
	    _("%s takes no passwords, only tokens of OAuth 2.0; see man "
	      "malote-oauth, or give the command that prints one: "
	      "--token-command COMMAND"),
	    a->draft.offer.server);
}

/* ---- allowing it ---- */

static enum err
allow(const struct account *new, const char *state_dir, struct errbuf *eb)
{
	struct oauth_party *party = oauth_party_new(new, state_dir);
	const struct oauth_login l = {
		.party = party,
		.flow = OAUTH_ANY,
		.out = stdout,
		.in = STDIN_FILENO,
		.opens = true,
		.seconds = PATIENCE,
	};
	enum err e;

	if (party == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	e = oauth_login(&l, eb);
	oauth_party_free(party);
	return e;
}

bool
adding_allow(struct adding *a)
{
	const struct account *new;
	struct client_conf conf;
	struct errbuf eb;
	enum err e;

	if (!a->r->terminal)
		return true;
	do {
		if (!adding_account(a, &conf, &new, &eb))
			return adding_fail(a, EX_CONFIG, "%s", eb.text);
		e = allow(new, a->r->state_dir, &eb);
		client_conf_free(&conf);
		if (e == E_OK)
			return true;
		talk_say("", "%s", eb.text);
	} while (talk_confirm(true, "%s", _("Try again?")) == TALK_YES);
	return adding_leave(a);
}

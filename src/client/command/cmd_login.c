/* malote login */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/conf/dest_login.h"
#include "client/conf/place.h"
#include "client/oauth/consent.h"

enum { PATIENCE = 15 * 60 }; /* seconds, for a person and a browser */

static int
exit_code_of(enum err e)
{
	switch (e) {
	case E_AGAIN: return EX_TEMPFAIL;
	case E_DENIED: return EX_NOPERM;
	case E_IO: return EX_IOERR;
	case E_NOMEM: return EX_OSERR;
	case E_FORMAT: return EX_PROTOCOL;
	default: return EX_CONFIG;
	}
}

static enum err
login(const struct call *call, const struct account *a, struct errbuf *eb)
{
	const struct options *o = call->o;
	struct oauth_login l = {
		.flow = option_is_given(o, OPT_DEVICE)    ? OAUTH_DEVICE
			: option_is_given(o, OPT_BROWSER) ? OAUTH_BROWSER
							  : OAUTH_ANY,
		.out = stdout,
		.in = isatty(STDIN_FILENO) ? STDIN_FILENO : -1,
		.opens = true,
		.seconds = PATIENCE,
	};
	struct oauth_party *party = oauth_party_new(a, o->state);
	enum err e;

	if (party == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	l.party = party;
	e = oauth_login(&l, eb);
	oauth_party_free(party);
	return e;
}

static int
login_one(const struct call *call, const struct account *a, bool is_destination)
{
	struct errbuf eb;
	enum err e = login(call, a, &eb);

	if (e != E_OK)
		return failed_by(
		    call->o, exit_code_of(e), "%s: %s", a->name, eb.text);
	printf(is_destination
		   ? _("%s: signed in at %s; from now on mail is delivered "
		       "there without asking\n")
		   : _("%s: signed in at %s; from now on its mail is collected "
		       "without asking\n"),
	    a->name, a->oauth);
	return EX_OK;
}

/* An account that was not named is passed over if it needs no such thing. */
static int
login_account(const struct call *call, const struct account *a)
{
	if (a->client != NULL)
		return login_one(call, a, false);
	if (call->n == 0 || account_delivers_with_token(&call->set->conf, a))
		return EX_OK;
	return failed_by(call->o, EX_CONFIG,
	    _("account %s signs in without a provider's word: it has no "
	      "setting oauth"),
	    a->name);
}

/* Several accounts may deliver there. */
static int
login_place(const struct call *call, const struct destination *to)
{
	const struct client_conf *conf = &call->set->conf;

	for (size_t i = 0; i < conf->n && to->login.client != NULL; i++)
		if (call->set->chosen[i] &&
		    account_delivers_to(&conf->v[i], to))
			return login_one(call, &to->login, true);
	return EX_OK;
}

int
cmd_login(struct call *call)
{
	const struct client_conf *conf = &call->set->conf;
	int code = EX_OK, one;
	bool any = call->n != 0;

	for (size_t i = 0; i < conf->n; i++)
		any |= conf->v[i].client != NULL ||
		       account_delivers_with_token(conf, &conf->v[i]);
	if (!any)
		return failed_by(call->o, EX_CONFIG, "%s",
		    _("no account has a setting oauth, so there is nothing to "
		      "sign in to; man malote-oauth"));
	for (size_t i = 0; i < conf->n; i++)
		if (call->set->chosen[i] &&
		    (one = login_account(call, &conf->v[i])) != EX_OK)
			code = one;
	for (size_t i = 0; i < conf->n_places; i++)
		if ((one = login_place(call, conf->places[i])) != EX_OK)
			code = one;
	return code;
}

#include "client/oauth/consent.h"

#include <time.h>

#include "base/i18n.h"
#include "client/oauth/flow.h"
#include "client/oauth/renew.h"
#include "client/oauth/tokens.h"
#include "client/oauth/vault.h"

/* A code can be typed anywhere, but a browser here needs no typing. */
static enum oauth_flow
choose_flow(const struct oauth_login *l)
{
	const struct oauth_client *c = &l->party->client;

	if (c->flow == OAUTH_CLIENT)
		return OAUTH_CLIENT;
	if (l->flow != OAUTH_ANY)
		return l->flow;
	if (c->flow != OAUTH_ANY)
		return c->flow;
	if (c->authorization_url == NULL)
		return OAUTH_DEVICE;
	return c->device_url == NULL || oauth_login_has_display()
		   ? OAUTH_BROWSER
		   : OAUTH_DEVICE;
}

/* Before the person has taken the trouble. */
static enum err
check_place(const struct oauth_party *p, struct errbuf *eb)
{
	struct oauth_tokens t;
	struct vault *v;
	enum err e = vault_open(&v, p, p->timeout, eb);

	if (e != E_OK)
		return e;
	e = vault_load(v, &t, eb); /* is there a keyring? */
	oauth_tokens_clear(&t);
	if (e == E_OK || e == E_NOENT || e == E_FORMAT)
		e = vault_prepare(v, eb);
	vault_close(v);
	return e;
}

static enum err
keep(const struct oauth_party *p, struct oauth_grant *g, struct errbuf *eb)
{
	struct oauth_tokens t = { NULL, NULL, 0 };
	struct vault *v;
	enum err e = vault_open(&v, p, p->timeout, eb);

	if (e != E_OK)
		return e;
	oauth_tokens_take(&t, g, time(NULL));
	if ((e = vault_prepare(v, eb)) == E_OK)
		e = vault_save(v, &t, eb);
	oauth_tokens_clear(&t);
	vault_close(v);
	return e;
}

/* Without one the person would be asked again within the hour. */
static enum err
check_grant(
    const struct oauth_party *p, const struct oauth_grant *g, struct errbuf *eb)
{
	if (g->refresh != NULL)
		return E_OK;
	return err_set(eb, E_CONFIG,
	    _("%s gives no refresh token, so that it would have to be allowed "
	      "again and again; see \"scope\" in malote-oauth(7)"),
	    p->client.name);
}

static enum err
ask_person(const struct oauth_login *l, enum oauth_flow flow, struct errbuf *eb)
{
	struct oauth_grant g = { NULL, NULL, 0 };
	enum err e = check_place(l->party, eb);

	if (e != E_OK)
		return e;
	e = flow == OAUTH_BROWSER ? oauth_by_browser(l, &g, eb)
				  : oauth_by_device(l, &g, eb);
	if (e == E_OK)
		e = check_grant(l->party, &g, eb);
	if (e == E_OK)
		e = keep(l->party, &g, eb);
	oauth_grant_clear(&g);
	return e;
}

/* Nobody is to be asked: only whether the secret is right. */
static enum err
ask_nobody(const struct oauth_party *p, struct errbuf *eb)
{
	struct buf token;
	enum err e;

	buf_init(&token, OAUTH_TOKEN_MAX, true);
	e = oauth_renew(p, true, &token, eb);
	buf_free(&token);
	return e;
}

enum err
oauth_login(const struct oauth_login *l, struct errbuf *eb)
{
	const struct oauth_client *c = &l->party->client;
	enum oauth_flow flow = choose_flow(l);

	if (flow == OAUTH_CLIENT)
		return ask_nobody(l->party, eb);
	if (flow == OAUTH_DEVICE && c->device_url == NULL)
		return err_set(eb, E_CONFIG,
		    _("%s gives out no codes for devices; leave --device out"),
		    c->name);
	if (flow == OAUTH_BROWSER && c->authorization_url == NULL)
		return err_set(eb, E_CONFIG,
		    _("oauth \"%s\" has no authorization_url, which a browser "
		      "needs"),
		    c->name);
	return ask_person(l, flow, eb);
}

/* From nothing to being signed in at an IMAP server. */
#include <stdlib.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/deliver/imap_conn.h"

static const char *
host_of(const struct imap_conn *c)
{
	return c->at->login.server;
}

static enum err
conn_greeting(struct imap_conn *c, struct errbuf *eb)
{
	struct imap_event ev;
	enum err e = imap_conn_next(c, &ev, eb);

	if (e != E_OK)
		return e;
	if (ev.response.status == IMAP_BYE)
		return imap_conn_refused(c, E_AGAIN, &ev.response, eb);
	if (ev.response.status == IMAP_PREAUTH)
		return err_set(eb, E_FORMAT,
		    _("%s greets as if we had signed in, which nobody has"),
		    host_of(c));
	return E_OK;
}

static enum err
conn_capability(struct imap_conn *c, struct errbuf *eb)
{
	struct imap_event ev;

	if (c->client.capability.known)
		return E_OK;
	return imap_conn_ask(c,
	    imap_client_plain(&c->client, &c->line.out, IMAP_CAPABILITY), &ev,
	    NULL, NULL, eb);
}

static enum err
conn_starttls(struct imap_conn *c, struct errbuf *eb)
{
	struct imap_event ev;
	enum err e = conn_capability(c, eb);

	if (e != E_OK)
		return e;
	if (!c->client.capability.starttls)
		return err_set(eb, E_CONFIG,
		    _("%s offers no TLS at this port; write "
		      "\"imaps://...\", or look who answers there"),
		    host_of(c));
	e = imap_conn_ask(c,
	    imap_client_plain(&c->client, &c->line.out, IMAP_STARTTLS), &ev,
	    NULL, NULL, eb);
	if (e != E_OK)
		return e;
	if (ev.response.status != IMAP_OK)
		return imap_conn_refused(c, E_FORMAT, &ev.response, eb);
	if (imap_client_secured(&c->client, &c->line.in) != E_OK)
		return err_set(eb, E_FORMAT,
		    _("%s: somebody has put words behind the answer to "
		      "STARTTLS"),
		    host_of(c));
	return imap_conn_tls(c, eb);
}

static enum err
conn_enable_utf8(struct imap_conn *c, struct errbuf *eb)
{
	struct imap_event ev;
	enum err e;

	if (!c->client.capability.utf8)
		return E_OK;
	e = imap_conn_ask(c, imap_client_enable_utf8(&c->client, &c->line.out),
	    &ev, NULL, NULL, eb);
	c->client.utf8 = e == E_OK && ev.response.status == IMAP_OK;
	return e;
}

static enum err
conn_secure(struct imap_conn *c, struct errbuf *eb)
{
	enum err e = imap_conn_dial(c, eb);

	if (e != E_OK)
		return e;
	if (c->at->login.security == SECURITY_TLS) {
		e = imap_conn_tls(c, eb);
		return e == E_OK ? conn_greeting(c, eb) : e;
	}
	e = conn_greeting(c, eb);
	return e == E_OK ? conn_starttls(c, eb) : e;
}

static enum err
conn_begin(struct imap_conn *c, struct errbuf *eb)
{
	enum err e;

	if ((e = conn_secure(c, eb)) != E_OK ||
	    (e = conn_capability(c, eb)) != E_OK ||
	    (e = imap_sign_in(c, eb)) != E_OK ||
	    (e = conn_capability(c, eb)) != E_OK)
		return e;
	return conn_enable_utf8(c, eb);
}

static enum err
get_secret(struct imap_conn *c, struct errbuf *eb)
{
	const struct account *a = &c->at->login;
	enum err e;

	if (c->secret != NULL && !c->anew)
		return E_OK;
	if (a->client_certificate != NULL && a->password == NULL &&
	    a->password_command == NULL && !a->keyring &&
	    !account_uses_token(a))
		return E_OK;
	if (c->secret == NULL && (c->secret = calloc(1, IMAP_SECRET)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	e = c->conf.ask == NULL
		? err_set(eb, E_CONFIG, "%s", _("there is no password"))
		: c->conf.ask(
		      c->conf.ask_arg, a, c->anew, c->secret, IMAP_SECRET, eb);
	if (e == E_OK)
		return E_OK;
	str_wipe(c->secret);
	c->secret = NULL;
	return e;
}

enum err
imap_open(struct imap_conn *c, struct errbuf *eb)
{
	const struct account *a = &c->at->login;
	enum err e;

	if (c->open)
		return E_OK;
	if ((e = get_secret(c, eb)) != E_OK)
		return e;
	e = conn_begin(c, eb);
	if (e == E_DENIED && account_uses_token(a) && !c->anew) {
		/* It may have expired; there may be another one. */
		line_close(&c->line);
		c->anew = true;
		if ((e = get_secret(c, eb)) == E_OK)
			e = conn_begin(c, eb);
	}
	if (c->conf.judged != NULL && c->secret != NULL &&
	    (e == E_OK || e == E_DENIED))
		c->conf.judged(c->conf.ask_arg, a, e == E_OK ? NULL : eb->text);
	c->anew = false;
	c->open = e == E_OK;
	if (e != E_OK)
		line_close(&c->line);
	/* A person has to mend what was refused. */
	return e == E_DENIED ? E_CONFIG : e;
}

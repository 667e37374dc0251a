/* Signing in at an IMAP server: by the strongest mechanism that both ends have,
 * or by LOGIN.  TLS has shown which server it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/i18n.h"
#include "client/deliver/imap_conn.h"
#include "net/tls_client.h"
#include "sasl/sasl.h"

enum { WORDS = 160 };

struct exchange {
	struct imap_conn *c;
	struct sasl_credentials cred;
	struct tls_binding binding;
	const struct sasl_mechanism *mechanism;
	struct sasl_client *sasl;
	struct buf answer;
	bool first_open; /* its first message has not been sent */
	bool failed;     /* we have given up: the server says no, too */
};

static struct slice
slice_of(const char *s)
{
	return s != NULL ? (struct slice){ s, strlen(s) }
			 : (struct slice){ NULL, 0 };
}

/* ---- the choice ---- */

static void
gather(struct exchange *x)
{
	struct imap_conn *c = x->c;
	const struct account *a = &c->at->login;
	struct sasl_credentials *cred = &x->cred;

	cred->authcid = slice_of(a->user);
	*(account_uses_token(a) ? &cred->token : &cred->password) =
	    slice_of(c->secret);
	cred->host = a->server;
	cred->port = a->port;
	if (tls_client_binding(&c->line.conn, &x->binding) != E_OK)
		return;
	cred->binding_name = x->binding.name;
	cred->binding_data =
	    (struct slice){ (const char *)x->binding.data, x->binding.n };
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if ((sasl_mechanisms[i]->flags & SASL_NEEDS_BINDING) != 0 &&
		    imap_capability_has_sasl(
			&c->client.capability, sasl_mechanisms[i]->name))
			cred->plus_offered = true;
}

static bool
is_usable(const struct exchange *x, const struct sasl_mechanism *m)
{
	const struct sasl_credentials *cred = &x->cred;

	return !(m->flags & SASL_NEEDS_TICKET) &&
	       (!(m->flags & SASL_NEEDS_PASSWORD) ||
		   cred->password.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_TOKEN) || cred->token.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_BINDING) ||
		   cred->binding_name != NULL) &&
	       (!(m->flags & SASL_NEEDS_CERTIFICATE) ||
		   x->c->at->login.client_certificate != NULL) &&
	       imap_capability_has_sasl(&x->c->client.capability, m->name);
}

/* NULL: none. */
static const struct sasl_mechanism *
choose(const struct exchange *x)
{
	const char *auth = x->c->at->login.auth;

	if (strcmp(auth, "auto") != 0) {
		const struct sasl_mechanism *m = sasl_find(slice_of(auth));

		return m != NULL && is_usable(x, m) ? m : NULL;
	}
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if (sasl_mechanisms[i]->rank != 0 &&
		    is_usable(x, sasl_mechanisms[i]))
			return sasl_mechanisms[i];
	return NULL;
}

static bool
can_login(const struct exchange *x)
{
	const char *auth = x->c->at->login.auth;

	return x->cred.password.p != NULL &&
	       !x->c->client.capability.logindisabled &&
	       (strcmp(auth, "auto") == 0 || strcmp(auth, "login") == 0);
}

static enum err
no_way(const struct exchange *x, struct errbuf *eb)
{
	return err_set(eb, E_CONFIG,
	    _("%s offers no sign-in that can be used; it offers:%s%s"),
	    x->c->at->login.server, x->c->client.capability.auth,
	    x->c->client.capability.logindisabled ? "" : " LOGIN");
}

/* ---- the exchange ---- */

static enum err
conn_has_refused(
    const struct exchange *x, const struct imap_response *r, struct errbuf *eb)
{
	char who[80], words[WORDS];

	if (r->code == IMAP_CODE_UNAVAILABLE || r->code == IMAP_CODE_INUSE ||
	    r->code == IMAP_CODE_SERVERBUG || r->code == IMAP_CODE_LIMIT)
		return imap_conn_refused(x->c, E_AGAIN, r, eb);
	return err_set(eb, E_DENIED,
	    _("%s refuses the sign-in of %s: it says \"%s\"; see who signs in "
	      "there, and how, in the block destination"),
	    x->c->at->login.server,
	    str_quote(who, sizeof(who), x->cred.authcid.p, x->cred.authcid.n),
	    str_quote(words, sizeof(words), r->words.p, r->words.n));
}

/* Makes the next message; false: it has failed, for which there are words. */
static bool
exchange_step(struct exchange *x, struct slice challenge, struct errbuf *eb)
{
	const char *why;
	enum sasl_result r;

	buf_consume(&x->answer, x->answer.len);
	r = sasl_client_step(x->sasl, challenge, &x->answer);
	if (r == SASL_MORE || r == SASL_DONE)
		return true;
	why = sasl_client_error(x->sasl);
	err_set(eb, r == SASL_NOMEM ? E_NOMEM : E_FORMAT,
	    _("%s: sign-in by %s failed: %s"), x->c->at->login.server,
	    x->mechanism->name,
	    why != NULL ? why : _("the server's message is wrong"));
	return false;
}

/* The server asks; NULL in *answer_r: we give up. */
static void
answer(struct exchange *x, struct slice words, struct slice *answer_r,
    struct errbuf *eb)
{
	char *room = malloc(words.n + 1);
	size_t n = 0;
	bool good = room != NULL && b64_decode(room, words, &n) == E_OK;

	*answer_r = (struct slice){ NULL, 0 };
	if (x->first_open && n == 0) {
		good = true; /* whatever the words are */
	} else if (!good) {
		err_set(eb, E_FORMAT,
		    _("%s sent a challenge that is not base64"),
		    x->c->at->login.server);
	} else {
		good = exchange_step(x, (struct slice){ room, n }, eb);
	}
	x->first_open = false;
	x->failed = !good;
	if (good)
		*answer_r =
		    (struct slice){ x->answer.len != 0 ? buf_data(&x->answer)
						       : "",
			    x->answer.len };
	free(room);
}

static enum err
take_verdict(
    struct exchange *x, const struct imap_response *r, struct errbuf *eb)
{
	if (x->failed)
		return E_FORMAT; /* the words are there */
	if (r->status != IMAP_OK)
		return conn_has_refused(x, r, eb);
	if (!sasl_client_is_verified(x->sasl))
		return err_set(eb, E_FORMAT,
		    _("%s says yes, but has not proved that it knows the "
		      "password"),
		    x->c->at->login.server);
	imap_client_signed_in(&x->c->client, r);
	return E_OK;
}

static enum err
converse(struct exchange *x, struct errbuf *eb)
{
	struct imap_conn *c = x->c;
	struct imap_event ev;
	struct slice said;
	enum err e;

	while ((e = imap_conn_next(c, &ev, eb)) == E_OK) {
		if (ev.type == IMAP_EV_DONE)
			return take_verdict(x, &ev.response, eb);
		if (ev.type != IMAP_EV_GO)
			continue;
		answer(x, ev.response.words, &said, eb);
		if (imap_client_answer(&c->client, &c->line.out, said) != E_OK)
			return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	return e;
}

/* A token gets a line of its own, as servers bound that of a command. */
static enum err
sign_in_by(struct exchange *x, struct errbuf *eb)
{
	struct imap_conn *c = x->c;
	unsigned flags = x->mechanism->flags;
	struct slice first;
	bool at_once = c->client.capability.sasl_ir;

	x->sasl = sasl_client_new(x->mechanism, &x->cred);
	if (x->sasl == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	x->first_open = (flags & (SASL_SERVER_FIRST | SASL_ASKS_FIRST)) == 0;
	if (x->first_open && !exchange_step(x, (struct slice){ "", 0 }, eb))
		return E_FORMAT;
	at_once &= x->first_open && (flags & SASL_NEEDS_TOKEN) == 0;
	first = (struct slice){ buf_data(&x->answer), x->answer.len };
	if (imap_client_authenticate(&c->client, &c->line.out,
		x->mechanism->name, at_once ? &first : NULL) != E_OK)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	x->first_open &= !at_once;
	return converse(x, eb);
}

static enum err
sign_in_by_login(struct exchange *x, struct errbuf *eb)
{
	struct imap_conn *c = x->c;
	struct imap_event ev;
	enum err e = imap_client_login(
	    &c->client, &c->line.out, x->cred.authcid, x->cred.password);

	if (e == E_FORMAT)
		return err_set(eb, E_CONFIG,
		    _("%s signs in by LOGIN only, which cannot carry letters "
		      "that are not ASCII; choose another password"),
		    c->at->login.server);
	if ((e = imap_conn_ask(c, e, &ev, NULL, NULL, eb)) != E_OK)
		return e;
	if (ev.response.status != IMAP_OK)
		return conn_has_refused(x, &ev.response, eb);
	imap_client_signed_in(&c->client, &ev.response);
	return E_OK;
}

enum err
imap_sign_in(struct imap_conn *c, struct errbuf *eb)
{
	struct exchange x = { .c = c };
	enum err e;

	buf_init(&x.answer, IMAP_SECRET + 1024, true);
	gather(&x);
	x.mechanism = choose(&x);
	if (x.mechanism != NULL)
		e = sign_in_by(&x, eb);
	else if (can_login(&x))
		e = sign_in_by_login(&x, eb);
	else
		e = no_way(&x, eb);
	sasl_client_free(x.sasl);
	buf_free(&x.answer);
	return e;
}

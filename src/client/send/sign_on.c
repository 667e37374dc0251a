#include "client/send/sign_on.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/b64.h"
#include "client/secret/secret.h"
#include "net/tls_client.h"

enum { MESSAGE_MAX = 64 * 1024 };

void
sign_on_init(struct sign_on *in, const struct account *a)
{
	*in = (struct sign_on){ .account = a };
	in->credentials.authcid = (struct slice){ a->user, strlen(a->user) };
	in->credentials.host = a->server;
	in->credentials.port = a->port;
	buf_init(&in->message, MESSAGE_MAX, true);
}

void
sign_on_clear(struct sign_on *in)
{
	sasl_client_free(in->sasl);
	in->sasl = NULL;
	buf_free(&in->message);
	str_wipe(in->secret);
	in->secret = NULL;
}

enum err
sign_on_take_secret(struct sign_on *in, const char *value)
{
	struct slice *to = account_uses_token(in->account)
			       ? &in->credentials.token
			       : &in->credentials.password;

	if ((in->secret = strdup(value)) == NULL)
		return E_NOMEM;
	*to = (struct slice){ in->secret, strlen(in->secret) };
	return E_OK;
}

static struct slice
made(const struct sign_on *in)
{
	return (struct slice){ buf_data(&in->message), in->message.len };
}

void
sign_on_mask(const struct sign_on *in, char *words)
{
	if (in->secret == NULL)
		return;
	secret_mask(words, made(in));
	secret_mask(words, (struct slice){ in->secret, strlen(in->secret) });
}

/* ---- the choice ---- */

static bool
can_use(const struct sign_on *in, const struct smtp *s,
    const struct sasl_mechanism *m)
{
	const struct sasl_credentials *c = &in->credentials;
	const char *named = in->account->auth;

	return smtp_has_auth(s, m->name) &&
	       (strcmp(named, "auto") == 0 ? m->rank != 0
					   : strcasecmp(named, m->name) == 0) &&
	       (!(m->flags & SASL_NEEDS_PASSWORD) || c->password.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_TOKEN) || c->token.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_BINDING) || c->binding_name != NULL) &&
	       (!(m->flags & SASL_NEEDS_CERTIFICATE) ||
		   in->account->client_certificate != NULL) &&
	       !(m->flags & SASL_NEEDS_TICKET);
}

static void
bind_channel(struct sign_on *in, const struct smtp *s, const struct conn *c)
{
	struct sasl_credentials *cred = &in->credentials;

	if (c == NULL || tls_client_binding(c, &in->binding) != E_OK)
		return;
	cred->binding_name = in->binding.name;
	cred->binding_data =
	    (struct slice){ (const char *)in->binding.data, in->binding.n };
	cred->plus_offered = smtp_has_auth(s, "SCRAM-SHA-256-PLUS") ||
			     smtp_has_auth(s, "SCRAM-SHA-1-PLUS");
}

const struct sasl_mechanism *
sign_on_choose(struct sign_on *in, const struct smtp *s, const struct conn *c)
{
	bind_channel(in, s, c);
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if (can_use(in, s, sasl_mechanisms[i]))
			return sasl_mechanisms[i];
	return NULL;
}

/* ---- the exchange ---- */

/* Makes the mechanism's next message; false: the challenge makes no sense. */
static bool
step(struct sign_on *in, struct slice challenge)
{
	enum sasl_result r;

	buf_consume(&in->message, in->message.len);
	r = sasl_client_step(in->sasl, challenge, &in->message);
	return r == SASL_MORE || r == SASL_DONE;
}

/* A token may be longer than a command can be. */
enum smtp_event
sign_on_begin(struct sign_on *in, const struct sasl_mechanism *m,
    struct smtp *s, struct buf *out)
{
	bool first = !(m->flags & (SASL_SERVER_FIRST | SASL_ASKS_FIRST));
	bool alone = (m->flags & SASL_NEEDS_TOKEN) != 0;
	struct slice initial;

	if ((in->sasl = sasl_client_new(m, &in->credentials)) == NULL ||
	    (first && !step(in, (struct slice){ "", 0 })))
		return SMTP_NOMEM;
	initial = made(in);
	in->first_open = first && alone;
	return smtp_auth(s, out, m->name, first && !alone ? &initial : NULL);
}

/* False: the exchange is to be cancelled. */
static bool
take_challenge(struct sign_on *in, struct slice coded)
{
	char *clear;
	size_t n = 0;
	bool good;

	if (in->sasl == NULL)
		return false;
	if (in->first_open) {
		/* Any words ask for it; it has been made already. */
		in->first_open = false;
		return true;
	}
	if ((clear = malloc(coded.n + 1)) == NULL)
		return false;
	/* Some servers ask without base64: LOGIN answers in the usual order. */
	if (b64_decode(clear, coded, &n) != E_OK)
		n = 0;
	good = step(in, (struct slice){ clear, n });
	free(clear);
	return good;
}

enum smtp_event
sign_on_answer(struct sign_on *in, struct smtp *s, struct buf *out)
{
	return take_challenge(in, s->challenge) ? smtp_answer(s, out, made(in))
						: smtp_cancel(s, out);
}

bool
sign_on_is_proved(const struct sign_on *in)
{
	return in->sasl != NULL && sasl_client_is_verified(in->sasl);
}

/* The secret, and the choice of a sign-in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/session_impl.h"

/* USER and PASS, as sasl_mechanism.rank; all of SASL is stronger. */
enum { RANK_USER = 1, ANSWER_MAX = 64 * 1024 };

/* ---- the secret ---- */

static bool
wants_token(const struct account *a)
{
	return a->token_command != NULL &&
	       (strcmp(a->auth, "auto") == 0 ||
		   (sasl_flags(a->auth) & SASL_NEEDS_TOKEN) != 0);
}

static bool
has_password(const struct account *a)
{
	return a->password != NULL || a->password_command != NULL || a->keyring;
}

static void
secret_has_come(void *arg, enum err e, const char *value, const char *words)
{
	struct session *s = arg;
	const struct account *a = s->conf.account;

	s->secret = NULL;
	if (e != E_OK) {
		session_end(s, OUTCOME_CONFIG, "%s", words);
		return;
	}
	s->password_n = strlen(value);
	if ((s->password = strdup(value)) == NULL) {
		session_memory(s);
		session_finish(s);
		return;
	}
	s->credentials.authcid = (struct slice){ a->user, strlen(a->user) };
	*(wants_token(a) ? &s->credentials.token : &s->credentials.password) =
	    (struct slice){ s->password, s->password_n };
	session_enter(s, STEP_DIAL);
}

void
secret_enter(struct session *s)
{
	const struct account *a = s->conf.account;
	struct secret_question question = {
		.loop = s->conf.loop,
		.account = a,
		.kind = wants_token(a) ? SECRET_TOKEN : SECRET_PASSWORD,
		.terminal = s->conf.terminal,
		.timeout = a->timeout,
		.done = secret_has_come,
		.arg = s,
	};
	struct errbuf eb;

	s->credentials.authcid = (struct slice){ a->user, strlen(a->user) };
	if ((sasl_flags(a->auth) & SASL_NEEDS_CERTIFICATE) != 0 ||
	    (a->client_certificate != NULL && !has_password(a) &&
		!wants_token(a))) {
		session_enter(s, STEP_DIAL);
		return;
	}
	if (secret_ask(&s->secret, &question, &eb) != E_OK)
		session_end(s, OUTCOME_CONFIG, "%s", eb.text);
}

/* Wipes what the sign-in needed; nobody is asked for it any more. */
static void
forget_secret(struct session *s)
{
	secret_cancel(s->secret);
	s->secret = NULL;
	sasl_client_free(s->sasl);
	s->sasl = NULL;
	buf_free(&s->answer);
	if (s->password != NULL)
		explicit_bzero(s->password, s->password_n);
	free(s->password);
	s->password = NULL;
	s->credentials = (struct sasl_credentials){ .host = NULL };
}

void
sign_in_leave(struct session *s, enum step next)
{
	if (next > STEP_SIGN_IN)
		forget_secret(s);
}

/* ---- the choice ---- */

static bool
can_use(const struct session *s, const struct sasl_mechanism *m)
{
	const struct sasl_credentials *c = &s->credentials;

	return (!(m->flags & SASL_NEEDS_PASSWORD) || c->password.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_TOKEN) || c->token.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_BINDING) || c->binding_name != NULL) &&
	       (!(m->flags & SASL_NEEDS_CERTIFICATE) ||
		   s->conf.account->client_certificate != NULL);
}

/* The strongest that both ends have, or NULL: USER and PASS, if *user_r. */
static const struct sasl_mechanism *
strongest(const struct session *s, bool *user_r)
{
	const struct pop3_capa *capa = &s->pop3.capa;

	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++) {
		const struct sasl_mechanism *m = sasl_mechanisms[i];

		if (m->rank != 0 && can_use(s, m) &&
		    pop3_capa_has_sasl(capa, m->name))
			return m;
	}
	*user_r = s->credentials.password.p != NULL &&
		  (!capa->known || capa->user || !capa->has_sasl);
	return NULL;
}

static void
bind_channel(struct session *s)
{
	const struct pop3_capa *capa = &s->pop3.capa;
	struct sasl_credentials *c = &s->credentials;

	c->host = s->conf.account->server;
	c->port = s->conf.account->port;
	if (!s->line.secure ||
	    tls_client_binding(&s->line.conn, &s->binding) != E_OK)
		return;
	c->binding_name = s->binding.name;
	c->binding_data =
	    (struct slice){ (const char *)s->binding.data, s->binding.n };
	c->plus_offered = false;
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if ((sasl_mechanisms[i]->flags & SASL_NEEDS_BINDING) != 0 &&
		    pop3_capa_has_sasl(capa, sasl_mechanisms[i]->name))
			c->plus_offered = true;
}

/* ---- saying it ---- */

static void
begin_user(struct session *s)
{
	const struct sasl_credentials *c = &s->credentials;

	s->method = "USER";
	if (!session_sent(
		s, pop3_client_user(&s->pop3, &s->line.out, c->authcid)))
		return;
	if (s->line.secure && s->pop3.capa.pipelining)
		session_sent(
		    s, pop3_client_pass(&s->pop3, &s->line.out, c->password));
}

static void
begin_apop(struct session *s)
{
	const struct sasl_credentials *c = &s->credentials;
	const char *stamp = s->pop3.timestamp;
	char digest[SASL_APOP_DIGEST + 1];

	s->method = "APOP";
	if (stamp[0] == '\0') {
		session_end(s, OUTCOME_DENIED, _("%s offers no APOP"),
		    s->conf.account->server);
		return;
	}
	if (sasl_apop(digest, (struct slice){ stamp, strlen(stamp) },
		c->password) != E_OK) {
		session_memory(s);
		session_finish(s);
		return;
	}
	digest[SASL_APOP_DIGEST] = '\0';
	session_sent(
	    s, pop3_client_apop(&s->pop3, &s->line.out, c->authcid, digest));
}

/* A message of the mechanism is made; false: the session has failed. */
static bool
sasl_go_on(struct session *s, struct slice challenge)
{
	enum sasl_result r;
	const char *why;

	buf_consume(&s->answer, s->answer.len);
	r = sasl_client_step(s->sasl, challenge, &s->answer);
	if (r == SASL_MORE || r == SASL_DONE)
		return true;
	if (r == SASL_NOMEM) {
		session_memory(s);
		session_finish(s);
		return false;
	}
	why = sasl_client_error(s->sasl);
	session_fail(s, OUTCOME_DENIED, _("sign-in by %s failed: %s"),
	    s->method, why != NULL ? why : _("the server's message is wrong"));
	return false;
}

static void
begin_sasl(struct session *s, const struct sasl_mechanism *m)
{
	struct slice initial;
	bool first = !(m->flags & SASL_SERVER_FIRST);

	s->method = m->name;
	buf_init(&s->answer, ANSWER_MAX, true);
	if ((s->sasl = sasl_client_new(m, &s->credentials)) == NULL) {
		session_memory(s);
		session_finish(s);
		return;
	}
	if (first && !sasl_go_on(s, (struct slice){ "", 0 })) {
		session_finish(s);
		return;
	}
	initial = (struct slice){ buf_data(&s->answer), s->answer.len };
	session_sent(s, pop3_client_auth(&s->pop3, &s->line.out, m->name,
			    first ? &initial : NULL, &s->deferred));
}

/* Whoever once offered better is not believed to have less now. */
static bool
is_weaker(struct session *s, unsigned rank)
{
	struct state_account *a = &s->record->account;

	if (!s->conf.accept && a->auth_rank > (int)rank) {
		session_end(s, OUTCOME_TLS,
		    _("%s offered a stronger sign-in before; if its owner has "
		      "changed that, run: malote collect --accept %s"),
		    s->conf.account->server, s->conf.account->name);
		return true;
	}
	a->auth_rank = (int)rank;
	return false;
}

static void
begin_named(struct session *s, const char *name)
{
	const struct pop3_capa *capa = &s->pop3.capa;
	const struct sasl_mechanism *m =
	    sasl_find((struct slice){ name, strlen(name) });

	if (strcmp(name, "user") == 0) {
		begin_user(s);
	} else if (strcmp(name, "apop") == 0) {
		begin_apop(s);
	} else if (m == NULL || !can_use(s, m)) {
		session_end(s, OUTCOME_CONFIG,
		    _("account %s cannot sign in by %s: what it needs is not "
		      "configured, or this connection lacks it"),
		    s->conf.account->name, name);
	} else if (capa->known && !pop3_capa_has_sasl(capa, m->name)) {
		session_end(s, OUTCOME_DENIED, _("%s does not offer %s"),
		    s->conf.account->server, m->name);
	} else {
		begin_sasl(s, m);
	}
}

void
sign_in_enter(struct session *s)
{
	const struct account *a = s->conf.account;
	const struct sasl_mechanism *m;
	bool user = false;

	if (!s->line.secure && a->security != SECURITY_NONE) {
		session_end(s, OUTCOME_INTERNAL, _("TLS is not on"));
		return;
	}
	bind_channel(s);
	if (strcmp(a->auth, "auto") != 0) {
		begin_named(s, a->auth);
		return;
	}
	m = strongest(s, &user);
	if (m == NULL && !user) {
		session_end(s, OUTCOME_DENIED,
		    _("%s offers no sign-in that account %s can use; it "
		      "offers:%s%s"),
		    a->server, a->name, s->pop3.capa.sasl,
		    s->pop3.capa.user ? " USER" : "");
	} else if (!is_weaker(s, m != NULL ? m->rank : RANK_USER)) {
		if (m != NULL)
			begin_sasl(s, m);
		else
			begin_user(s);
	}
}

/* ---- the answers ---- */

static void
challenged(struct session *s, const struct pop3_event *ev)
{
	enum err e;

	if (s->result.outcome != OUTCOME_OK) {
		session_finish(s); /* it goes on after we have cancelled */
		return;
	}
	if (s->deferred && (ev->data.n == 0 || ev->odd)) {
		s->deferred = false; /* what it is waiting for is made */
	} else if (ev->odd) {
		session_fail(s, OUTCOME_PROTOCOL,
		    _("%s sent a challenge that is not base64"),
		    s->conf.account->server);
		session_sent(s, pop3_client_cancel(&s->pop3, &s->line.out));
		return;
	} else if (!sasl_go_on(s, ev->data)) {
		if (line_is_open(&s->line))
			session_sent(
			    s, pop3_client_cancel(&s->pop3, &s->line.out));
		return;
	}
	e = pop3_client_answer(&s->pop3, &s->line.out,
	    (struct slice){ buf_data(&s->answer), s->answer.len });
	session_sent(s, e);
}

static void
signed_in(struct session *s)
{
	const struct pop3_capa *capa = &s->pop3.capa;

	if (s->result.outcome != OUTCOME_OK) {
		session_finish(s); /* to what we have cancelled */
		return;
	}
	if (s->sasl != NULL && !sasl_client_is_verified(s->sasl)) {
		session_end(s, OUTCOME_DENIED,
		    _("%s says yes, but has not proved that it knows the "
		      "password"),
		    s->conf.account->server);
		return;
	}
	snprintf(s->result.sign_in, sizeof(s->result.sign_in), "%s", s->method);
	session_enter(s, capa->login_delay_user || capa->expire_user
			     ? STEP_RECAPA
			     : STEP_LISTING);
}

void
sign_in_take(struct session *s, const struct pop3_event *ev)
{
	const char *said;

	if (ev->type == POP3_EV_CHALLENGE) {
		challenged(s, ev);
	} else if (ev->type == POP3_EV_ERR) {
		said = s->sasl != NULL ? sasl_client_error(s->sasl) : NULL;
		session_refused(s, ev, _("sign-in refused"));
		if (s->result.outcome == OUTCOME_SERVER &&
		    ev->code != POP3_CODE_SYS_PERM)
			s->result.outcome = OUTCOME_DENIED;
		if (said != NULL && s->result.outcome == OUTCOME_DENIED)
			snprintf(s->result.words, sizeof(s->result.words),
			    _("sign-in refused: the server says \"%s\" (%s)"),
			    session_quote(ev->text), said);
		s->result.again = s->result.outcome == OUTCOME_DENIED &&
				  s->credentials.token.p != NULL;
		session_finish(s);
	} else if (ev->cmd == POP3_CMD_USER) {
		if (s->pop3.n_pending == 0)
			session_sent(s, pop3_client_pass(&s->pop3, &s->line.out,
					    s->credentials.password));
	} else {
		signed_in(s);
	}
}

/* The secret, and the choice of a sign-in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/secret/secret.h"
#include "client/session/advice.h"
#include "client/session/core.h"
#include "client/session/kerberos.h"
#include "client/session/refusal.h"
#include "client/session/steps.h"
#include "net/tls_binding.h"
#include "sasl/sasl.h"

/* The rank of USER and PASS beside those of the mechanisms (sasl.h): each of
 * them is stronger. */
enum {
	RANK_USER = 1,
	ANSWER_MAX = 64 * 1024,
	REMEMBER = 30 * 24 * 3600, /* seconds */
};

struct sign_in {
	struct secret *secret; /* that is being asked for; or NULL */
	char *password;        /* or token; wiped */
	size_t password_n;
	struct sasl_credentials credentials;
	struct tls_binding binding;
	const char *method;                     /* "SCRAM-SHA-256", "USER" */
	const struct sasl_mechanism *mechanism; /* NULL: USER, APOP */
	struct sasl_client *sasl;               /* of that mechanism */
	int rank_before;   /* what the record had before this session */
	bool challenged;   /* the server has asked something */
	bool fell_back;    /* from a mechanism that the server does not know */
	struct buf answer; /* to the server's challenge */
	bool first_open;   /* the server may still ask for the first message: it
	                  * was too long for the command, or was ignored */
};

/* ---- the secret ---- */

static bool
has_password(const struct account *a)
{
	return a->password != NULL || a->password_command != NULL || a->keyring;
}

/* What was sent to sign in is in no words, whatever the server repeats. */
static void
mask_secrets(const struct visit *v, char *words)
{
	const struct sign_in *in = v->sign_in;

	if (in->password == NULL)
		return;
	secret_mask(
	    words, (struct slice){ buf_data(&in->answer), in->answer.len });
	secret_mask(words, (struct slice){ in->password, in->password_n });
}

static void
go_and_dial(struct visit *v)
{
	if (visit_is_refused(v, v->sign_in->password))
		visit_finish(v);
	else
		visit_enter(v, STEP_DIAL);
}

static void
secret_has_come(void *arg, enum err e, const char *value, const char *words)
{
	struct visit *v = arg;
	struct sign_in *in = v->sign_in;
	struct sasl_credentials *c = &in->credentials;
	struct slice *to =
	    account_uses_token(v->conf.account) ? &c->token : &c->password;

	in->secret = NULL;
	if (e != E_OK) {
		visit_blame(v, CAUSE_SECRET);
		visit_end(v, e == E_AGAIN ? OUTCOME_CONNECT : OUTCOME_CONFIG,
		    "%s", words);
		return;
	}
	in->password_n = strlen(value);
	if ((in->password = strdup(value)) == NULL) {
		visit_memory(v);
		return;
	}
	*to = (struct slice){ in->password, in->password_n };
	go_and_dial(v);
}

/* The certificate says who we are, or nobody asks. */
static bool
needs_no_secret(const struct account *a)
{
	const struct sasl_mechanism *m =
	    sasl_find((struct slice){ a->auth, strlen(a->auth) });

	return (m != NULL &&
		   !(m->flags & (SASL_NEEDS_PASSWORD | SASL_NEEDS_TOKEN))) ||
	       (a->client_certificate != NULL && !has_password(a) &&
		   !account_uses_token(a));
}

void
secret_enter(struct visit *v)
{
	const struct account *a = v->conf.account;
	struct secret_question question = {
		.loop = v->conf.loop,
		.account = a,
		.kind = account_uses_token(a) ? SECRET_TOKEN : SECRET_PASSWORD,
		.terminal = v->conf.terminal,
		.timeout = a->timeout,
		.state_dir = v->conf.state_dir,
		.anew = v->conf.anew,
		.done = secret_has_come,
		.arg = v,
	};
	struct sign_in *in = calloc(1, sizeof(*in));
	struct errbuf eb;

	v->sign_in = in;
	if (in == NULL) {
		visit_memory(v);
		return;
	}
	in->credentials.authcid = (struct slice){ a->user, strlen(a->user) };
	buf_init(&in->answer, ANSWER_MAX, true);
	v->mask = mask_secrets;
	if (account_uses_ticket(a))
		kerberos_begin(v);
	else if (needs_no_secret(a))
		go_and_dial(v);
	else if (secret_ask(&in->secret, &question, &eb) != E_OK)
		visit_end(v, OUTCOME_CONFIG, "%s", eb.text);
	secret_expect_not(a, v->conf.loop);
}

/* Nobody is asked for the secret any more, and what is here of it is wiped. */
void
sign_in_leave(struct visit *v, enum step next)
{
	struct sign_in *in = v->sign_in;

	if (next <= STEP_SIGN_IN || in == NULL)
		return;
	/* Some servers hang up after a command that they do not know. */
	if (in->fell_back && v->broken[0] != '\0')
		v->result.again = v->result.learned = true;
	v->sign_in = NULL;
	v->mask = NULL;
	kerberos_free(v);
	secret_cancel(in->secret);
	sasl_client_free(in->sasl);
	buf_free(&in->answer);
	if (in->password != NULL)
		explicit_bzero(in->password, in->password_n);
	free(in->password);
	free(in);
}

/* ---- the choice ---- */

static bool
can_use(const struct visit *v, const struct sasl_mechanism *m)
{
	const struct sasl_credentials *c = &v->sign_in->credentials;

	return (!(m->flags & SASL_NEEDS_PASSWORD) || c->password.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_TOKEN) || c->token.p != NULL) &&
	       (!(m->flags & SASL_NEEDS_BINDING) || c->binding_name != NULL) &&
	       (!(m->flags & SASL_NEEDS_CERTIFICATE) ||
		   v->conf.account->client_certificate != NULL);
}

/* A password is given away as it is. */
static bool
gives_password(const struct sasl_mechanism *m)
{
	const unsigned flags = SASL_PLAINTEXT | SASL_NEEDS_PASSWORD;

	return (m->flags & flags) == flags;
}

/* It was refused as unknown before.  Where others could have said so, or could
 * read the password, none is left out that keeps it from them. */
static bool
is_unknown(const struct visit *v, const struct sasl_mechanism *m)
{
	const struct state_account *a = &v->record->account;

	return visit_does_without(a->auth_below_until) &&
	       (int)m->rank >= a->auth_below &&
	       (v->line.secure || gives_password(m));
}

/* A server that does not answer CAPA still has what it has offered before. */
static bool
is_offered(const struct visit *v, const struct sasl_mechanism *m)
{
	const struct state_account *a = &v->record->account;

	if (visit_does_without(a->no_capa_until) && !v->conf.accept)
		return a->auth_rank == (int)m->rank;
	return pop3_capa_has_sasl(&v->pop3.capa, m->name);
}

/* The strongest that both ends have, or NULL: USER and PASS, if *user_r. */
static const struct sasl_mechanism *
strongest(const struct visit *v, bool *user_r)
{
	const struct pop3_capa *capa = &v->pop3.capa;
	bool any_unknown = false;

	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++) {
		const struct sasl_mechanism *m = sasl_mechanisms[i];

		if (m->rank == 0 || !can_use(v, m) || !is_offered(v, m))
			continue;
		if (!is_unknown(v, m))
			return m;
		any_unknown = true;
	}
	*user_r = v->sign_in->credentials.password.p != NULL &&
		  (any_unknown || !capa->known || capa->user ||
		      capa->sasl[0] == '\0');
	return NULL;
}

static void
bind_channel(struct visit *v)
{
	const struct pop3_capa *capa = &v->pop3.capa;
	struct sasl_credentials *c = &v->sign_in->credentials;
	struct tls_binding *b = &v->sign_in->binding;

	c->host = v->conf.account->server;
	c->port = v->conf.account->port;
	if (!v->line.secure || tls_client_binding(&v->line.conn, b) != E_OK)
		return;
	c->binding_name = b->name;
	c->binding_data = (struct slice){ (const char *)b->data, b->n };
	c->plus_offered = false;
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if ((sasl_mechanisms[i]->flags & SASL_NEEDS_BINDING) != 0 &&
		    pop3_capa_has_sasl(capa, sasl_mechanisms[i]->name))
			c->plus_offered = true;
}

/* ---- beginning ---- */

/* What the person is to do goes behind what is wrong; a trial tells both
 * apart. */
static void
add_advice(struct visit *v)
{
	struct visit_result *r = &v->result;
	size_t n = strlen(r->words);
	char advice[ADVICE];

	advice_write(advice, r->cause, v->conf.account);
	if (r->cause != CAUSE_PASSWORD && v->facts == NULL && advice[0] != '\0')
		snprintf(r->words + n, sizeof(r->words) - n, "; %s", advice);
}

/* It has failed, by what the settings ask for. */
static void
end_by(struct visit *v, enum cause cause)
{
	visit_blame(v, cause);
	add_advice(v);
	visit_finish(v);
}

/* method: what it is called in the result. */
static void
begin_user(struct visit *v, const char *method)
{
	const struct sasl_credentials *c = &v->sign_in->credentials;

	v->sign_in->method = method;
	if (!visit_sent(
		v, pop3_client_user(&v->pop3, &v->line.out, c->authcid)))
		return;
	if (!v->line.secure || !v->pop3.capa.pipelining ||
	    visit_is_distrusted(v))
		return;
	v->was_pipelined = true;
	visit_sent(v, pop3_client_pass(&v->pop3, &v->line.out, c->password));
}

/* It has signed in already, and is told once more for whom: any password
 * does. */
static void
begin_kpop(struct visit *v)
{
	static const char any[] = "kpop";

	v->sign_in->credentials.password = (struct slice){ any, strlen(any) };
	begin_user(v, "KPOP");
}

static void
begin_gssapi(struct visit *v)
{
	v->sign_in->method = "GSSAPI";
	kerberos_auth(v);
}

static void
begin_apop(struct visit *v)
{
	const struct sasl_credentials *c = &v->sign_in->credentials;
	const char *stamp = v->pop3.timestamp;
	char digest[SASL_APOP_DIGEST + 1];
	struct buf name;

	v->sign_in->method = "APOP";
	if (stamp[0] == '\0') {
		visit_fail(v, OUTCOME_DENIED, _("%s offers no APOP"),
		    v->conf.account->server);
		end_by(v, CAUSE_MECHANISM);
		return;
	}
	buf_init(&name, ANSWER_MAX, false);
	if (sasl_prep_if_possible(&name, c->authcid) != E_OK ||
	    sasl_apop(digest, (struct slice){ stamp, strlen(stamp) },
		c->password) != E_OK)
		visit_memory(v);
	else
		visit_sent(v,
		    pop3_client_apop(&v->pop3, &v->line.out,
			(struct slice){ buf_data(&name), name.len }, digest));
	buf_free(&name);
}

/* Makes the mechanism's next message; false: the sign-in has failed. */
static bool
sasl_go_on(struct visit *v, struct slice challenge)
{
	struct sign_in *in = v->sign_in;
	enum sasl_result r;
	const char *why;

	buf_consume(&in->answer, in->answer.len);
	r = sasl_client_step(in->sasl, challenge, &in->answer);
	if (r == SASL_MORE || r == SASL_DONE)
		return true;
	if (r == SASL_NOMEM) {
		visit_memory(v);
		return false;
	}
	why = sasl_client_error(in->sasl);
	visit_fail(v, OUTCOME_DENIED, _("sign-in by %s failed: %s"), in->method,
	    why != NULL ? why : _("the server's message is wrong"));
	return false;
}

static struct slice
made(const struct sign_in *in)
{
	return (struct slice){ buf_data(&in->answer), in->answer.len };
}

static void
begin_sasl(struct visit *v, const struct sasl_mechanism *m)
{
	struct sign_in *in = v->sign_in;
	bool first = !(m->flags & (SASL_SERVER_FIRST | SASL_ASKS_FIRST));
	/* Exchange Online takes a token in a line of its own only, and few would
	 * fit into the command. */
	bool alone = (m->flags & SASL_NEEDS_TOKEN) != 0;
	struct slice initial;
	bool deferred;

	in->method = m->name;
	in->mechanism = m;
	if ((in->sasl = sasl_client_new(m, &in->credentials)) == NULL) {
		visit_memory(v);
		return;
	}
	if (first && !sasl_go_on(v, (struct slice){ "", 0 })) {
		visit_finish(v);
		return;
	}
	initial = made(in);
	visit_sent(v, pop3_client_auth(&v->pop3, &v->line.out, m->name,
			  first && !alone ? &initial : NULL, &deferred));
	in->first_open = first;
}

/* A server that has offered a stronger sign-in before is not believed to have
 * lost it: somebody on the way may have taken it out of the offer. */
static bool
is_weaker(struct visit *v, unsigned rank)
{
	struct state_account *a = &v->record->account;

	if (!v->conf.accept && a->auth_rank > (int)rank) {
		visit_end(v, OUTCOME_TLS,
		    _("%s offered a stronger sign-in before; if its owner has "
		      "changed that, run: malote collect --accept %s"),
		    v->conf.account->server, v->conf.account->name);
		return true;
	}
	if (a->auth_rank > (int)rank)
		snprintf(v->result.notice, sizeof(v->result.notice),
		    _("the weaker sign-in of %s is accepted"),
		    v->conf.account->server);
	a->auth_rank = (int)rank;
	return false;
}

static void
begin_named(struct visit *v, const char *name)
{
	const struct pop3_capa *capa = &v->pop3.capa;
	const struct sasl_mechanism *m =
	    sasl_find((struct slice){ name, strlen(name) });

	if (strcmp(name, "user") == 0) {
		begin_user(v, "USER");
	} else if (strcmp(name, "apop") == 0) {
		begin_apop(v);
	} else if (strcmp(name, "gssapi") == 0) {
		begin_gssapi(v);
	} else if (m == NULL || !can_use(v, m)) {
		visit_end(v, OUTCOME_CONFIG,
		    _("account %s cannot sign in by %s: what it needs is not "
		      "configured, or this connection lacks it"),
		    v->conf.account->name, name);
	} else if (capa->known && !pop3_capa_has_sasl(capa, m->name)) {
		visit_fail(v, OUTCOME_DENIED, _("%s does not offer %s"),
		    v->conf.account->server, m->name);
		end_by(v, CAUSE_MECHANISM);
	} else {
		begin_sasl(v, m);
	}
}

/* Neither the password that is there nor any other is of use. */
static bool
is_for_tokens_only(const struct visit *v)
{
	const struct pop3_capa *capa = &v->pop3.capa;

	return v->sign_in->credentials.token.p == NULL &&
	       (pop3_capa_has_sasl(capa, "XOAUTH2") ||
		   pop3_capa_has_sasl(capa, "OAUTHBEARER"));
}

static void
end_without_sign_in(struct visit *v)
{
	const struct account *a = v->conf.account;

	if (is_for_tokens_only(v)) {
		visit_fail(v, OUTCOME_DENIED, _("%s signs in by OAuth only"),
		    a->server);
		end_by(v, CAUSE_OAUTH);
		return;
	}
	visit_fail(v, OUTCOME_DENIED,
	    _("%s offers no sign-in that account %s can use; it offers:%s%s"),
	    a->server, a->name, v->pop3.capa.sasl,
	    v->pop3.capa.user ? " USER" : "");
	end_by(v, v->sign_in->credentials.token.p != NULL ? CAUSE_NO_OAUTH
							  : CAUSE_OTHER);
}

static void
begin_strongest(struct visit *v)
{
	bool user = false;
	const struct sasl_mechanism *m = strongest(v, &user);

	if (m == NULL && !user) {
		end_without_sign_in(v);
	} else if (!is_weaker(v, m != NULL ? m->rank : RANK_USER)) {
		if (m != NULL)
			begin_sasl(v, m);
		else
			begin_user(v, "USER");
	}
}

void
sign_in_enter(struct visit *v)
{
	const struct account *a = v->conf.account;

	if (!v->line.secure && a->security != SECURITY_NONE &&
	    a->security != SECURITY_KPOP) {
		visit_end(v, OUTCOME_INTERNAL, _("TLS is not on"));
		return;
	}
	bind_channel(v);
	v->sign_in->rank_before = v->record->account.auth_rank;
	if (v->conf.accept)
		v->record->account.auth_below_until = 0;
	if (a->security == SECURITY_KPOP)
		begin_kpop(v);
	else if (strcmp(a->auth, "auto") != 0)
		begin_named(v, a->auth);
	else
		begin_strongest(v);
}

/* ---- a mechanism that is offered and not known ---- */

/* To that which gives the password away as well, it makes no difference. */
static int
rank_to_keep(const struct sign_in *in)
{
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if ((int)sasl_mechanisms[i]->rank == in->rank_before &&
		    gives_password(sasl_mechanisms[i]))
			return RANK_USER;
	return in->rank_before;
}

/* Leaves out, for a month, what the server has refused as unknown.  False: it has
 * refused the person, or nothing else is left, or nothing that others could not
 * read. */
static bool
learn_unknown(struct visit *v, const struct pop3_event *ev)
{
	const struct sasl_mechanism *m = v->sign_in->mechanism;
	struct state_account *a = &v->record->account;
	enum pop3_unknown what = pop3_code_unknown(ev->text);
	bool user = false;

	if (m == NULL || v->sign_in->challenged ||
	    strcmp(v->conf.account->auth, "auto") != 0 ||
	    (ev->code != POP3_NO_CODE && ev->code != POP3_CODE_OTHER) ||
	    what == POP3_UNKNOWN_NOTHING ||
	    (!v->line.secure && !gives_password(m)))
		return false;
	a->auth_below =
	    what == POP3_UNKNOWN_MECHANISM ? (int)m->rank : RANK_USER + 1;
	a->auth_below_until = time(NULL) + REMEMBER;
	if (strongest(v, &user) != NULL || user)
		return true;
	a->auth_below_until = 0;
	return false;
}

static void
fall_back(struct visit *v)
{
	struct sign_in *in = v->sign_in;

	sasl_client_free(in->sasl);
	in->sasl = NULL;
	in->mechanism = NULL;
	in->fell_back = true;
	v->record->account.auth_rank = rank_to_keep(in);
	begin_strongest(v);
}

/* ---- the answers ---- */

/* The server is to end the exchange with a refusal; it has failed by then. */
static void
cancel(struct visit *v)
{
	if (line_is_open(&v->line))
		visit_sent(v, pop3_client_cancel(&v->pop3, &v->line.out));
}

/* Some servers ask without base64: LOGIN answers in the usual order then. */
static bool
asks_in_words(const struct sign_in *in)
{
	return (sasl_flags(in->method) & SASL_ASKS_FIRST) != 0;
}

static void
challenged(struct visit *v, const struct pop3_event *ev)
{
	struct sign_in *in = v->sign_in;

	in->challenged = true;
	if (v->result.outcome != OUTCOME_OK) {
		visit_finish(v); /* it goes on, though we have cancelled */
		return;
	}
	if (v->kerberos != NULL) {
		kerberos_challenged(v, ev);
		return;
	}
	if (in->first_open && (ev->data.n == 0 || ev->odd)) {
		/* Any words ask for it; it has been made already. */
	} else if (ev->odd && !asks_in_words(in)) {
		visit_fail(v, OUTCOME_PROTOCOL,
		    _("%s sent a challenge that is not base64"),
		    v->conf.account->server);
		cancel(v);
		return;
	} else if (!sasl_go_on(v, ev->data)) {
		cancel(v);
		return;
	}
	in->first_open = false;
	visit_sent(v, pop3_client_answer(&v->pop3, &v->line.out, made(in)));
}

static bool
was_typed(const struct visit *v)
{
	const struct sign_in *in = v->sign_in;

	return v->conf.terminal && in->credentials.password.p != NULL &&
	       in->credentials.password.p == in->password &&
	       secret_is_typed(v->conf.account, SECRET_PASSWORD);
}

/* Whoever has just set the account up, or has got the password wrong before, may
 * want it kept. */
static void
note_typed(const struct visit *v)
{
	const struct state_account *a = &v->record->account;

	if (was_typed(v) && (a->collected_at == 0 || a->refused_at != 0))
		secret_is_right(v->conf.account, v->sign_in->password);
}

static void
signed_in(struct visit *v)
{
	const struct pop3_capa *capa = &v->pop3.capa;
	const struct sign_in *in = v->sign_in;

	if (v->result.outcome != OUTCOME_OK) {
		visit_finish(v); /* it says yes, though we have cancelled */
		return;
	}
	if (in->sasl != NULL && !sasl_client_is_verified(in->sasl)) {
		visit_end(v, OUTCOME_DENIED,
		    _("%s says yes, but has not proved that it knows the "
		      "password"),
		    v->conf.account->server);
		return;
	}
	if (!kerberos_is_proven(v)) {
		visit_end(v, OUTCOME_DENIED,
		    _("%s says yes, but has not proved that it is the right "
		      "server"),
		    v->conf.account->server);
		return;
	}
	note_typed(v);
	v->record->account.refused_at = 0;
	snprintf(
	    v->result.sign_in, sizeof(v->result.sign_in), "%s", in->method);
	visit_enter(v, capa->login_delay_user || capa->expire_user
			   ? STEP_RECAPA
			   : STEP_LISTING);
}

/* Many servers refuse passwords that anybody on the way could read, in words of
 * their own. */
static void
point_at_tls(struct visit *v)
{
	struct visit_result *r = &v->result;
	size_t n = strlen(r->words);

	if (v->conf.account->security == SECURITY_NONE && v->pop3.capa.stls)
		snprintf(r->words + n, sizeof(r->words) - n, "%s",
		    _("; it offers TLS: write security = \"starttls\""));
}

/* A password that was typed is asked for again; of one that is configured a person
 * is told where it stands. */
static void
point_at_password(struct visit *v)
{
	const struct account *a = v->conf.account;
	struct visit_result *r = &v->result;
	size_t n = strlen(r->words);

	if (r->cause != CAUSE_PASSWORD || v->facts != NULL || !v->conf.insist ||
	    v->sign_in->credentials.password.p != v->sign_in->password ||
	    secret_is_typed(a, SECRET_PASSWORD))
		return;
	snprintf(r->words + n, sizeof(r->words) - n,
	    _("; is \"%s\" of account %s right? malote test %s says more"),
	    a->password_command != NULL ? "password_command"
	    : a->keyring                ? "keyring"
					: "password",
	    a->name, a->name);
}

/* The token was kept from before, and the provider gives another one. */
static bool
will_be_renewed(const struct visit *v)
{
	return v->conf.account->client != NULL && !v->conf.anew &&
	       v->sign_in->credentials.token.p != NULL;
}

/* A token that is not even used yet is not what is wrong. */
static void
point_at_provider(struct visit *v)
{
	const struct account *a = v->conf.account;
	struct visit_result *r = &v->result;
	size_t n = strlen(r->words);

	if (a->oauth != NULL && v->conf.anew)
		snprintf(r->words + n, sizeof(r->words) - n,
		    _("; the token is new, so look whether POP is switched on "
		      "at %s, and whether it was %s who signed in there: "
		      "malote login %s"),
		    a->oauth, a->user, a->name);
}

static void
sign_in_refused(struct visit *v, const struct pop3_event *ev)
{
	const struct sign_in *in = v->sign_in;
	struct visit_result *r = &v->result;
	const char *why = in->sasl != NULL ? sasl_client_error(in->sasl) : NULL;
	bool cancelled = r->outcome != OUTCOME_OK;

	visit_refused(v, ev, _("sign-in refused"));
	if (r->outcome == OUTCOME_SERVER && ev->code != POP3_CODE_SYS_PERM)
		r->outcome = OUTCOME_DENIED;
	if (why != NULL && r->outcome == OUTCOME_DENIED) {
		r->outcome = OUTCOME_OK;
		visit_fail(v, OUTCOME_DENIED,
		    _("sign-in refused: the server says \"%s\" (%s)"),
		    visit_quote(ev->text), why);
	}
	/* A token may have expired; there may be another one. */
	r->again = r->refused_token =
	    r->outcome == OUTCOME_DENIED && in->credentials.token.p != NULL;
	if (!cancelled && r->outcome == OUTCOME_DENIED) {
		point_at_tls(v);
		visit_blame(v, advice_provider(v->conf.account));
		add_advice(v);
		point_at_password(v);
		point_at_provider(v);
		/* No password is guessed by a ticket, and the next one is
		 * another; so is the next token. */
		if (v->kerberos == NULL && !will_be_renewed(v))
			visit_note_refusal(v, in->password);
		r->mistyped = was_typed(v);
	}
	visit_finish(v);
}

void
sign_in_take(struct visit *v, const struct pop3_event *ev)
{
	const struct sasl_credentials *c = &v->sign_in->credentials;

	if (ev->type == POP3_EV_CHALLENGE)
		challenged(v, ev);
	else if (ev->type == POP3_EV_ERR && learn_unknown(v, ev))
		fall_back(v);
	else if (ev->type == POP3_EV_ERR)
		sign_in_refused(v, ev);
	else if (ev->cmd != POP3_CMD_USER)
		signed_in(v);
	else if (v->pop3.n_pending == 0)
		visit_sent(
		    v, pop3_client_pass(&v->pop3, &v->line.out, c->password));
}

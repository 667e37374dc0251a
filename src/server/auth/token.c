#include "server/auth/token.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sasl/sasl.h"
#include "server/auth/auth_worker.h"
#include "server/auth/look.h"
#include "server/auth/refuse.h"
#include "server/auth/turn.h"

static struct signin *
signin_of(struct token_wait *w)
{
	return ((struct token *)((char *)w - offsetof(struct token, wait)))
	    ->signin;
}

/* The name is the issuer's word; nothing of the token is logged. */
static void
log_token(const struct signin *s, const char *user, const char *error)
{
	const struct known_issuer *by = &s->token->issuer;
	bool is_known = by->name[0] != '\0';
	char shown[NAME_MAX_OCTETS * 4 + 1], words[512];

	str_escape(shown, sizeof(shown), user, strlen(user));
	str_quote(words, sizeof(words), error, strlen(error));
	log_line(LOG_EVENT, "ev=token sid=%u.%llx%s%s%s user=%s%s%s%s",
	    s->worker_index, (unsigned long long)s->sid,
	    is_known ? " oauth=\"" : "", by->name, is_known ? "\"" : "", shown,
	    error[0] != '\0' ? " error=\"" : "", words,
	    error[0] != '\0' ? "\"" : "");
}

/* ---- whose it is ---- */

/* As the users are now. */
static void
decide(struct signin *s)
{
	bool may = signin_act_for(s, sasl_server_claim(s->sasl)->authzid);
	const struct user *u = signin_find(s);

	if (u != NULL && !may) {
		s->known = false;
		s->why = "authzid";
		u = NULL;
	}
	signin_judge(s, u != NULL ? E_OK : E_DENIED);
}

static void
good(struct signin *s, const struct token_answer *said)
{
	log_token(s, said->user, "");
	if (signin_name(s, (struct slice){ said->user, strlen(said->user) })) {
		s->decide = decide;
		signin_look(s);
	}
}

/* ---- it is no good ---- */

static void
say_refusal(struct signin *s)
{
	const struct known_issuer *by = &s->token->issuer;
	const struct sasl_token_refusal why = {
		.is_narrow = s->token->is_narrow,
		.scope = by->scope,
		.openid_configuration = by->openid_configuration,
	};
	struct buf out;

	buf_init(&out, SASL_MAX, false);
	if (sasl_server_refuse_token(s->sasl, &why, &out) != SASL_MORE) {
		token_refused(s);
	} else {
		s->state = SASL;
		auth_worker_challenge(s->worker, s->sid,
		    (struct slice){ buf_data(&out), out.len });
	}
	buf_free(&out);
}

void
token_refused(struct signin *s)
{
	signin_denied(s);
}

static void
bad(struct signin *s, const struct token_answer *said)
{
	log_token(s, said->user, said->why);
	s->token->is_narrow = said->result == TOKEN_NARROW;
	s->token->is_refused = true;
	signin_deny_by(s, s->token->is_narrow ? "scope" : "token", say_refusal);
}

static void
on_answer(struct token_wait *w, const struct token_answer *said)
{
	struct signin *s = signin_of(w);

	if (said->issuer != NULL)
		s->token->issuer = *said->issuer;
	switch (said->result) {
	case TOKEN_GOOD:
		if (s->worker != NULL)
			good(s, said);
		else /* only a failure would have counted */
			signin_finish(s, 0);
		break;
	case TOKEN_BAD:
	case TOKEN_NARROW: bad(s, said); break;
	default:
		log_token(s, "", said->why);
		signin_refuse(s, SIGN_IN_TEMPORARY, "oauth");
		break;
	}
}

/* ---- asking ---- */

/* In its turn: where somebody has failed, one token at a time is looked at. */
static void
ask(struct signin *s)
{
	enum err e;

	s->state = ASKED;
	e = net_ask(
	    s->auth, &s->token->wait, sasl_server_claim(s->sasl)->token);
	if (e != E_OK)
		signin_refuse(s, SIGN_IN_TEMPORARY,
		    e == E_FULL ? "too-many-tokens" : "oauth-down");
}

void
token_take(struct signin *s)
{
	if ((s->token = calloc(1, sizeof(*s->token))) == NULL) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	s->token->signin = s;
	s->token->wait.done = on_answer;
	s->tried = sasl_server_claim(s->sasl)->token;
	turn_await(s, ask);
}

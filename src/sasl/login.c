/*
 * LOGIN: two questions, two answers.  It never became an RFC; the questions
 * are those of draft-murchison-sasl-login with the colons that a client
 * insists on.  Many clients send the name as an initial response; ours does
 * not, as some servers ignore it.
 */
#include <string.h>

#include "sasl/mechanism.h"

/* The name, the same once more where the first was ignored, the password. */
enum { QUESTIONS = 3 };

static const char name_wanted[] = "Username:";
static const char password_wanted[] = "Password:";

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	struct sasl_claim *c = &s->claim;

	if (in == NULL)
		return s->step++ != 0 ? SASL_FAILED
				      : sasl_say(out, name_wanted,
					    sizeof(name_wanted) - 1, SASL_MORE);
	/* "=" for an initial response says nothing: it asks to be asked. */
	if (in->n == 0 && s->step == 0)
		return server_step(s, NULL, out);
	if (s->n_kept == 2 || !sasl_is_field(*in))
		return SASL_FAILED;
	if (s->n_kept == 1)
		return sasl_server_keep(s, *in, &c->password) ? SASL_PASSWORD
							      : SASL_NOMEM;
	s->step++;
	if (!sasl_server_keep(s, *in, &c->authcid))
		return SASL_NOMEM;
	return sasl_say(
	    out, password_wanted, sizeof(password_wanted) - 1, SASL_MORE);
}

/* ---- the client ---- */

enum asked { ASKED_OTHER, ASKED_NAME, ASKED_PASSWORD };

/* The words that servers have for the two, in whichever case. */
static const struct {
	const char *word;
	enum asked means;
} words[] = {
	{ "user", ASKED_NAME },
	{ "name", ASKED_NAME },
	{ "login", ASKED_NAME },
	{ "pass", ASKED_PASSWORD },
};

/* The first of these words tells: "User Name", "Password for user ana:". */
static enum asked
what_is_asked(struct slice question)
{
	for (size_t at = 0; at < question.n; at++)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			size_t n = strlen(words[i].word);
			struct slice part = { question.p + at, n };

			if (question.n - at >= n &&
			    slice_caseeq(part, words[i].word))
				return words[i].means;
		}
	return ASKED_OTHER;
}

/* A question is answered by what it asks for, so that a password never goes
 * where a name is asked: servers write names to their logs.  One that asks for
 * neither is answered in the usual order. */
static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	const struct sasl_credentials *cred = c->cred;
	enum asked asked = what_is_asked(in);
	enum sasl_result r;

	if (cred->authzid.n != 0 || !sasl_is_field(cred->authcid) ||
	    !sasl_is_field(cred->password))
		return sasl_client_fail(
		    c, _("the name or the password cannot be sent this way"));
	if (c->step == QUESTIONS)
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	if (asked == ASKED_OTHER)
		asked = c->step == 0 ? ASKED_NAME : ASKED_PASSWORD;
	if (asked == ASKED_NAME) {
		c->step++;
		return sasl_say(
		    out, cred->authcid.p, cred->authcid.n, SASL_MORE);
	}
	c->step = QUESTIONS;
	r = sasl_say(out, cred->password.p, cred->password.n, SASL_DONE);
	c->verified = r == SASL_DONE;
	return r;
}

const struct sasl_mechanism sasl_login = {
	.name = "LOGIN",
	.flags = SASL_PLAINTEXT | SASL_NEEDS_PASSWORD | SASL_ASKS_FIRST,
	.asks = SASL_PASSWORD,
	.rank = 10,
	.server_step = server_step,
	.client_step = client_step,
};

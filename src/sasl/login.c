/*
 * LOGIN: two questions, two answers.  It never became an RFC; the questions
 * are those of draft-murchison-sasl-login with the colons that a client
 * insists on.  Many clients send the name as an initial response.
 */
#include "sasl/mechanism.h"

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

/* What the server asks is not looked at: its words differ, the order never. */
static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	const struct sasl_credentials *cred = c->cred;
	enum sasl_result r;

	if (cred->authzid.n != 0 || !sasl_is_field(cred->authcid) ||
	    !sasl_is_field(cred->password))
		return sasl_client_fail(
		    c, _("the name or the password cannot be sent this way"));
	switch (c->step++) {
	case 0:
		return sasl_say(
		    out, cred->authcid.p, cred->authcid.n, SASL_MORE);
	case 1:
		r = sasl_say(
		    out, cred->password.p, cred->password.n, SASL_DONE);
		c->verified = r == SASL_DONE;
		return r;
	default:
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	}
}

const struct sasl_mechanism sasl_login = {
	.name = "LOGIN",
	.flags = SASL_PLAINTEXT | SASL_NEEDS_PASSWORD,
	.asks = SASL_PASSWORD,
	.rank = 10,
	.server_step = server_step,
	.client_step = client_step,
};

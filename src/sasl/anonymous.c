/*
 * ANONYMOUS: one message, what the client calls itself, or nothing.  RFC 4505.
 */
#include "sasl/mechanism.h"

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	if (in == NULL)
		return s->step++ == 0 ? SASL_MORE : SASL_FAILED;
	if (s->n_kept != 0 || (in->n != 0 && !sasl_is_field(*in)))
		return SASL_FAILED;
	return sasl_server_keep(s, *in, &s->claim.authcid) ? SASL_ANYBODY
							   : SASL_NOMEM;
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	struct slice name = c->cred->authcid;
	enum sasl_result r;

	if (c->step++ != 0)
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	if (name.n != 0 && !sasl_is_field(name))
		return sasl_client_fail(
		    c, _("the name cannot be sent this way"));
	r = sasl_say(out, name.p, name.n, SASL_DONE);
	c->verified = r == SASL_DONE;
	return r;
}

const struct sasl_mechanism sasl_anonymous = {
	.name = "ANONYMOUS",
	.asks = SASL_ANYBODY,
	.rank = 0,
	.server_step = server_step,
	.client_step = client_step,
};

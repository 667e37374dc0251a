/*
 * EXTERNAL: one message, whom to act for; the connection's certificate says
 * who it is.  RFC 4422 appendix A.
 */
#include "sasl/mechanism.h"

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	if (in == NULL)
		return s->step++ == 0 ? SASL_MORE : SASL_FAILED;
	if (s->n_kept != 0 || (in->n != 0 && !sasl_is_field(*in)))
		return SASL_FAILED;
	return sasl_server_keep(s, *in, &s->claim.authzid) ? SASL_EXTERNAL
							   : SASL_NOMEM;
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	struct slice z = c->cred->authzid;
	enum sasl_result r;

	if (c->step++ != 0)
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	if (z.n != 0 && !sasl_is_field(z))
		return sasl_client_fail(
		    c, _("the name cannot be sent this way"));
	r = sasl_say(out, z.p, z.n, SASL_DONE);
	c->verified = r == SASL_DONE;
	return r;
}

const struct sasl_mechanism sasl_external = {
	.name = "EXTERNAL",
	.flags = SASL_NEEDS_CERTIFICATE,
	.asks = SASL_EXTERNAL,
	.rank = 70,
	.server_step = server_step,
	.client_step = client_step,
};

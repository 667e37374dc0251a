/*
 * EXTERNAL: one message, whom to act for; the connection's certificate says
 * who it is.  RFC 4422 appendix A.
 */
#include "sasl/mechanism.h"

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	return sasl_server_one_field(s, in, &s->claim.authzid, SASL_EXTERNAL);
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	return sasl_client_one_field(c, c->cred->authzid, out);
}

const struct sasl_mechanism sasl_external = {
	.name = "EXTERNAL",
	.flags = SASL_NEEDS_CERTIFICATE,
	.asks = SASL_EXTERNAL,
	.rank = 70,
	.server_step = server_step,
	.client_step = client_step,
};

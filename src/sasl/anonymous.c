/*
 * ANONYMOUS: one message, what the client calls itself, or nothing.  RFC 4505.
 */
#include "sasl/mechanism.h"

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	return sasl_server_one_field(s, in, &s->claim.authcid, SASL_ANYBODY);
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	return sasl_client_one_field(c, c->cred->authcid, out);
}

const struct sasl_mechanism sasl_anonymous = {
	.name = "ANONYMOUS",
	.asks = SASL_ANYBODY,
	.rank = 0,
	.server_step = server_step,
	.client_step = client_step,
};

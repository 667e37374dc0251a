/*
 * GSSAPI: tickets of Kerberos, by RFC 4752.  What the messages mean is known
 * where the keys are: the server's end only hands them on.
 */
#include "sasl/mechanism.h"

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	if (in == NULL)
		return s->step++ == 0 ? SASL_MORE : SASL_FAILED;
	s->step++;
	s->claim.token = *in;
	return SASL_TICKET;
}

/* A client that has a ticket does it where the ticket is, too. */
static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	return SASL_FAILED;
}

const struct sasl_mechanism sasl_gssapi = {
	.name = "GSSAPI",
	.flags = SASL_NEEDS_TICKET,
	.asks = SASL_TICKET,
	.rank = 0,
	.server_step = server_step,
	.client_step = client_step,
};

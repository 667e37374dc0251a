/*
 * PLAIN: one message, [authzid] NUL authcid NUL passwd.  RFC 4616 s2.
 */
#include <string.h>

#include "sasl/mechanism.h"

/* Cuts the field before the next NUL off *rest; false when there is none. */
static bool
cut(struct slice *rest, struct slice *field_r)
{
	const char *nul = memchr(rest->p, '\0', rest->n);

	if (nul == NULL)
		return false;
	*field_r = (struct slice){ rest->p, (size_t)(nul - rest->p) };
	rest->p = nul + 1;
	rest->n -= field_r->n + 1;
	return true;
}

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	struct sasl_claim *c = &s->claim;
	struct slice rest;

	(void)out;
	if (in == NULL)
		return s->step++ == 0 ? SASL_MORE : SASL_FAILED;
	if (s->n_kept != 0 || in->n > 3 * SASL_FIELD_MAX + 2)
		return SASL_FAILED;
	if (!sasl_server_keep(s, *in, &rest))
		return SASL_NOMEM;
	/* A NUL too many is in the password, where it is refused. */
	if (!cut(&rest, &c->authzid) || !cut(&rest, &c->authcid))
		return SASL_FAILED;
	c->password = rest;
	if ((c->authzid.n != 0 && !sasl_is_field(c->authzid)) ||
	    !sasl_is_field(c->authcid) || !sasl_is_field(c->password))
		return SASL_FAILED;
	return SASL_PASSWORD;
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	const struct sasl_credentials *cred = c->cred;
	struct slice z = cred->authzid, a = cred->authcid, p = cred->password;
	char *room;

	(void)in;
	if (c->step++ != 0 || (z.n != 0 && !sasl_is_field(z)) ||
	    !sasl_is_field(a) || !sasl_is_field(p))
		return SASL_FAILED;
	if ((room = buf_room(out, z.n + a.n + p.n + 2)) == NULL)
		return SASL_NOMEM;
	if (z.n != 0)
		memcpy(room, z.p, z.n);
	room[z.n] = '\0';
	memcpy(room + z.n + 1, a.p, a.n);
	room[z.n + 1 + a.n] = '\0';
	memcpy(room + z.n + 1 + a.n + 1, p.p, p.n);
	buf_added(out, z.n + a.n + p.n + 2);
	return SASL_DONE;
}

const struct sasl_mechanism sasl_plain = { "PLAIN", SASL_PLAINTEXT, server_step,
	client_step };

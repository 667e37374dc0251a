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

/* Prepared as RFC 4616 s2 has it. */
static enum sasl_result
prepare_plain(
    struct sasl_client *c, struct buf *z, struct buf *a, struct buf *p)
{
	const struct sasl_credentials *cred = c->cred;
	enum sasl_result r = SASL_MORE;

	if (cred->authzid.n != 0)
		r = sasl_client_prep_name(c, z, cred->authzid);
	if (r == SASL_MORE)
		r = sasl_client_prep_name(c, a, cred->authcid);
	if (r == SASL_MORE)
		r = sasl_client_prep_password(c, p);
	return r;
}

static enum sasl_result
say_plain(struct sasl_client *c, struct buf *out)
{
	struct buf z, a, p, said;
	enum sasl_result r;
	enum err e;

	buf_init(&z, SASL_FIELD_MAX, true);
	buf_init(&a, SASL_FIELD_MAX, true);
	buf_init(&p, SASL_FIELD_MAX, true);
	buf_init(&said, 3 * SASL_FIELD_MAX + 2, true);
	if ((r = prepare_plain(c, &z, &a, &p)) == SASL_MORE) {
		if ((e = sasl_put_buf(&said, &z)) == E_OK &&
		    (e = buf_put(&said, "", 1)) == E_OK &&
		    (e = sasl_put_buf(&said, &a)) == E_OK &&
		    (e = buf_put(&said, "", 1)) == E_OK)
			e = sasl_put_buf(&said, &p);
		r = sasl_say_buf(out, e, &said, SASL_DONE);
	}
	buf_free(&z);
	buf_free(&a);
	buf_free(&p);
	buf_free(&said);
	return r;
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	enum sasl_result r;

	if (c->step++ != 0)
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	r = say_plain(c, out);
	c->verified = r == SASL_DONE;
	return r;
}

const struct sasl_mechanism sasl_plain = {
	.name = "PLAIN",
	.flags = SASL_PLAINTEXT | SASL_NEEDS_PASSWORD,
	.asks = SASL_PASSWORD,
	.rank = 20,
	.server_step = server_step,
	.client_step = client_step,
};

/*
 * OAUTHBEARER (RFC 7628) and XOAUTH2, what it was before it was a standard:
 * keys and values, each ended by 0x01.
 */
#include <string.h>

#include "sasl/mechanism.h"

enum { TOKEN_MAX = 16 * 1024 };

#define KVSEP '\x01'

/* What is read out of a message. */
struct pairs {
	struct slice user, host, port, auth;
};

static bool
is_bearer(const struct sasl_mechanism *m)
{
	return m == &sasl_oauthbearer;
}

/* ---- the server's end ---- */

static bool
is_value(struct slice v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((v.p[i] < 0x20 || v.p[i] > 0x7e) && v.p[i] != '\t' &&
		    v.p[i] != '\r' && v.p[i] != '\n')
			return false;
	return true;
}

static bool
is_key(struct slice k)
{
	for (size_t i = 0; i < k.n; i++) {
		char c = str_lower1(k.p[i]);

		if (c < 'a' || c > 'z')
			return false;
	}
	return k.n > 0;
}

/* One key=value; unknown ones are nobody's business, doubled ones are a
 * quarrel between us and somebody else who reads them. */
static bool
take_pair(const struct sasl_mechanism *m, struct pairs *p, struct slice pair)
{
	const char *is = memchr(pair.p, '=', pair.n);
	struct slice k, v, *to = NULL;

	if (is == NULL)
		return false;
	k = (struct slice){ pair.p, (size_t)(is - pair.p) };
	v = (struct slice){ is + 1, pair.n - k.n - 1 };
	if (!is_key(k))
		return false;
	if (slice_eq(k, "auth"))
		to = &p->auth;
	else if (!is_bearer(m) && slice_eq(k, "user"))
		to = &p->user;
	else if (is_bearer(m) && slice_eq(k, "host"))
		to = &p->host;
	else if (is_bearer(m) && slice_eq(k, "port"))
		to = &p->port;
	if (to == &p->user ? !sasl_is_field(v) : !is_value(v))
		return false;
	if (to == NULL)
		return true;
	if (to->p != NULL)
		return false;
	*to = v;
	return true;
}

/* Pairs, each with its end, and one end more. */
static bool
take_pairs(const struct sasl_mechanism *m, struct pairs *p, struct slice in)
{
	while (in.n > 1) {
		const char *end = memchr(in.p, KVSEP, in.n);
		size_t n;

		if (end == NULL)
			return false;
		n = (size_t)(end - in.p);
		if (!take_pair(m, p, (struct slice){ in.p, n }))
			return false;
		in.p += n + 1;
		in.n -= n + 1;
	}
	return in.n == 1 && in.p[0] == KVSEP;
}

/* "Bearer" and a token, RFC 6750 s2.1. */
static bool
take_token(struct slice v, struct slice *token_r)
{
	if (v.n < 7 || !slice_caseeq((struct slice){ v.p, 6 }, "Bearer"))
		return false;
	v.p += 6;
	v.n -= 6;
	if (v.p[0] != ' ')
		return false;
	while (v.n > 0 && v.p[0] == ' ') {
		v.p++;
		v.n--;
	}
	*token_r = v;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= 0x20)
			return false;
	return v.n > 0;
}

static bool
is_for_us(const struct sasl_server *s, const struct pairs *p)
{
	const struct sasl_channel *ch = s->channel;
	uint32_t port;

	if (p->port.p != NULL && !str_to_u32(p->port, &port))
		return false;
	if (ch == NULL)
		return true;
	if (p->host.p != NULL && ch->host != NULL &&
	    !slice_caseeq(p->host, ch->host))
		return false;
	return p->port.p == NULL || ch->port == 0 || port == ch->port;
}

/* gs2-header kvsep; a token binds nothing, so "p" is refused. */
static enum sasl_result
cut_header(struct sasl_server *s, struct slice *in)
{
	const char *end = memchr(in->p, KVSEP, in->n);
	struct slice h, name;
	enum sasl_result r;
	struct buf buf;
	enum err e;

	if (end == NULL)
		return SASL_FAILED;
	h = (struct slice){ in->p, (size_t)(end - in->p) };
	in->p += h.n + 1;
	in->n -= h.n + 1;
	if (h.n < 3 || (h.p[0] != 'n' && h.p[0] != 'y') || h.p[1] != ',' ||
	    h.p[h.n - 1] != ',')
		return SASL_FAILED;
	if (h.n == 3)
		return SASL_MORE;
	if (h.n < 6 || h.p[2] != 'a' || h.p[3] != '=')
		return SASL_FAILED;
	name = (struct slice){ h.p + 4, h.n - 5 };
	buf_init(&buf, SASL_FIELD_MAX, true);
	e = sasl_get_name(&buf, name);
	r = e == E_OK ? SASL_MORE : e == E_FORMAT ? SASL_FAILED : SASL_NOMEM;
	if (r == SASL_MORE &&
	    !sasl_server_keep(s, sasl_slice(&buf), &s->claim.authzid))
		r = SASL_NOMEM;
	buf_free(&buf);
	return r;
}

static enum sasl_result
take_first(struct sasl_server *s, struct slice in)
{
	struct pairs p = { 0 };
	struct slice all;
	enum sasl_result r;

	if (in.n > TOKEN_MAX)
		return SASL_FAILED;
	if (!sasl_server_keep(s, in, &all))
		return SASL_NOMEM;
	if (is_bearer(s->mechanism) && (r = cut_header(s, &all)) != SASL_MORE)
		return r;
	if (!take_pairs(s->mechanism, &p, all) ||
	    !take_token(p.auth, &s->claim.token) || !is_for_us(s, &p))
		return SASL_FAILED;
	if (is_bearer(s->mechanism))
		return SASL_TOKEN;
	if (p.user.p == NULL)
		return SASL_FAILED;
	s->claim.authzid = p.user;
	return SASL_TOKEN;
}

enum { START, FIRST, JUDGED, REFUSED, OVER };

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	enum sasl_result r = SASL_FAILED;

	if (in == NULL && s->step == START) {
		s->step = FIRST;
		return SASL_MORE;
	}
	/* Whatever the client answers to a refusal, it is over. */
	if (in != NULL && s->step == REFUSED)
		r = SASL_DENIED;
	else if (in != NULL && s->step <= FIRST)
		r = take_first(s, *in);
	s->step = r == SASL_TOKEN ? JUDGED : OVER;
	return r;
}

static enum err
put_member(struct buf *out, const char *name, const char *value)
{
	return value[0] != '\0' ? buf_printf(out, ",\"%s\":\"%s\"", name, value)
				: E_OK;
}

/* RFC 7628 s3.2.2; of XOAUTH2, the status as of HTTP. */
static enum err
put_refusal(
    struct buf *out, bool is_of_rfc, const struct sasl_token_refusal *why)
{
	enum err e;

	if (is_of_rfc)
		e = buf_printf(out, "{\"status\":\"%s\"",
		    why->is_narrow ? "insufficient_scope" : "invalid_token");
	else
		e = buf_printf(out, "{\"status\":\"%s\",\"schemes\":\"bearer\"",
		    why->is_narrow ? "403" : "401");
	if (e == E_OK)
		e = put_member(out, "scope", why->scope);
	if (e == E_OK && is_of_rfc)
		e = put_member(
		    out, "openid-configuration", why->openid_configuration);
	return e == E_OK ? buf_put(out, "}", 1) : e;
}

enum sasl_result
sasl_server_refuse_token(struct sasl_server *s,
    const struct sasl_token_refusal *why, struct buf *out)
{
	enum err e;

	if (s->mechanism->asks != SASL_TOKEN || s->step != JUDGED)
		return SASL_FAILED;
	s->step = REFUSED;
	sasl_server_forget(s);
	e = put_refusal(out, is_bearer(s->mechanism), why);
	return e == E_OK ? SASL_MORE : SASL_NOMEM;
}

/* ---- the client's end ---- */

static bool
is_token(struct slice t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= 0x20 || t.p[i] > 0x7e)
			return false;
	return t.n > 0 && t.n <= TOKEN_MAX / 2;
}

static enum err
put_bearer_header(
    const struct sasl_credentials *cred, struct slice name, struct buf *b)
{
	enum err e = buf_put(b, "n,a=", 4);

	if (e == E_OK)
		e = sasl_put_name(b, name);
	if (e == E_OK)
		e = buf_put(b, ",\x01", 2);
	if (e == E_OK && cred->host != NULL)
		e = buf_printf(b, "host=%s\x01", cred->host);
	if (e == E_OK && cred->port != 0)
		e = buf_printf(b, "port=%u\x01", (unsigned)cred->port);
	return e;
}

static enum sasl_result
say_token(struct sasl_client *c, struct buf *out)
{
	const struct sasl_credentials *cred = c->cred;
	struct slice name =
	    cred->authzid.n != 0 ? cred->authzid : cred->authcid;
	enum sasl_result r;
	struct buf b;
	enum err e;

	if (!sasl_is_field(name) || memchr(name.p, KVSEP, name.n) != NULL)
		return sasl_client_fail(
		    c, _("the name cannot be sent this way"));
	if (!is_token(cred->token))
		return sasl_client_fail(
		    c, _("the token is empty, too long or not a token"));
	buf_init(&b, TOKEN_MAX, true);
	e = is_bearer(c->mechanism) ? put_bearer_header(cred, name, &b)
				    : sasl_put(&b, "user=", name, "\x01");
	if (e == E_OK)
		e = sasl_put(&b, "auth=Bearer ", cred->token, "\x01\x01");
	r = sasl_say_buf(out, e, &b, SASL_DONE);
	buf_free(&b);
	c->verified = r == SASL_DONE;
	return r;
}

/* The value of "status" if there is one, else all of it: for people only. */
static struct slice
status_of(struct slice json)
{
	static const char key[] = "\"status\"";
	const char *p = memmem(json.p, json.n, key, sizeof(key) - 1);
	const char *end = json.p + json.n, *begin;

	if (p == NULL)
		return json;
	p += sizeof(key) - 1;
	while (p < end && memchr(" \t\r\n:\"", *p, 6) != NULL)
		p++;
	for (begin = p; p < end && memchr("\",} \t\r\n", *p, 7) == NULL;)
		p++;
	return p > begin ? (struct slice){ begin, (size_t)(p - begin) } : json;
}

/* The answer to a refusal; the server's "no" comes after it. */
static enum sasl_result
say_dummy(struct sasl_client *c, struct slice json, struct buf *out)
{
	sasl_client_server_said(c, status_of(json));
	return is_bearer(c->mechanism) ? sasl_say(out, "\x01", 1, SASL_DONE)
				       : SASL_DONE;
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	switch (c->step++) {
	case 0: return say_token(c, out);
	case 1: return say_dummy(c, in, out);
	default:
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	}
}

const struct sasl_mechanism sasl_oauthbearer = {
	.name = "OAUTHBEARER",
	.flags = SASL_PLAINTEXT | SASL_NEEDS_TOKEN,
	.asks = SASL_TOKEN,
	.rank = 40,
	.server_step = server_step,
	.client_step = client_step,
};
const struct sasl_mechanism sasl_xoauth2 = {
	.name = "XOAUTH2",
	.flags = SASL_PLAINTEXT | SASL_NEEDS_TOKEN,
	.asks = SASL_TOKEN,
	.rank = 30,
	.server_step = server_step,
	.client_step = client_step,
};

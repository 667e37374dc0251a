/*
 * The first octet chooses the mechanism, the end, and whether there is an
 * initial response; then messages, each behind an octet that is its length.
 * Nonces and passwords are those of the RFCs, so that a whole exchange is
 * among the seeds.
 */
#include <stdlib.h>
#include <string.h>

#include "sasl/mechanism.h"

enum {
	MECHANISM = 15, /* by its place in sasl_mechanisms[] */
	START = 16,     /* server: no initial response */
	CLIENT = 32,
	OFFERED = 64, /* -PLUS is */
	BOUND = 128,
	ITERATIONS = 5000, /* more take too long here */
};

static const struct sasl_binding binding = { "tls-exporter", { "bind", 4 } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts the next message off. */
static struct slice
next(const uint8_t **data, size_t *size)
{
	size_t n = (*data)[0] < *size - 1 ? (*data)[0] : *size - 1;
	struct slice in = { (const char *)*data + 1, n };

	*data += 1 + n;
	*size -= 1 + n;
	return in;
}

static bool
is_sha1(const struct sasl_mechanism *m)
{
	return m->hash != NULL && strcmp(m->hash, "SHA1") == 0;
}

/* ---- the server's end ---- */

static const struct sasl_keys *
keys(const struct sasl_mechanism *m)
{
	static const struct sasl_keys sha1 = { "\x41\x25\xc2\x47\xe4\x3a\xb1"
					       "\xe9\x3c\x6d\xff\x76",
		12, 4096, { 0 }, { 0 } };
	static const struct sasl_keys sha256 = { "\x5b\x6d\x99\x68\x9d\x12\x35"
						 "\x8e\xec\xa0\x4b\x14\x12\x36"
						 "\xfa\x81",
		16, 4096, { 0 }, { 0 } };
	static struct sasl_keys made[2];
	struct sasl_keys *k = &made[is_sha1(m)];

	if (k->salt_n == 0) {
		*k = is_sha1(m) ? sha1 : sha256;
		if (sasl_keys_make(k, m, (struct slice){ "pencil", 6 }, NULL) !=
		    E_OK)
			abort();
	}
	return k;
}

static bool
is_text(struct slice s)
{
	return s.n == 0 ||
	       (memchr(s.p, 0, s.n) == NULL && str_is_utf8(s.p, s.n));
}

/* What is asked makes sense. */
static void
check_claim(const struct sasl_claim *c, enum sasl_result r)
{
	if (!is_text(c->authzid) || !is_text(c->authcid) ||
	    !is_text(c->password) || (r != SASL_TICKET && !is_text(c->token)))
		abort();
	if ((r == SASL_PASSWORD && c->password.n == 0) ||
	    ((r == SASL_PASSWORD || r == SASL_LOOKUP) && c->authcid.n == 0) ||
	    (r == SASL_TOKEN && c->token.n == 0))
		abort();
}

static enum sasl_result
answer(struct sasl_server *s, enum sasl_result r, struct buf *out)
{
	struct slice password = { "tanstaaftanstaaf", 16 };
	uint8_t key[SASL_CRAM_KEY];

	if (r != SASL_MORE && r != SASL_FAILED)
		check_claim(sasl_server_claim(s), r);
	if (r == SASL_LOOKUP)
		return s->mechanism->hash != NULL
			   ? sasl_server_keys(s, keys(s->mechanism), out)
			   : sasl_server_cram_key(s,
				 sasl_cram_key(key, password) == E_OK ? key
								      : NULL,
				 NULL);
	if (r == SASL_TOKEN)
		return sasl_server_refuse_token(
		    s, &(struct sasl_token_refusal){ false, "", "" }, out);
	if (r == SASL_TICKET)
		return SASL_MORE;
	return r;
}

static void
server(const struct sasl_mechanism *m, const uint8_t *data, size_t size)
{
	struct sasl_channel ch = { .bindings = &binding };
	struct sasl_server *s = sasl_server_new(m);
	enum sasl_result r = SASL_MORE;
	struct buf out;

	if (s == NULL)
		return;
	s->nonce = m->hash == NULL
		       ? "<1896.697170952@postoffice.reston.mci.net>"
		   : is_sha1(m) ? "3rfcNHYJY1ZVvWVs7j"
				: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	ch.plus_offered = (data[0] & OFFERED) != 0;
	ch.n_bindings = data[0] & BOUND ? 1 : 0;
	sasl_server_channel(s, &ch);
	buf_init(&out, 64 * 1024, true);
	if (data[0] & START)
		r = sasl_server_step(s, NULL, &out);
	for (data++, size--; r == SASL_MORE && size > 0;) {
		struct slice in = next(&data, &size);

		r = answer(s, sasl_server_step(s, &in, &out), &out);
	}
	sasl_server_free(s);
	buf_free(&out);
}

/* ---- the client's end ---- */

static bool
takes_long(struct slice in)
{
	for (size_t i = 0; i + 2 < in.n; i++)
		if (in.p[i] == 'i' && in.p[i + 1] == '=') {
			size_t n = 0;
			uint32_t v;

			while (i + 2 + n < in.n && in.p[i + 2 + n] >= '0' &&
			       in.p[i + 2 + n] <= '9')
				n++;
			if (str_to_u32((struct slice){ in.p + i + 2, n }, &v) &&
			    v > ITERATIONS)
				return true;
		}
	return false;
}

static void
client(const struct sasl_mechanism *m, const uint8_t *data, size_t size)
{
	struct sasl_credentials cred = {
		.authcid = { "user", 4 },
		.password = { "pencil", 6 },
		.token = { "token", 5 },
		.plus_offered = (data[0] & OFFERED) != 0,
	};
	enum sasl_result r = SASL_MORE;
	struct sasl_client *c;
	struct buf out;

	if (data[0] & BOUND) {
		cred.binding_name = binding.name;
		cred.binding_data = binding.data;
	}
	if ((c = sasl_client_new(m, &cred)) == NULL)
		return;
	c->nonce =
	    is_sha1(m) ? "fyko+d2lbbFgONRv9qkxdawL" : "rOprNGfwEbeRWgbNEkqO";
	buf_init(&out, 64 * 1024, true);
	if (!(m->flags & SASL_SERVER_FIRST))
		r = sasl_client_step(c, (struct slice){ "", 0 }, &out);
	for (data++, size--; (r == SASL_MORE || r == SASL_DONE) && size > 0;) {
		struct slice in = next(&data, &size);

		if (takes_long(in))
			break;
		r = sasl_client_step(c, in, &out);
		if (sasl_client_is_verified(c) && r != SASL_DONE)
			abort();
		if (r == SASL_FAILED && sasl_client_error(c) == NULL)
			abort();
	}
	sasl_client_free(c);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static size_t n_mechanisms;

	while (sasl_mechanisms[n_mechanisms] != NULL)
		n_mechanisms++;
	if (size == 0 || (data[0] & MECHANISM) >= n_mechanisms)
		return 0;
	if (data[0] & CLIENT)
		client(sasl_mechanisms[data[0] & MECHANISM], data, size);
	else
		server(sasl_mechanisms[data[0] & MECHANISM], data, size);
	return 0;
}

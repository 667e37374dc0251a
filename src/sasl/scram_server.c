/*
 * SCRAM, the server's end: what the client's first message says is looked up,
 * its proof is verified, then the server proves itself.  RFC 5802.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "base/b64.h"
#include "sasl/scram.h"

enum { START, FIRST, LOOKUP, FINAL, PROVEN, OVER };

/* ---- the client's first message ---- */

static const struct sasl_binding *
find_binding(const struct sasl_server *s, struct slice name)
{
	const struct sasl_channel *ch = s->channel;

	for (size_t i = 0; ch != NULL && i < ch->n_bindings; i++)
		if (slice_eq(name, ch->bindings[i].name) &&
		    ch->bindings[i].data.n != 0)
			return &ch->bindings[i];
	return NULL;
}

/* The first field of the gs2-header; false: nothing that fits what we are
 * and what was announced. */
static bool
cut_flag(struct sasl_server *s, struct slice *in,
    const struct sasl_binding **binding_r)
{
	bool plus = (s->mechanism->flags & SASL_NEEDS_BINDING) != 0;
	struct slice name;

	*binding_r = NULL;
	if (scram_cut(in, 'p', &name))
		return plus && (*binding_r = find_binding(s, name)) != NULL;
	if (plus || in->n < 2 || in->p[1] != ',')
		return false;
	/* "y": somebody has taken -PLUS out of what we announced. */
	if (in->p[0] != 'n' &&
	    (in->p[0] != 'y' ||
		(s->channel != NULL && s->channel->plus_offered)))
		return false;
	in->p += 2;
	in->n -= 2;
	return true;
}

static enum sasl_result
keep_name(struct sasl_server *s, struct slice escaped, struct slice *name_r)
{
	enum sasl_result r = SASL_NOMEM;
	struct buf name;
	enum err e;

	buf_init(&name, SASL_FIELD_MAX, true);
	e = sasl_get_name(&name, escaped);
	if (e == E_FORMAT)
		r = SASL_FAILED;
	else if (e == E_OK && sasl_server_keep(s, sasl_slice(&name), name_r))
		r = SASL_MORE;
	buf_free(&name);
	return r;
}

/* The rest of the gs2-header. */
static enum sasl_result
cut_authzid(struct sasl_server *s, struct slice *in)
{
	struct slice name;

	if (in->n > 0 && in->p[0] == ',') {
		in->p++;
		in->n--;
		return SASL_MORE;
	}
	return scram_cut(in, 'a', &name) ? keep_name(s, name, &s->claim.authzid)
					 : SASL_FAILED;
}

/* client-first-message-bare */
static enum sasl_result
take_bare(struct sasl_server *s, struct slice in)
{
	struct scram *sc = s->state;
	struct slice whole = in, name, nonce;
	enum sasl_result r;

	if (!scram_cut(&in, 'n', &name) || !scram_cut(&in, 'r', &nonce) ||
	    !scram_is_nonce(nonce) || !scram_is_extensions(in))
		return SASL_FAILED;
	if ((r = keep_name(s, name, &s->claim.authcid)) != SASL_MORE)
		return r;
	if (buf_put(&sc->auth, whole.p, whole.n) != E_OK ||
	    buf_put(&sc->nonce, nonce.p, nonce.n) != E_OK)
		return SASL_NOMEM;
	return SASL_LOOKUP;
}

static enum sasl_result
take_first(struct sasl_server *s, struct slice in)
{
	const struct sasl_binding *binding;
	struct scram *sc = s->state;
	const char *begin = in.p;
	enum sasl_result r;

	if (!cut_flag(s, &in, &binding))
		return SASL_FAILED;
	if ((r = cut_authzid(s, &in)) != SASL_MORE)
		return r;
	if (buf_put(&sc->cbind, begin, (size_t)(in.p - begin)) != E_OK ||
	    (binding != NULL &&
		buf_put(&sc->cbind, binding->data.p, binding->data.n) != E_OK))
		return SASL_NOMEM;
	return take_bare(s, in);
}

/* ---- the server's first message ---- */

static enum err
make_nonce(struct sasl_server *s)
{
	struct scram *sc = s->state;
	char fresh[SASL_NONCE];
	enum err e;

	if (s->nonce != NULL)
		return buf_put(&sc->nonce, s->nonce, strlen(s->nonce));
	if ((e = sasl_nonce(fresh)) != E_OK)
		return e;
	return buf_put(&sc->nonce, fresh, sizeof(fresh));
}

static enum err
make_first(struct sasl_server *s, struct buf *said)
{
	struct scram *sc = s->state;
	enum err e;

	if ((e = make_nonce(s)) == E_OK)
		e = sasl_put(said, "r=", sasl_slice(&sc->nonce), ",s=");
	if (e == E_OK)
		e = sasl_put_b64(said, sc->keys.salt, sc->keys.salt_n);
	if (e == E_OK)
		e = buf_printf(said, ",i=%u", (unsigned)sc->keys.iterations);
	if (e == E_OK)
		e = sasl_put(&sc->auth, ",", sasl_slice(said), ",");
	return e;
}

enum sasl_result
sasl_server_keys(
    struct sasl_server *s, const struct sasl_keys *keys, struct buf *out)
{
	struct scram *sc = s->state;
	enum sasl_result r;
	struct buf said;
	enum err e;

	if (s->mechanism->hash == NULL || s->step != LOOKUP ||
	    keys->salt_n == 0 || keys->salt_n > SASL_SALT_MAX)
		return SASL_FAILED;
	sc->keys = *keys;
	buf_init(&said, SCRAM_AUTH_MAX, true);
	e = make_first(s, &said);
	r = sasl_say_buf(out, e, &said, SASL_MORE);
	buf_free(&said);
	s->step = r == SASL_MORE ? FINAL : OVER;
	return r;
}

void
sasl_server_keys_made(struct sasl_server *s, const struct sasl_keys *keys)
{
	struct scram *sc = s->state;

	memcpy(sc->keys.stored, keys->stored, sizeof(keys->stored));
	memcpy(sc->keys.server, keys->server, sizeof(keys->server));
}

/* ---- the client's last message ---- */

/* c= repeats how the exchange began, r= the nonce of both. */
static enum sasl_result
check_binding(struct sasl_server *s, struct slice in)
{
	struct scram *sc = s->state;
	struct slice cbind, nonce;
	enum sasl_result r = SASL_FAILED;
	struct buf want;

	if (!scram_cut(&in, 'c', &cbind) || !scram_cut(&in, 'r', &nonce) ||
	    !scram_is_extensions(in) || nonce.n != sc->nonce.len ||
	    memcmp(nonce.p, buf_data(&sc->nonce), nonce.n) != 0)
		return SASL_FAILED;
	buf_init(&want, SCRAM_AUTH_MAX, true);
	if (sasl_put_b64(&want, buf_data(&sc->cbind), sc->cbind.len) != E_OK)
		r = SASL_NOMEM;
	else if (want.len == cbind.n &&
		 memcmp(buf_data(&want), cbind.p, cbind.n) == 0)
		r = SASL_MORE;
	buf_free(&want);
	return r;
}

/* Does the proof come from a key whose hash we have?  RFC 5802 s3. */
static enum sasl_result
check_proof(struct sasl_server *s, struct slice p)
{
	const struct sasl_mechanism *m = s->mechanism;
	struct scram *sc = s->state;
	size_t size = scram_hash_size(m), n;
	uint8_t key[B64_ENCODED(SASL_KEY_MAX)], hash[SASL_KEY_MAX];
	uint8_t signature[SASL_KEY_MAX];
	enum sasl_result r = SASL_NOMEM;

	if (p.n != B64_ENCODED(size) ||
	    b64_decode((char *)key, p, &n) != E_OK || n != size)
		return SASL_FAILED;
	if (scram_hmac(m, sc->keys.stored, sasl_slice(&sc->auth), signature)) {
		scram_xor(key, signature, size);
		if (sasl_server_keep(s,
			(struct slice){ (const char *)key, size },
			&s->claim.key) &&
		    scram_hash(m, key, hash))
			r = CRYPTO_memcmp(hash, sc->keys.stored, size) == 0
				? SASL_MORE
				: SASL_DENIED;
	}
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(signature, sizeof(signature));
	return r;
}

static enum sasl_result
say_proof(struct sasl_server *s, struct buf *out)
{
	struct scram *sc = s->state;
	uint8_t signature[SASL_KEY_MAX];
	enum sasl_result r;
	struct buf said;
	enum err e;

	if (!scram_hmac(s->mechanism, sc->keys.server, sasl_slice(&sc->auth),
		signature))
		return SASL_NOMEM;
	buf_init(&said, 128, true);
	if ((e = buf_put(&said, "v=", 2)) == E_OK)
		e = sasl_put_b64(
		    &said, signature, scram_hash_size(s->mechanism));
	r = sasl_say_buf(out, e, &said, SASL_MORE);
	buf_free(&said);
	OPENSSL_cleanse(signature, sizeof(signature));
	return r;
}

static enum sasl_result
take_final(struct sasl_server *s, struct slice in, struct buf *out)
{
	struct scram *sc = s->state;
	const char *comma = memrchr(in.p, ',', in.n);
	struct slice before, proof, rest;
	enum sasl_result r;

	if (comma == NULL)
		return SASL_FAILED;
	before = (struct slice){ in.p, (size_t)(comma - in.p) };
	rest = (struct slice){ comma + 1, in.n - before.n - 1 };
	if (!scram_cut(&rest, 'p', &proof))
		return SASL_FAILED;
	if ((r = check_binding(s, before)) != SASL_MORE)
		return r;
	if (buf_put(&sc->auth, before.p, before.n) != E_OK)
		return SASL_NOMEM;
	if ((r = check_proof(s, proof)) != SASL_MORE)
		return r;
	return say_proof(s, out);
}

/* ---- all together ---- */

static enum sasl_result
server_take(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	unsigned step = s->step++;

	if (in == NULL)
		return step == START ? SASL_MORE : SASL_FAILED;
	if (in->n > SCRAM_MESSAGE_MAX)
		return SASL_FAILED;
	switch (step) {
	case START: s->step = LOOKUP; return take_first(s, *in);
	case FIRST: return take_first(s, *in);
	case FINAL: return take_final(s, *in, out);
	case PROVEN: return in->n == 0 ? SASL_DONE : SASL_FAILED;
	default: return SASL_FAILED;
	}
}

enum sasl_result
scram_server_step(
    struct sasl_server *s, const struct slice *in, struct buf *out)
{
	enum sasl_result r = server_take(s, in, out);

	if (r != SASL_MORE && r != SASL_LOOKUP)
		s->step = OVER;
	return r;
}

/*
 * SCRAM, the client's end: client-first, client-final, and an empty message
 * once the server has proved that it knows the password, too.  RFC 5802.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "base/b64.h"
#include "sasl/scram.h"

enum { FIRST, FINAL, VERIFY, OVER };

/* Is the server right in not having been offered a binding?  RFC 5802 s6. */
static enum err
put_binding_flag(struct buf *b, const struct sasl_client *c)
{
	const struct sasl_credentials *cred = c->cred;

	if (c->mechanism->flags & SASL_NEEDS_BINDING)
		return buf_printf(b, "p=%s,", cred->binding_name);
	return buf_put(b,
	    cred->binding_data.n != 0 && !cred->plus_offered ? "y," : "n,", 2);
}

/* gs2-header, which c= repeats. */
static enum sasl_result
make_header(struct sasl_client *c)
{
	const struct sasl_credentials *cred = c->cred;
	struct scram *sc = c->state;
	struct buf *b = &sc->cbind;
	enum sasl_result r = SASL_MORE;
	struct buf name;
	enum err e = put_binding_flag(b, c);

	buf_init(&name, SASL_FIELD_MAX, true);
	if (cred->authzid.n != 0) {
		r = sasl_client_prep_name(c, &name, cred->authzid);
		if (e == E_OK)
			e = buf_put(b, "a=", 2);
		if (e == E_OK)
			e = sasl_put_name(b, sasl_slice(&name));
	}
	if (e == E_OK)
		e = buf_put(b, ",", 1);
	buf_free(&name);
	return r != SASL_MORE ? r : e == E_OK ? SASL_MORE : SASL_NOMEM;
}

static enum err
make_nonce(struct sasl_client *c)
{
	struct scram *sc = c->state;
	char fresh[SASL_NONCE];
	enum err e;

	if (c->nonce != NULL)
		return buf_put(&sc->nonce, c->nonce, strlen(c->nonce));
	if ((e = sasl_nonce(fresh)) != E_OK)
		return e;
	return buf_put(&sc->nonce, fresh, sizeof(fresh));
}

/* client-first-message-bare */
static enum sasl_result
make_bare(struct sasl_client *c)
{
	struct scram *sc = c->state;
	enum sasl_result r;
	struct buf name;
	enum err e;

	buf_init(&name, SASL_FIELD_MAX, true);
	r = sasl_client_prep_name(c, &name, c->cred->authcid);
	if (r == SASL_MORE) {
		if ((e = make_nonce(c)) == E_OK &&
		    (e = buf_put(&sc->auth, "n=", 2)) == E_OK &&
		    (e = sasl_put_name(&sc->auth, sasl_slice(&name))) == E_OK)
			e = sasl_put(
			    &sc->auth, ",r=", sasl_slice(&sc->nonce), "");
		r = e == E_OK ? SASL_MORE : SASL_NOMEM;
	}
	buf_free(&name);
	return r;
}

static enum sasl_result
say_first(struct sasl_client *c, struct buf *out)
{
	const struct sasl_credentials *cred = c->cred;
	struct scram *sc = c->state;
	enum sasl_result r;
	struct buf said;
	enum err e;

	if ((c->mechanism->flags & SASL_NEEDS_BINDING) &&
	    (cred->binding_name == NULL || cred->binding_data.n == 0))
		return sasl_client_fail(
		    c, _("this connection has no channel binding"));
	if ((r = sasl_client_prep_password(c, &sc->password)) != SASL_MORE ||
	    (r = make_header(c)) != SASL_MORE ||
	    (r = make_bare(c)) != SASL_MORE)
		return r;
	buf_init(&said, SCRAM_AUTH_MAX, true);
	if ((e = buf_put(&said, buf_data(&sc->cbind), sc->cbind.len)) == E_OK)
		e = buf_put(&said, buf_data(&sc->auth), sc->auth.len);
	if (e == E_OK && (c->mechanism->flags & SASL_NEEDS_BINDING))
		e = buf_put(
		    &sc->cbind, cred->binding_data.p, cred->binding_data.n);
	r = sasl_say_buf(out, e, &said, SASL_MORE);
	buf_free(&said);
	return r;
}

struct server_first {
	struct slice nonce, salt;
	uint32_t iterations;
};

static enum sasl_result
parse_first(struct sasl_client *c, struct slice in, struct server_first *f)
{
	struct scram *sc = c->state;
	struct slice ours = sasl_slice(&sc->nonce), count;

	if (in.n > SCRAM_MESSAGE_MAX || !scram_cut(&in, 'r', &f->nonce) ||
	    !scram_cut(&in, 's', &f->salt) || !scram_cut(&in, 'i', &count) ||
	    !scram_is_extensions(in))
		return sasl_client_fail(
		    c, _("the server's first message is malformed"));
	if (!scram_is_nonce(f->nonce) || f->nonce.n <= ours.n ||
	    memcmp(f->nonce.p, ours.p, ours.n) != 0)
		return sasl_client_fail(
		    c, _("the server's nonce is not one for us"));
	if (!scram_is_count(count, &f->iterations))
		return sasl_client_fail(c,
		    _("the server wants fewer than %d or more than %d "
		      "iterations"),
		    SASL_ITERATIONS_MIN, SASL_ITERATIONS_CLIENT);
	return SASL_MORE;
}

/* AuthMessage is whole: the proof of the password, and the server's that is
 * expected. */
static bool
prove(struct sasl_client *c, struct slice salt, uint32_t iterations,
    uint8_t proof[SASL_KEY_MAX])
{
	const struct sasl_mechanism *m = c->mechanism;
	struct scram *sc = c->state;
	struct slice auth = sasl_slice(&sc->auth);
	uint8_t salted[SASL_KEY_MAX], stored[SASL_KEY_MAX];
	uint8_t server[SASL_KEY_MAX], signature[SASL_KEY_MAX];
	bool ok;

	ok = scram_salt(
		 m, sasl_slice(&sc->password), salt, iterations, salted) &&
	     scram_keys(m, salted, proof, stored, server) &&
	     scram_hmac(m, stored, auth, signature) &&
	     scram_hmac(m, server, auth, sc->signature);
	if (ok)
		scram_xor(proof, signature, scram_hash_size(m));
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(stored, sizeof(stored));
	OPENSSL_cleanse(server, sizeof(server));
	OPENSSL_cleanse(signature, sizeof(signature));
	return ok;
}

/* client-final-message, with the salt decoded. */
static enum err
make_final(struct sasl_client *c, const struct server_first *f,
    struct slice whole, struct slice salt, struct buf *said)
{
	struct scram *sc = c->state;
	uint8_t proof[SASL_KEY_MAX];
	enum err e;

	if ((e = buf_put(said, "c=", 2)) == E_OK &&
	    (e = sasl_put_b64(said, buf_data(&sc->cbind), sc->cbind.len)) ==
		E_OK)
		e = sasl_put(said, ",r=", f->nonce, "");
	if (e == E_OK)
		e = sasl_put(&sc->auth, ",", whole, ",");
	if (e == E_OK)
		e = buf_put(&sc->auth, buf_data(said), said->len);
	if (e == E_OK && !prove(c, salt, f->iterations, proof))
		e = E_NOMEM;
	if (e == E_OK && (e = buf_put(said, ",p=", 3)) == E_OK)
		e = sasl_put_b64(said, proof, scram_hash_size(c->mechanism));
	OPENSSL_cleanse(proof, sizeof(proof));
	return e;
}

static enum sasl_result
say_final(struct sasl_client *c, struct slice in, struct buf *out)
{
	struct scram *sc = c->state;
	char salt[SCRAM_MESSAGE_MAX];
	struct server_first f;
	enum sasl_result r;
	struct buf said;
	enum err e;
	size_t n;

	if ((r = parse_first(c, in, &f)) != SASL_MORE)
		return r;
	if (b64_decode(salt, f.salt, &n) != E_OK || n == 0)
		return sasl_client_fail(
		    c, _("the server's first message is malformed"));
	buf_init(&said, SCRAM_AUTH_MAX, true);
	e = make_final(c, &f, in, (struct slice){ salt, n }, &said);
	buf_free(&sc->password);
	r = sasl_say_buf(out, e, &said, SASL_MORE);
	buf_free(&said);
	return r;
}

/* Nothing is believed until the server's signature is right. */
static enum sasl_result
verify(struct sasl_client *c, struct slice in)
{
	const struct scram *sc = c->state;
	size_t size = scram_hash_size(c->mechanism), n;
	char theirs[B64_ENCODED(SASL_KEY_MAX)];
	struct slice v;

	if (in.n > SCRAM_MESSAGE_MAX)
		return sasl_client_fail(
		    c, _("the server's last message is malformed"));
	if (scram_cut(&in, 'e', &v)) {
		sasl_client_server_said(c, v);
		return SASL_FAILED;
	}
	if (!scram_cut(&in, 'v', &v) || !scram_is_extensions(in) ||
	    v.n != B64_ENCODED(size) || b64_decode(theirs, v, &n) != E_OK ||
	    n != size)
		return sasl_client_fail(
		    c, _("the server's last message is malformed"));
	if (CRYPTO_memcmp(theirs, sc->signature, size) != 0)
		return sasl_client_fail(
		    c, _("the server does not know the password"));
	c->verified = true;
	return SASL_DONE;
}

static enum sasl_result
client_take(struct sasl_client *c, struct slice in, struct buf *out)
{
	switch (c->step++) {
	case FIRST: return say_first(c, out);
	case FINAL: return say_final(c, in, out);
	case VERIFY: return verify(c, in);
	default:
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	}
}

enum sasl_result
scram_client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	enum sasl_result r = client_take(c, in, out);

	if (r != SASL_MORE)
		c->step = OVER;
	return r;
}

/*
 * What the two ends of SCRAM compute alike: keys, proofs, and the parts of a
 * message (RFC 5802 s3).
 */
#include "sasl/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

void
scram_begin(void *state)
{
	struct scram *sc = state;

	buf_init(&sc->auth, SCRAM_AUTH_MAX, true);
	buf_init(&sc->cbind, SCRAM_AUTH_MAX, true);
	buf_init(&sc->nonce, 2 * SCRAM_NONCE_MAX, true);
	buf_init(&sc->password, SASL_FIELD_MAX, true);
}

void
scram_end(void *state)
{
	struct scram *sc = state;

	buf_free(&sc->auth);
	buf_free(&sc->cbind);
	buf_free(&sc->nonce);
	buf_free(&sc->password);
}

/* ---- keys ---- */

static const EVP_MD *
digest(const struct sasl_mechanism *m)
{
	return strcmp(m->hash, "SHA1") == 0 ? EVP_sha1() : EVP_sha256();
}

size_t
scram_hash_size(const struct sasl_mechanism *m)
{
	return (size_t)EVP_MD_get_size(digest(m));
}

bool
scram_hash(
    const struct sasl_mechanism *m, const uint8_t *p, uint8_t out[SASL_KEY_MAX])
{
	return EVP_Digest(p, scram_hash_size(m), out, NULL, digest(m), NULL) ==
	       1;
}

bool
scram_hmac(const struct sasl_mechanism *m, const uint8_t *key,
    struct slice text, uint8_t out[SASL_KEY_MAX])
{
	return HMAC(digest(m), key, (int)scram_hash_size(m),
		   (const uint8_t *)text.p, text.n, out, NULL) != NULL;
}

bool
scram_salt(const struct sasl_mechanism *m, struct slice password,
    struct slice salt, uint32_t iterations, uint8_t out[SASL_KEY_MAX])
{
	return PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
		   (const uint8_t *)salt.p, (int)salt.n, (int)iterations,
		   digest(m), (int)scram_hash_size(m), out) == 1;
}

bool
scram_keys(const struct sasl_mechanism *m, const uint8_t *salted,
    uint8_t *client, uint8_t *stored, uint8_t *server)
{
	struct slice c = { "Client Key", 10 }, s = { "Server Key", 10 };

	return scram_hmac(m, salted, c, client) &&
	       scram_hash(m, client, stored) &&
	       scram_hmac(m, salted, s, server);
}

void
scram_xor(uint8_t *to, const uint8_t *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= with[i];
}

enum err
sasl_keys_make(struct sasl_keys *keys, const struct sasl_mechanism *m,
    struct slice password, struct errbuf *eb)
{
	struct slice salt = { (const char *)keys->salt, keys->salt_n };
	uint8_t salted[SASL_KEY_MAX], client[SASL_KEY_MAX];
	enum err e = E_OK;

	if (m->hash == NULL || salt.n == 0 || salt.n > SASL_SALT_MAX ||
	    keys->iterations < SASL_ITERATIONS_MIN ||
	    keys->iterations > SASL_ITERATIONS_MAX)
		return err_set(eb, E_FORMAT, _("no keys can be made this way"));
	if (!scram_salt(m, password, salt, keys->iterations, salted) ||
	    !scram_keys(m, salted, client, keys->stored, keys->server))
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
	return e;
}

/* One of the values that a name has: HMAC-SHA-256(secret, kind name). */
static bool
fake(struct slice secret, char kind, struct slice name,
    uint8_t out[SASL_KEY_MAX])
{
	uint8_t text[1 + SASL_FIELD_MAX];

	text[0] = (uint8_t)kind;
	memcpy(text + 1, name.p, name.n);
	return HMAC(EVP_sha256(), secret.p, (int)secret.n, text, 1 + name.n,
		   out, NULL) != NULL;
}

enum err
sasl_keys_fake(struct sasl_keys *keys, const struct sasl_mechanism *m,
    struct slice secret, struct slice name, uint32_t iterations)
{
	uint8_t salt[SASL_KEY_MAX];
	char kind = m->hash != NULL && strcmp(m->hash, "SHA1") == 0 ? '1' : '2';

	if (m->hash == NULL || name.n == 0 || name.n > SASL_FIELD_MAX)
		return E_FORMAT;
	memset(keys, 0, sizeof(*keys));
	keys->iterations = iterations;
	keys->salt_n = 16;
	if (!fake(secret, kind, name, salt) ||
	    !fake(secret, 'k', name, keys->stored) ||
	    !fake(secret, 's', name, keys->server))
		return E_NOMEM;
	memcpy(keys->salt, salt, keys->salt_n);
	return E_OK;
}

/* ---- messages ---- */

bool
scram_cut(struct slice *rest, char name, struct slice *value_r)
{
	const char *comma, *end = rest->p + rest->n;

	if (rest->n < 3 || rest->p[0] != name || rest->p[1] != '=')
		return false;
	comma = memchr(rest->p, ',', rest->n);
	if (comma != NULL && comma + 1 == end)
		return false;
	value_r->p = rest->p + 2;
	value_r->n = (size_t)((comma != NULL ? comma : end) - value_r->p);
	rest->p = comma != NULL ? comma + 1 : end;
	rest->n = (size_t)(end - rest->p);
	return value_r->n != 0;
}

bool
scram_is_extensions(struct slice rest)
{
	if (memchr(rest.p, '\0', rest.n) != NULL ||
	    !str_is_utf8(rest.p, rest.n))
		return false;
	while (rest.n != 0) {
		char name = str_lower1(rest.p[0]);
		struct slice value;

		/* "m" is a mandatory one: RFC 5802 s5.1. */
		if (name < 'a' || name > 'z' || rest.p[0] == 'm' ||
		    !scram_cut(&rest, rest.p[0], &value))
			return false;
	}
	return true;
}

bool
scram_is_nonce(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return s.n > 0 && s.n <= SCRAM_NONCE_MAX;
}

bool
scram_is_count(struct slice s, uint32_t *n_r)
{
	return s.n > 0 && s.p[0] != '0' && str_to_u32(s, n_r) &&
	       *n_r >= SASL_ITERATIONS_MIN && *n_r <= SASL_ITERATIONS_CLIENT;
}

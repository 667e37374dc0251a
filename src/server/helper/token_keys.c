#include "server/helper/token_keys.h"

#include <cjose/cjose.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
	RSA_OCTETS_MIN = 256, /* 2048 bits: RFC 7518 s3.3 */
	ED25519_OCTETS = 32,
	TRIES = 8, /* keys for a token that does not say which */
};

struct key {
	enum token_key_kind kind;
	char *kid, *alg;  /* NULL: it does not say */
	cjose_jwk_t *jwk; /* or, as cjose does not know those: */
	EVP_PKEY *ed25519;
};

struct token_keys {
	size_t n;
	struct key key[TOKEN_KEYS_MAX];
};

/* ---- reading a set ---- */

static const char *
text_of(const json_t *jwk, const char *name)
{
	const char *text = json_string_value(json_object_get(jwk, name));

	return text != NULL ? text : "";
}

/* Is it for signatures, as far as it says? */
static bool
is_to_verify(const json_t *jwk)
{
	const json_t *ops = json_object_get(jwk, "key_ops");
	const char *use = text_of(jwk, "use");

	if (use[0] != '\0' && strcmp(use, "sig") != 0)
		return false;
	for (size_t i = 0; i < json_array_size(ops); i++) {
		const char *op = json_string_value(json_array_get(ops, i));

		if (op != NULL && strcmp(op, "verify") == 0)
			return true;
	}
	return ops == NULL;
}

static bool
find_kind(const json_t *jwk, enum token_key_kind *kind_r)
{
	static const struct {
		const char *kty, *crv;
		enum token_key_kind kind;
	} known[] = {
		{ "RSA", "", TOKEN_KEY_RSA },
		{ "EC", "P-256", TOKEN_KEY_P256 },
		{ "EC", "P-384", TOKEN_KEY_P384 },
		{ "EC", "P-521", TOKEN_KEY_P521 },
		{ "OKP", "Ed25519", TOKEN_KEY_ED25519 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(text_of(jwk, "kty"), known[i].kty) == 0 &&
		    strcmp(text_of(jwk, "crv"), known[i].crv) == 0) {
			*kind_r = known[i].kind;
			return true;
		}
	return false;
}

static bool
is_number(const char *name, const json_t *value)
{
	const char *text = json_string_value(value);

	return strlen(name) > 1 ||
	       (text != NULL &&
		   token_is_b64url((struct slice){ text, strlen(text) }));
}

/* Only the public half, if somebody has written both. */
static cjose_jwk_t *
import_public(const json_t *jwk)
{
	static const char *const members[] = { "kty", "n", "e", "crv", "x",
		"y" };
	json_t *public = json_object();
	bool good = public != NULL;
	cjose_jwk_t *out = NULL;
	char *text = NULL;
	cjose_err why;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *value = json_object_get(jwk, members[i]);

		if (value == NULL)
			continue;
		good = good && is_number(members[i], value);
		json_object_set(public, members[i], value);
	}
	if (good && (text = json_dumps(public, 0)) != NULL)
		out = cjose_jwk_import(text, strlen(text), &why);
	free(text);
	json_decref(public);
	return out;
}

static EVP_PKEY *
import_ed25519(const json_t *jwk)
{
	const char *x = text_of(jwk, "x");
	char octets[64];
	size_t n;

	if (!token_b64url(
		(struct slice){ x, strlen(x) }, octets, sizeof(octets), &n) ||
	    n != ED25519_OCTETS)
		return NULL;
	return EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, (const unsigned char *)octets, n);
}

static bool
is_long_enough(const json_t *jwk, enum token_key_kind kind)
{
	size_t digits = strlen(text_of(jwk, "n"));

	return kind != TOKEN_KEY_RSA || digits / 4 * 3 + 1 >= RSA_OCTETS_MIN;
}

static void
key_free(struct key *k)
{
	free(k->kid);
	free(k->alg);
	cjose_jwk_release(k->jwk);
	EVP_PKEY_free(k->ed25519);
}

/* E_FORMAT: it is of no use. */
static enum err
read_key(struct key *k, const json_t *jwk)
{
	const char *kid = text_of(jwk, "kid"), *alg = text_of(jwk, "alg");

	*k = (struct key){ .kid = NULL };
	if (!find_kind(jwk, &k->kind) || !is_to_verify(jwk) ||
	    !is_long_enough(jwk, k->kind))
		return E_FORMAT;
	if ((kid[0] != '\0' && (k->kid = strdup(kid)) == NULL) ||
	    (alg[0] != '\0' && (k->alg = strdup(alg)) == NULL))
		return E_NOMEM;
	if (k->kind == TOKEN_KEY_ED25519)
		k->ed25519 = import_ed25519(jwk);
	else
		k->jwk = import_public(jwk);
	return k->jwk != NULL || k->ed25519 != NULL ? E_OK : E_FORMAT;
}

static enum err
read_set(struct token_keys *k, const json_t *set, struct errbuf *eb)
{
	const json_t *list = json_object_get(set, "keys");

	if (!json_is_array(list))
		return err_set(eb, E_FORMAT,
		    "it is no set of keys: an object of JSON with \"keys\"");
	for (size_t i = 0; i < json_array_size(list); i++) {
		enum err e = E_OK;

		if (k->n == TOKEN_KEYS_MAX)
			return err_set(eb, E_FORMAT, "it has more than %d keys",
			    TOKEN_KEYS_MAX);
		e = read_key(&k->key[k->n], json_array_get(list, i));
		if (e == E_OK)
			k->n++;
		else
			key_free(&k->key[k->n]);
		if (e == E_NOMEM)
			return err_set(eb, e, "out of memory");
	}
	return k->n != 0 ? E_OK
			 : err_set(eb, E_FORMAT,
			       "it holds no key that could verify a token: RSA "
			       "of 2048 bits or more, P-256, P-384, P-521 or "
			       "Ed25519");
}

enum err
token_keys_parse(struct token_keys **k_r, struct slice json, struct errbuf *eb)
{
	struct token_keys *k = calloc(1, sizeof(*k));
	json_error_t why;
	json_t *set;
	enum err e;

	*k_r = NULL;
	if (k == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	set = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, &why);
	e = set != NULL
		? read_set(k, set, eb)
		: err_set(eb, E_FORMAT, "it is no JSON, in line %d", why.line);
	json_decref(set);
	if (e == E_OK)
		*k_r = k;
	else
		token_keys_free(k);
	return e;
}

void
token_keys_free(struct token_keys *k)
{
	for (size_t i = 0; k != NULL && i < k->n; i++)
		key_free(&k->key[i]);
	free(k);
}

size_t
token_keys_count(const struct token_keys *k)
{
	return k->n;
}

/* ---- verifying ---- */

static bool
verify_by_cjose(const struct key *k, const struct token_jwt *t)
{
	cjose_err why;
	cjose_jws_t *jws = cjose_jws_import(t->text.p, t->text.n, &why);
	bool good = jws != NULL && cjose_jws_verify(jws, k->jwk, &why);

	cjose_jws_release(jws);
	return good;
}

static bool
verify_ed25519(const struct key *k, const struct token_jwt *t)
{
	uint8_t signature[TOKEN_SIGNATURE_MAX];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n;
	bool good;

	good = ctx != NULL && token_jwt_signature(t, signature, &n) &&
	       EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->ed25519) == 1 &&
	       EVP_DigestVerify(ctx, signature, n,
		   (const unsigned char *)t->what.p, t->what.n) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

/* A key is good for one kind of algorithm only, and for no other than it says. */
static bool
is_candidate(const struct key *k, const struct token_jwt *t,
    const struct token_algorithm *a)
{
	return k->kind == a->key &&
	       (k->alg == NULL || strcmp(k->alg, a->name) == 0) &&
	       (k->kid == NULL || t->kid == NULL ||
		   strcmp(k->kid, t->kid) == 0);
}

enum err
token_keys_verify(const struct token_keys *k, const struct token_jwt *t,
    const struct token_algorithm *a)
{
	unsigned tried = 0;

	for (size_t i = 0; i < k->n && tried < TRIES; i++) {
		const struct key *key = &k->key[i];

		if (!is_candidate(key, t, a))
			continue;
		tried++;
		if (key->ed25519 != NULL ? verify_ed25519(key, t)
					 : verify_by_cjose(key, t))
			return E_OK;
	}
	return tried != 0 ? E_DENIED : E_NOENT;
}

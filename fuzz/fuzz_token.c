/*
 * A token of OAuth, as anybody brings one; what an issuer says of one; and its keys.
 * Whose it is comes out only if the claims keep every rule.
 */
#include <stdlib.h>
#include <string.h>

#include "server/helper/token_claims.h"
#include "server/helper/token_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct issuer_conf conf[] = {
	{ .issuer = "https://a",
	    .audience = "mail",
	    .user_claim = "email",
	    .scope = "s t",
	    .keys = "/k",
	    .leeway = 60 },
	{ .introspection = "https://a/i", .user_claim = "username" },
};

static bool
is_word(const json_t *claims, const char *name, const char *value)
{
	const char *is = json_string_value(json_object_get(claims, name));

	return is != NULL && strcmp(is, value) == 0;
}

static void
look_at_claims(const struct issuer_conf *c, const json_t *claims)
{
	char user[NAME_MAX_OCTETS + 1];
	struct errbuf why = { "" };
	enum token_result r = token_claims_judge(c, claims, 1e6, user, &why);

	if ((r == TOKEN_GOOD) != (why.text[0] == '\0'))
		abort();
	if (r != TOKEN_GOOD)
		return;
	if (!is_word(claims, c->user_claim, user) || user[0] == '\0')
		abort();
	if (c->keys[0] != '\0' &&
	    (!is_word(claims, "iss", c->issuer) ||
		json_number_value(json_object_get(claims, "exp")) <= 1e6 - 60))
		abort();
	if (c->keys[0] == '\0' &&
	    !json_is_true(json_object_get(claims, "active")))
		abort();
}

/* One of each kind; nobody has kept the private halves. */
static struct token_keys *
some_keys(void)
{
	static const char set[] =
	    "{\"keys\":[{\"crv\":\"P-256\",\"x\":\"YRbF8ehFJZGgcqteSzg"
	    "whLTC2RdVwV4DRslvoKqSG8A\",\"y\":\"DAfCmFILTqtpxaKT3"
	    "sLBL6ri7-dlpmpFnxmKlQzS9kQ\",\"kty\":\"EC\"},{\"crv\":\""
	    "P-384\",\"x\":\"pQSr-FbKJ63ztyVzKu6TKjXNiaKJNrbtc7jk"
	    "8cOByoXQEMzs61eraYHLRhnLdF-3\",\"y\":\"exfY5mYfutC-M"
	    "4TKF1dCSn-NFOnQeM3NIfyJIa89RV1vnb4LbVr3CbFP14Pmy"
	    "a5C\",\"kty\":\"EC\"},{\"crv\":\"P-521\",\"x\":\"xqHVodMBoEq"
	    "YBiKw9JMyQwxpvr8k_i-XrFtkiLVwzssTzfwWc2Vor_Wh5uu"
	    "idtdw5MsV4Rxd9Heig199P2WYG5I\",\"y\":\"xekB1s8cpns1Q"
	    "vQJ40trPxAHKflQJjtXeEtC9YkeG-eF2yacx1TE8DlX-dKlK"
	    "sbvWln_C6z2X33_2pgo3cvq0gY\",\"kty\":\"EC\"},{\"crv\":\""
	    "Ed25519\",\"x\":\"oSL1I8IzbwYpCh61E_lP0kWbSTUqsr928o"
	    "wGL5uAS9M\",\"kty\":\"OKP\"},{\"n\":\"xs_uDk3ig153HUaCN3"
	    "NzWPwgD4fO9ygpbZSLvmVyuxJK-eGdNJP4ubpBnIsLwEj331"
	    "3rGnLGwCN4AeHTuQRrjfYjJLl0vuiGzZW7mCZhnLHpzwtF29"
	    "z946nvvnMZ9JPMliM89quPHPotsq54ZU6wPWJmcgXGtDoH7M"
	    "O3rbp4W9S6xy48SucP3vjbXRIfFC45iEPbrPQ718nX7TQbHE"
	    "fAVyId-dlp0vix01fx1V1aEvZcNOpkd4e-08-hdwiSpXIO49"
	    "GaEBLPaQhoEeFm3ZT74CB88caJtDiysUGIK9aFgW1K5uacuw"
	    "mtv8Jjp_T7e_iy4IcaAz2KN2wWSqfqc0bL3w\",\"e\":\"AQAB\""
	    ",\"kty\":\"RSA\"}]}";
	static struct token_keys *keys;

	if (keys == NULL &&
	    token_keys_parse(&keys, (struct slice){ set, strlen(set) }, NULL) !=
		E_OK)
		abort();
	return keys;
}

static void
look_at_signature(const struct token_jwt *t)
{
	const struct token_algorithm *a =
	    token_algorithm_find((struct slice){ t->alg, strlen(t->alg) });

	if (a != NULL && token_keys_verify(some_keys(), t, a) == E_OK)
		abort();
}

/* What is in a token is what is in its parts. */
static void
look_at_token(struct slice text)
{
	uint8_t signature[TOKEN_SIGNATURE_MAX];
	struct token_jwt t;
	size_t n;

	if (token_jwt_parse(&t, text) == E_OK) {
		if (t.what.n + 1 + t.signed_by.n != text.n ||
		    memchr(t.signed_by.p, '.', t.signed_by.n) != NULL ||
		    !json_is_object(t.claims) || t.alg == NULL)
			abort();
		if (token_jwt_signature(&t, signature, &n) &&
		    n > sizeof(signature))
			abort();
		look_at_claims(&conf[0], t.claims);
		look_at_signature(&t);
	}
	token_jwt_free(&t);
}

/* Nobody has signed this by any of them. */
static void
look_at_keys(struct slice json)
{
	static const char token[] =
	    "eyJhbGciOiJFUzI1NiJ9.e30."
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAAAAAAAA";
	static const char *const names[] = { "ES256", "RS256", "EdDSA" };
	struct token_keys *k;
	struct token_jwt t;
	struct errbuf eb;

	if (token_keys_parse(&k, json, &eb) != E_OK)
		return;
	if (token_keys_count(k) == 0 || token_keys_count(k) > TOKEN_KEYS_MAX ||
	    token_jwt_parse(&t, (struct slice){ token, strlen(token) }) != E_OK)
		abort();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (token_keys_verify(k, &t,
			token_algorithm_find((struct slice){
			    names[i], strlen(names[i]) })) == E_OK)
			abort();
	token_jwt_free(&t);
	token_keys_free(k);
}

/* The first octet says what it is. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data + 1, size - 1 };
	json_t *claims;

	if (size == 0)
		return 0;
	if (data[0] == 'k') {
		look_at_keys(in);
	} else if (data[0] == 't') {
		look_at_token(in);
	} else {
		claims = json_loadb(in.p, in.n, JSON_REJECT_DUPLICATES, NULL);
		for (size_t i = 0; json_is_object(claims) && i < 2; i++)
			look_at_claims(&conf[i], claims);
		json_decref(claims);
	}
	return 0;
}

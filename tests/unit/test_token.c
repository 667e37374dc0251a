/*
 * Tokens of OAuth: what they say, how they are taken apart, and by which keys they
 * are signed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/helper/token_claims.h"
#include "server/helper/token_fetch.h"
#include "server/helper/token_judge.h"
#include "server/helper/token_keys.h"

enum { NOW = 1000000 };

static const struct issuer_conf signed_by = {
	.name = "a",
	.issuer = "https://a",
	.audience = "mail other",
	.user_claim = "email",
	.keys = "/keys",
	.leeway = 60,
};

/* ---- claims ---- */

#define GOOD "'iss':'https://a','aud':'mail','email':'ann','exp':1000100"

static enum token_result
judge(const struct issuer_conf *c, const char *text, char *user)
{
	char json[1024];
	struct errbuf why = { "" };
	enum token_result r;
	json_t *claims;
	size_t n = 0;

	for (; text[n] != '\0'; n++)
		json[n] = text[n] == '\'' ? '"' : text[n];
	assert_non_null(claims = json_loadb(json, n, 0, NULL));
	r = token_claims_judge(c, claims, NOW, user, &why);
	assert_true((r == TOKEN_GOOD) == (why.text[0] == '\0'));
	json_decref(claims);
	return r;
}

static void
test_claims(void **state)
{
	static const struct {
		const char *claims;
		bool good;
	} v[] = {
		{ "{" GOOD "}", true },
		{ "{" GOOD ",'nbf':1000060}", true },
		{ "{" GOOD ",'nbf':1000061}", false },
		{ "{" GOOD ",'nbf':'1'}", false },
		{ "{" GOOD ",'nbf':null}", false },
		{ "{" GOOD ",'email_verified':true}", true },
		{ "{" GOOD ",'email_verified':'true'}", true },
		{ "{" GOOD ",'email_verified':false}", false },
		{ "{" GOOD ",'email_verified':'false'}", false },
		{ "{" GOOD ",'email_verified':0}", false },
		{ "{" GOOD ",'email_verified':null}", false },
		{ "{'iss':'https://a','aud':['x','other'],'email':'ann',"
		  "'exp':999941}",
		    true },
		{ "{'iss':'https://a','aud':'mail','email':'ann',"
		  "'exp':999940}",
		    false },
		{ "{'iss':'https://a','aud':'mail','email':'ann'}", false },
		{ "{'iss':'https://a/','aud':'mail','email':'ann',"
		  "'exp':1000100}",
		    false },
		{ "{'aud':'mail','email':'ann','exp':1000100}", false },
		{ "{'iss':'https://a','aud':[],'email':'ann','exp':1000100}",
		    false },
		{ "{'iss':'https://a','aud':'mail other','email':'ann',"
		  "'exp':1000100}",
		    false },
		{ "{'iss':'https://a','aud':'','email':'ann','exp':1000100}",
		    false },
		{ "{'iss':'https://a','aud':[['mail']],'email':'ann',"
		  "'exp':1000100}",
		    false },
		{ "{'iss':'https://a','aud':'mail','email':7,'exp':1000100}",
		    false },
		{ "{'iss':'https://a','aud':'mail','sub':'ann',"
		  "'exp':1000100}",
		    false },
	};
	char user[NAME_MAX_OCTETS + 1];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		enum token_result r = judge(&signed_by, v[i].claims, user);

		if (r != (v[i].good ? TOKEN_GOOD : TOKEN_BAD))
			fail_msg("%s is %d", v[i].claims, r);
	}
	assert_int_equal(judge(&signed_by, v[0].claims, user), TOKEN_GOOD);
	assert_string_equal(user, "ann");
}

static void
test_scope(void **state)
{
	static const struct {
		const char *claim;
		bool enough;
	} v[] = {
		{ "'scope':'mail send'", true },
		{ "'scope':'send  mail x'", true },
		{ "'scope':['send','mail']", true },
		{ "'scp':'mail','scope':'send'", true },
		{ "'scope':'mail'", false },
		{ "'scope':'mailsend'", false },
		{ "'scope':'MAIL SEND'", false },
		{ "'scope':7", false },
		{ "'x':1", false },
	};
	struct issuer_conf c = signed_by;
	char user[NAME_MAX_OCTETS + 1], text[256];

	snprintf(c.scope, sizeof(c.scope), "mail send");
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		snprintf(text, sizeof(text), "{" GOOD ",%s}", v[i].claim);
		assert_int_equal(judge(&c, text, user),
		    v[i].enough ? TOKEN_GOOD : TOKEN_NARROW);
	}
}

/* What an issuer says of a token may have less, but must say that it is good. */
static void
test_answers(void **state)
{
	static const struct {
		const char *answer;
		bool good;
	} v[] = {
		{ "{'active':true,'username':'ann'}", true },
		{ "{'active':true,'username':'ann','exp':1000000}", true },
		{ "{'active':true,'username':'ann','iss':'https://a'}", true },
		{ "{'username':'ann'}", false },
		{ "{'active':false,'username':'ann'}", false },
		{ "{'active':1,'username':'ann'}", false },
		{ "{'active':'true','username':'ann'}", false },
		{ "{'active':true}", false },
		{ "{'active':true,'username':'ann','exp':1}", false },
		{ "{'active':true,'username':'ann','iss':'https://b'}", false },
	};
	struct issuer_conf c = signed_by;
	char user[NAME_MAX_OCTETS + 1];

	c.keys[0] = c.audience[0] = '\0';
	snprintf(c.introspection, sizeof(c.introspection), "https://a/i");
	snprintf(c.user_claim, sizeof(c.user_claim), "username");
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (judge(&c, v[i].answer, user) !=
		    (v[i].good ? TOKEN_GOOD : TOKEN_BAD))
			fail_msg("%s", v[i].answer);
	snprintf(c.audience, sizeof(c.audience), "mail");
	assert_int_equal(judge(&c, v[0].answer, user), TOKEN_BAD);
}

/* ---- keys and signatures ---- */

/* RFC 7515 A.3, and the same for another key. */
#define EXAMPLE \
	"eyJhbGciOiJFUzI1NiJ9." \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt" \
	"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define SIGNATURE \
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA" \
	"pmWQxfKTUJqPP3-Kg6NU1Q"
#define P256(more) \
	"{\"kty\":\"EC\",\"crv\":\"P-256\"," \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"" more "}"
/* RFC 8037 A.1. */
#define ED25519 \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static struct slice
slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

static struct token_keys *
keys_of(const char *set)
{
	struct token_keys *k;
	struct errbuf eb;

	if (token_keys_parse(&k, slice_of(set), &eb) != E_OK)
		return NULL;
	return k;
}

static enum err
verify(const char *set, const char *token, const char *algorithm)
{
	struct token_keys *k = keys_of(set);
	struct token_jwt t;
	enum err e;

	assert_non_null(k);
	assert_int_equal(token_jwt_parse(&t, slice_of(token)), E_OK);
	e = token_keys_verify(k, &t, token_algorithm_find(slice_of(algorithm)));
	token_jwt_free(&t);
	token_keys_free(k);
	return e;
}

static void
test_signature(void **state)
{
	static const char set[] = "{\"keys\":[" ED25519 "," P256("") "]}";
	static const char named[] =
	    "{\"keys\":[" P256(",\"kid\":\"x\",\"alg\":\"ES256\"") "]}";
	static const char token[] = EXAMPLE "." SIGNATURE;

	assert_int_equal(verify(set, token, "ES256"), E_OK);
	assert_int_equal(verify(named, token, "ES256"), E_OK);
	/* The key is not one of that algorithm. */
	assert_int_equal(verify(set, token, "RS256"), E_NOENT);
	assert_int_equal(verify(set, token, "ES384"), E_NOENT);
	assert_int_equal(verify(set, token, "EdDSA"), E_DENIED);
	assert_int_equal(verify("{\"keys\":[" P256(",\"alg\":\"ES384\"") "]}",
			     token, "ES256"),
	    E_NOENT);
	assert_int_equal(verify(set, EXAMPLE ".AAAA", "ES256"), E_DENIED);
}

static void
test_key_sets(void **state)
{
	static const struct {
		const char *set;
		size_t n; /* 0: it is none */
	} v[] = {
		{ "{\"keys\":[" P256("") "]}", 1 },
		{ "{\"keys\":[" P256("") "," P256("") "," ED25519 "]}", 3 },
		{ "{\"keys\":[7," P256(",\"use\":\"enc\"") "," ED25519 "]}",
		    1 },
		{ "{\"keys\":[" P256(",\"key_ops\":[\"verify\"]") "]}", 1 },
		{ "{\"keys\":[" P256(",\"key_ops\":[\"sign\"]") "]}", 0 },
		{ "{\"keys\":[" P256(",\"use\":\"enc\"") "]}", 0 },
		{ "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", 0 },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":"
		  "\"AQAB\"}]}",
		    0 },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\","
		  "\"y\":\"AA\"}]}",
		    0 },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
		  "\"AA\"}]}",
		    0 },
		/* Of the first cjose would end the process. */
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		  "\"f83OJ3D2x=1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
		  "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}," P256(
		      "") "]}",
		    1 },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		  "\"AAAAA\",\"y\":\"AA\"}," P256("") "]}",
		    1 },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":7,"
		  "\"y\":{}}," P256("") "]}",
		    1 },
		{ "{\"keys\":[]}", 0 },
		{ "{\"keys\":{}}", 0 },
		{ P256(""), 0 },
		{ "[]", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct token_keys *k = keys_of(v[i].set);
		size_t n = k != NULL ? token_keys_count(k) : 0;

		token_keys_free(k);
		if (n != v[i].n)
			fail_msg("%s has %zu", v[i].set, n);
	}
}

/* Whoever verifies by them could sign: so no setting can name them. */
static void
test_algorithms(void **state)
{
	static const char *const no[] = { "none", "None", "HS256", "HS384",
		"HS512", "rs256", "RS256 ", "", "RS1", "dir" };
	char all[128];

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_null(token_algorithm_find(slice_of(no[i])));
	assert_non_null(token_algorithm_find(slice_of("EdDSA")));
	assert_string_equal(token_algorithm_list(all, sizeof(all)),
	    " RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA");
}

/* ---- taken apart ---- */

static void
test_parts(void **state)
{
	static const char *const no[] = { "", ".", "..", "e30.e30", "e30.e30.",
		"e30.e30.e30", ".e30.e30", "e30..e30", EXAMPLE,
		EXAMPLE "." SIGNATURE ".", EXAMPLE "." SIGNATURE ".x",
		"eyJhbGciOiJFUzI1NiJ9=.e30.AA", "eyJhbGciOiJFUzI1NiJ9.W10.AA",
		/* {"alg":"ES256","crit":["x"]} */
		"eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AA",
		/* {"alg":"ES256","alg":"ES256"} */
		"eyJhbGciOiJFUzI1NiIsImFsZyI6IkVTMjU2In0.e30.AA",
		/* {"alg":"ES256","kid":7} */
		"eyJhbGciOiJFUzI1NiIsImtpZCI6N30.e30.AA", EXAMPLE ".A=AA",
		EXAMPLE ".AAAAA", EXAMPLE ".A", EXAMPLE ".+A",
		/* {"alg":7} */
		"eyJhbGciOjd9.e30.AA" };
	struct token_jwt t;

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (token_jwt_parse(&t, slice_of(no[i])) != E_FORMAT)
			fail_msg("%s", no[i]);
		token_jwt_free(&t);
	}
	assert_int_equal(
	    token_jwt_parse(&t, slice_of(EXAMPLE "." SIGNATURE)), E_OK);
	assert_string_equal(t.alg, "ES256");
	assert_null(t.kid);
	assert_string_equal(token_jwt_issuer(&t), "joe");
	token_jwt_free(&t);
}

static void
test_places(void **state)
{
	static const struct {
		const char *url, *host;
		uint16_t port;
	} v[] = {
		{ "https://a.example/x?y=z", "a.example", 443 },
		{ "https://a.example:8443", "a.example", 8443 },
		{ "https://[::1]:1/x", "[::1]", 1 },
		{ "http://a.example/", NULL, 0 },
		{ "file:///etc/passwd", NULL, 0 },
		{ "https://", NULL, 0 },
		{ "", NULL, 0 },
	};
	char host[64];
	uint16_t port;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		bool good =
		    token_fetch_place(v[i].url, host, sizeof(host), &port);

		assert_int_equal(good, v[i].host != NULL);
		if (!good)
			continue;
		assert_string_equal(host, v[i].host);
		assert_int_equal(port, v[i].port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_key_sets),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

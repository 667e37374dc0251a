/*
 * OAUTHBEARER and XOAUTH2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/b64.h"
#include "sasl_pair.h"

static const char *const names[] = { "OAUTHBEARER", "XOAUTH2" };

struct want {
	const char *said[3];
	size_t n[3];
};

static void
compare(void *arg, unsigned message, struct buf *b)
{
	const struct want *w = arg;

	assert_true(message < 3);
	assert_int_equal(b->len, w->n[message]);
	if (b->len != 0)
		assert_memory_equal(buf_data(b), w->said[message], b->len);
}

static void
test_xoauth2_vector(void **state)
{
	/* B-XOAUTH2-01 */
	static const char line[] =
	    "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRm"
	    "dDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==";
	struct pair p = pair_make("XOAUTH2");
	char said[sizeof(line)];
	struct want w = { .said = { said } };

	(void)state;
	assert_int_equal(
	    b64_decode(said, (struct slice){ line, sizeof(line) - 1 }, &w.n[0]),
	    E_OK);
	p.user = "someuser@example.com";
	p.token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
	p.cred.authcid = LIT("someuser@example.com");
	p.cred.token = (struct slice){ p.token, strlen(p.token) };
	p.tamper = compare;
	p.arg = &w;
	pair_run(&p);
	assert_int_equal(p.messages, 1);
	assert_true(p.accepted && p.verified);
}

static void
test_bearer_vector(void **state)
{
	/* S-7628-01; RFC 7628 s4.1. */
	static const char said[] = "n,a=user@example.com,\1host=server.example."
				   "com\1port=143\1auth=Bearer vF9dft4qmTc2Nvb3"
				   "RlckBhbHRhdmlzdGEuY29tCg==\1\1";
	struct pair p = pair_make("OAUTHBEARER");
	struct want w = { .said = { said }, .n = { sizeof(said) - 1 } };

	(void)state;
	p.user = "user@example.com";
	p.token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
	p.cred.authcid = LIT("user@example.com");
	p.cred.token = (struct slice){ p.token, strlen(p.token) };
	p.cred.host = p.channel.host = "server.example.com";
	p.cred.port = p.channel.port = 143;
	p.tamper = compare;
	p.arg = &w;
	pair_run(&p);
	assert_true(p.accepted && p.verified);
	/* Meant for somebody else. */
	p.tamper = NULL;
	p.channel.host = "server.example.org";
	pair_run(&p);
	assert_int_equal(p.server, SASL_FAILED);
	p.channel.host = "SERVER.example.com";
	p.channel.port = 144;
	pair_run(&p);
	assert_int_equal(p.server, SASL_FAILED);
	p.channel.port = 0;
	pair_run(&p);
	assert_true(p.accepted);
}

static void
test_refused(void **state)
{
	/* S-7628-02, C-7628-01, M-44: the refusal is answered. */
	static const struct want bearer = { { NULL,
						"{\"status\":\"invalid_token"
						"\"}",
						"\1" },
		{ 0, 26, 1 } };
	static const struct want xoauth2 = {
		{ NULL, "{\"status\":\"401\",\"schemes\":\"bearer\"}", "" },
		{ 0, 35, 0 }
	};

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (int initial = 0; initial < 2; initial++) {
			struct want w = i == 0 ? bearer : xoauth2;
			struct pair p = pair_make(names[i]);
			static char first[200];
			struct sasl_client *c;
			struct buf out;

			p.cred.token = LIT("another");
			c = sasl_client_new(pair_mechanism(names[i]), &p.cred);
			buf_init(&out, sizeof(first), true);
			assert_int_equal(
			    sasl_client_step(c, LIT(""), &out), SASL_DONE);
			memcpy(first, buf_data(&out), out.len);
			w.said[0] = first;
			w.n[0] = out.len;
			buf_free(&out);
			sasl_client_free(c);
			p.initial = initial;
			p.tamper = compare;
			p.arg = &w;
			pair_run(&p);
			assert_int_equal(p.messages, 3);
			assert_int_equal(p.server, SASL_DENIED);
			assert_int_equal(p.client, SASL_DONE);
			assert_false(p.verified);
			assert_string_equal(p.error,
			    i == 0 ? "the server says \"invalid_token\""
				   : "the server says \"401\"");
		}
}

static void
test_what_the_server_said(void **state)
{
	static const struct {
		struct slice said;
		const char *error;
	} v[] = {
		{ LIT(""), "the server says \"\"" },
		{ LIT("no"), "the server says \"no\"" },
		{ LIT("{\"status\" : 400 }"), "the server says \"400\"" },
		{ LIT("{\"status\""), "the server says \"{\\x22status\\x22\"" },
		{ LIT("{\"status\":\""),
		    "the server says \"{\\x22status\\x22:\\x22\"" },
		{ LIT("{\"status\":\"\x1b[m\xff\",\"scope\":\"x\"}"),
		    "the server says \"\\x1b[m\\xff\"" },
	};
	struct pair p = pair_make("XOAUTH2");

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct sasl_client *c =
		    sasl_client_new(pair_mechanism("XOAUTH2"), &p.cred);
		struct buf out;

		buf_init(&out, 200, true);
		assert_int_equal(sasl_client_step(c, LIT(""), &out), SASL_DONE);
		assert_true(sasl_client_is_verified(c));
		assert_int_equal(
		    sasl_client_step(c, v[i].said, &out), SASL_DONE);
		assert_false(sasl_client_is_verified(c));
		assert_string_equal(sasl_client_error(c), v[i].error);
		assert_int_equal(
		    sasl_client_step(c, v[i].said, &out), SASL_FAILED);
		assert_false(sasl_client_is_verified(c));
		sasl_client_free(c);
		buf_free(&out);
	}
}

static enum sasl_result
one(const char *name, struct slice in, const char *authzid)
{
	struct sasl_server *s = sasl_server_new(pair_mechanism(name));
	enum sasl_result r;
	struct buf out;

	buf_init(&out, 64, true);
	r = sasl_server_step(s, &in, &out);
	if (r == SASL_TOKEN) {
		assert_true(slice_eq(sasl_server_claim(s)->token, "t"));
		assert_true(slice_eq(sasl_server_claim(s)->authzid, authzid));
		assert_int_equal(sasl_server_step(s, &in, &out), SASL_FAILED);
		assert_int_equal(
		    sasl_server_refuse_token(
			s, &(struct sasl_token_refusal){ false, "", "" }, &out),
		    SASL_FAILED);
	}
	buf_free(&out);
	sasl_server_free(s);
	return r;
}

static void
test_bearer_forms(void **state)
{
	static const struct {
		struct slice s;
		const char *authzid; /* NULL: malformed */
	} v[] = {
		{ LIT("n,,\1auth=Bearer t\1\1"), "" },
		{ LIT("y,,\1auth=Bearer t\1\1"), "" },
		{ LIT("n,a=x=2Cy=3D,\1auth=Bearer t\1\1"), "x,y=" },
		{ LIT("n,,\1auth=bEARER   t\1\1"), "" },
		{ LIT("n,,\1x=y\1auth=Bearer t\1z=\1\1"), "" },
		{ LIT("n,,\1host=a\1port=1\1auth=Bearer t\1\1"), "" },
		{ LIT(""), NULL },
		{ LIT("\1"), NULL }, /* S-7628-02 */
		{ LIT("n,,"), NULL },
		{ LIT("n,,\1"), NULL },
		{ LIT("n,,\1\1"), NULL },
		{ LIT("n,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n\1auth=Bearer t\1\1"), NULL },
		{ LIT(",,\1auth=Bearer t\1\1"), NULL },
		{ LIT("p=tls-exporter,,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,a=,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,b=x,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,a=x=,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,a=x=2,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,a=x,y,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,a=\xff,\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1"), NULL },
		{ LIT("n,,\1auth=Bearer t"), NULL },
		{ LIT("n,,\1auth=Bearer t\1\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1\1x"), NULL },
		{ LIT("n,,\1auth=Bearer\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer \1\1"), NULL },
		{ LIT("n,,\1auth=Bearert\1\1"), NULL },
		{ LIT("n,,\1auth=Basic t\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t u\1\1"), NULL },
		{ LIT("n,,\1auth=\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1host=a\1host=a\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1port=x\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1x1=y\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1=y\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1y\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\0\1\1"), NULL },
		{ LIT("n,,\1auth=Bearer t\1x=\xff\1\1"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(one("OAUTHBEARER", v[i].s, v[i].authzid),
		    v[i].authzid != NULL ? SASL_TOKEN : SASL_FAILED);
}

static void
test_xoauth2_forms(void **state)
{
	static const struct {
		struct slice s;
		const char *authzid;
	} v[] = {
		{ LIT("user=u\1auth=Bearer t\1\1"), "u" },
		{ LIT("user=\xc3\xa9\1auth=bearer t\1\1"), "\xc3\xa9" },
		{ LIT("user=a=b\1auth=Bearer t\1\1"), "a=b" },
		{ LIT(""), NULL },
		{ LIT("\1\1"), NULL },
		{ LIT("user=u\1\1"), NULL },
		{ LIT("auth=Bearer t\1\1"), NULL },
		{ LIT("user=\1auth=Bearer t\1\1"), NULL },
		{ LIT("user=\xff\1auth=Bearer t\1\1"), NULL },
		{ LIT("user=u\1auth=Bearer t\1"), NULL },
		{ LIT("user=u\1user=v\1auth=Bearer t\1\1"), NULL },
		{ LIT("user=u\0\1auth=Bearer t\1\1"), NULL },
		{ LIT("n,,\1user=u\1auth=Bearer t\1\1"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(one("XOAUTH2", v[i].s, v[i].authzid),
		    v[i].authzid != NULL ? SASL_TOKEN : SASL_FAILED);
}

static void
test_client_refuses(void **state)
{
	static const struct slice tokens[] = { LIT(""), LIT("a b"), LIT("a\1b"),
		LIT("a\0b"), LIT("a\nb"), LIT("\xc3\xa9") };
	static const struct slice users[] = { LIT(""), LIT("a\1b"), LIT("a\0b"),
		LIT("\xff") };
	static char huge[8193];

	(void)state;
	memset(huge, 'a', sizeof(huge));
	for (size_t i = 0; i < 2; i++) {
		struct pair p = pair_make(names[i]);

		for (size_t k = 0; k < sizeof(tokens) / sizeof(tokens[0]);
		     k++) {
			p.cred.token = tokens[k];
			pair_run(&p);
			assert_int_equal(p.client, SASL_FAILED);
			assert_int_equal(p.messages, 0);
			assert_non_null(strstr(p.error, "token"));
		}
		p.cred.token = (struct slice){ huge, 8193 };
		pair_run(&p);
		assert_int_equal(p.client, SASL_FAILED);
		p.cred.token.n = 8192;
		pair_run(&p);
		assert_int_equal(p.server, SASL_DENIED);
		p = pair_make(names[i]);
		for (size_t k = 0; k < sizeof(users) / sizeof(users[0]); k++) {
			p.cred.authcid = users[k];
			pair_run(&p);
			assert_int_equal(p.client, SASL_FAILED);
			assert_non_null(strstr(p.error, "name"));
		}
	}
}

static void
test_no_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (unsigned n = 1;; n++) {
			struct pair p = pair_make(names[i]);

			alloc_fail(n);
			pair_run(&p);
			if (!alloc_failed()) {
				alloc_fail(0);
				assert_true(n > 4);
				assert_true(p.accepted && p.verified);
				break;
			}
			assert_false(p.accepted);
			assert_true(
			    p.server == SASL_NOMEM || p.client == SASL_NOMEM);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xoauth2_vector),
		cmocka_unit_test(test_bearer_vector),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_what_the_server_said),
		cmocka_unit_test(test_bearer_forms),
		cmocka_unit_test(test_xoauth2_forms),
		cmocka_unit_test(test_client_refuses),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * CRAM-MD5 and APOP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "sasl_pair.h"

static const char challenge[] = "<1896.697170952@postoffice.reston.mci.net>";
static const char response[] = "tim b913a602c7eda7a495b4e6e7334d3890";

static void
compare(void *arg, unsigned message, struct buf *b)
{
	const char *want = message == 0 ? challenge : response;

	(void)arg;
	assert_true(message < 2);
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(buf_data(b), want, b->len);
}

static void
test_vector(void **state)
{
	/* S-2195-02; RFC 2195 s2. */
	struct pair p = pair_make("CRAM-MD5");

	(void)state;
	p.server_nonce = challenge;
	p.user = "tim";
	p.password = "tanstaaftanstaaf";
	p.cred.authcid = LIT("tim");
	p.cred.password = LIT("tanstaaftanstaaf");
	p.tamper = compare;
	pair_run(&p);
	assert_int_equal(p.messages, 2);
	assert_true(p.accepted && p.verified);
}

/* What Dovecot has stored (doveadm pw -s CRAM-MD5) is the same octets. */
static void
test_stored_key(void **state)
{
	static const uint8_t dovecot[SASL_CRAM_KEY] =
	    "\x38\xb5\x7f\xd1\xa0\xc4\xb4\x6c\x81\x4a\xa0\x5f\x20\x31\x8e"
	    "\xdd\x71\xc4\x55\x38\x06\x55\xf2\xc0\xac\x35\xc5\xb3\x59\x52"
	    "\x8d\x29";
	uint8_t key[SASL_CRAM_KEY];

	(void)state;
	assert_int_equal(sasl_cram_key(key, LIT("correct horse")), E_OK);
	assert_memory_equal(key, dovecot, sizeof(key));
}

static void
test_both_ends(void **state)
{
	struct pair p = pair_make("CRAM-MD5");

	(void)state;
	pair_run(&p);
	assert_true(p.accepted && p.verified);
	p.cred.password = LIT("Pencil");
	pair_run(&p);
	assert_int_equal(p.server, SASL_DENIED);
	p.cred.password = LIT("pencil");
	p.cred.authcid = LIT("nobody");
	pair_run(&p);
	assert_int_equal(p.server, SASL_DENIED);
	/* The challenge must not serve as a password for those. */
	p = pair_make("CRAM-MD5");
	p.server_nonce = challenge;
	p.cred.authcid = LIT("nobody");
	p.cred.password = LIT("<1896.697170952@postoffice.reston.mci.net>");
	pair_run(&p);
	assert_int_equal(p.server, SASL_DENIED);
	/* A name with spaces; longer than a block, both of them. */
	p = pair_make("CRAM-MD5");
	p.cred.authcid = LIT(" a b ");
	p.user = " a b ";
	p.password =
	    "0123456789012345678901234567890123456789012345678901234567"
	    "89 and more than 64 octets";
	p.cred.password = (struct slice){ p.password, strlen(p.password) };
	pair_run(&p);
	assert_true(p.accepted && p.verified);
	/* Prepared, where that is possible. */
	p.user = "IX";
	p.password = "\xd7\x90\x31";
	p.cred.authcid = LIT("I\xc2\xadX");
	p.cred.password = LIT("\xd7\x90\x31");
	pair_run(&p);
	assert_true(p.accepted && p.verified);
	p.password = "a";
	p.cred.password = LIT("\xc2\xaa");
	pair_run(&p);
	assert_true(p.accepted && p.verified);
	/* Nobody can act for another. */
	p.cred.authzid = LIT("z");
	pair_run(&p);
	assert_int_equal(p.client, SASL_FAILED);
	assert_int_equal(p.messages, 1);
}

struct change {
	unsigned message;
	size_t at;
	bool hit;
};

static void
flip(void *arg, unsigned message, struct buf *b)
{
	struct change *c = arg;

	if (message != c->message || c->at >= b->len)
		return;
	buf_data(b)[c->at] ^= 1;
	c->hit = true;
}

static void
test_every_octet_changed(void **state)
{
	(void)state;
	for (unsigned m = 0; m < 2; m++)
		for (size_t at = 0;; at++) {
			struct change c = { m, at, false };
			struct pair p = pair_make("CRAM-MD5");

			p.tamper = flip;
			p.arg = &c;
			pair_run(&p);
			if (!c.hit)
				break;
			assert_false(p.accepted);
		}
}

static void
test_answers(void **state)
{
	/* S-2195-01 */
	static const struct slice bad[] = {
		LIT(""),
		LIT(" "),
		LIT("tim"),
		LIT("tim "),
		LIT(" b913a602c7eda7a495b4e6e7334d3890"),
		LIT("tim b913a602c7eda7a495b4e6e7334d389"),
		LIT("tim b913a602c7eda7a495b4e6e7334d38900"),
		LIT("tim b913a602c7eda7a495b4e6e7334d389g"),
		LIT("tim B913A602C7EDA7A495B4E6E7334D3890"),
		LIT("tim b913a602c7eda7a495b4e6e7334d3890 "),
		LIT("t\0m b913a602c7eda7a495b4e6e7334d3890"),
		LIT("\xff b913a602c7eda7a495b4e6e7334d3890"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sasl_server *s =
		    sasl_server_new(pair_mechanism("CRAM-MD5"));
		struct buf out;

		buf_init(&out, 2048, true);
		assert_int_equal(sasl_server_step(s, NULL, &out), SASL_MORE);
		assert_int_equal(
		    sasl_server_step(s, &bad[i], &out), SASL_FAILED);
		assert_int_equal(
		    sasl_server_cram_key(s, NULL, NULL), SASL_FAILED);
		buf_free(&out);
		sasl_server_free(s);
	}
}

static void
test_order(void **state)
{
	struct sasl_channel ch = { .host = "pop.example.org" };
	struct slice in = LIT("tim b913a602c7eda7a495b4e6e7334d3890");
	uint8_t key[SASL_CRAM_KEY];
	char first[64];
	struct buf out;

	(void)state;
	assert_int_equal(sasl_cram_key(key, LIT("tanstaaftanstaaf")), E_OK);
	buf_init(&out, 2048, true);
	for (int i = 0; i < 2; i++) {
		struct sasl_server *s =
		    sasl_server_new(pair_mechanism("CRAM-MD5"));

		sasl_server_channel(s, &ch);
		/* S-5034-04: no initial response. */
		if (i == 0) {
			assert_int_equal(
			    sasl_server_step(s, &in, &out), SASL_FAILED);
			sasl_server_free(s);
			s = sasl_server_new(pair_mechanism("CRAM-MD5"));
			sasl_server_channel(s, &ch);
		}
		assert_int_equal(
		    sasl_server_cram_key(s, NULL, NULL), SASL_FAILED);
		assert_int_equal(sasl_server_step(s, NULL, &out), SASL_MORE);
		/* Fresh each time, and a message-id. */
		assert_int_equal(out.len, 1 + SASL_NONCE + 1 + 15 + 1);
		assert_memory_equal(
		    buf_data(&out) + 1 + SASL_NONCE, "@pop.example.org>", 17);
		if (i == 1)
			assert_memory_not_equal(buf_data(&out), first, 25);
		memcpy(first, buf_data(&out), 25);
		buf_consume(&out, out.len);
		assert_int_equal(sasl_server_step(s, &in, &out), SASL_LOOKUP);
		assert_int_equal(
		    sasl_server_cram_key(s, key, NULL), SASL_DENIED);
		assert_int_equal(
		    sasl_server_cram_key(s, key, NULL), SASL_FAILED);
		sasl_server_free(s);
	}
	buf_free(&out);
}

/* Either of two keys is right, as long as the name is known. */
static void
test_two_keys(void **state)
{
	struct slice in = LIT("tim b913a602c7eda7a495b4e6e7334d3890");
	uint8_t right[SASL_CRAM_KEY], wrong[SASL_CRAM_KEY];
	const uint8_t *const v[][2] = { { right, wrong }, { wrong, right },
		{ wrong, wrong }, { NULL, right } };
	struct buf out;

	assert_int_equal(sasl_cram_key(right, LIT("tanstaaftanstaaf")), E_OK);
	assert_int_equal(sasl_cram_key(wrong, LIT("tanstaaftanstaa")), E_OK);
	buf_init(&out, 2048, true);
	for (size_t i = 0; i < 4; i++) {
		struct sasl_server *s =
		    sasl_server_new(pair_mechanism("CRAM-MD5"));

		s->nonce = challenge;
		assert_int_equal(sasl_server_step(s, NULL, &out), SASL_MORE);
		assert_int_equal(sasl_server_step(s, &in, &out), SASL_LOOKUP);
		assert_int_equal(sasl_server_cram_key(s, v[i][0], v[i][1]),
		    i < 2 ? SASL_DONE : SASL_DENIED);
		sasl_server_free(s);
	}
	buf_free(&out);
}

static void
test_challenges(void **state)
{
	/* What is not a message-id is not answered. */
	static const struct slice bad[] = { LIT(""), LIT("<>"), LIT("<a@b"),
		LIT("a@b>"), LIT("<a\0@b>"), LIT("<a\xff@b>"), LIT("<a\n@b>"),
		LIT(" <a@b>") };
	struct sasl_credentials cred = pair_make("CRAM-MD5").cred;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sasl_client *c =
		    sasl_client_new(pair_mechanism("CRAM-MD5"), &cred);
		struct buf out;

		buf_init(&out, 2048, true);
		assert_int_equal(
		    sasl_client_step(c, bad[i], &out), SASL_FAILED);
		assert_int_equal(out.len, 0);
		assert_false(sasl_client_is_verified(c));
		assert_non_null(sasl_client_error(c));
		sasl_client_free(c);
		buf_free(&out);
	}
}

static void
test_apop(void **state)
{
	/* RFC 1939 s7. */
	char hex[SASL_APOP_DIGEST + 1];

	(void)state;
	assert_int_equal(
	    sasl_apop(
		hex, LIT("<1896.697170952@dbc.mtview.ca.us>"), LIT("tanstaaf")),
	    E_OK);
	assert_string_equal(hex, "c4c9334bac560ecc979e58001b3e22fb");
	assert_int_equal(
	    sasl_apop(
		hex, LIT("<1896.697170952@dbc.mtview.ca.us>"), LIT("tanstaag")),
	    E_OK);
	assert_string_not_equal(hex, "c4c9334bac560ecc979e58001b3e22fb");
	/* RFC 6856 s2.2: prepared. */
	assert_int_equal(
	    sasl_apop(hex, LIT("<1896.697170952@dbc.mtview.ca.us>"),
		LIT("tanst\xc2\xad\xc2\xaa\xc2\xaa"
		    "f")),
	    E_OK);
	assert_string_equal(hex, "c4c9334bac560ecc979e58001b3e22fb");
}

static void
test_no_memory(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct pair p = pair_make("CRAM-MD5");

		alloc_fail(n);
		pair_run(&p);
		if (!alloc_failed()) {
			alloc_fail(0);
			assert_true(n > 4);
			assert_true(p.accepted && p.verified);
			break;
		}
		assert_false(p.accepted);
		assert_true(p.server == SASL_NOMEM || p.client == SASL_NOMEM);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stored_key),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_every_octet_changed),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_two_keys),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_apop),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * EXTERNAL and ANONYMOUS: one message, and no secret in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "sasl_pair.h"

static void
test_both_ends(void **state)
{
	/* S-4422-02 */
	(void)state;
	for (int initial = 0; initial < 2; initial++) {
		struct pair p = pair_make("EXTERNAL");

		p.initial = initial;
		pair_run(&p);
		assert_true(p.accepted && p.verified);
		assert_string_equal(p.authzid, "user");
		p.cred.authzid = (struct slice){ 0 };
		pair_run(&p);
		assert_true(p.accepted && p.verified);
		assert_string_equal(p.authzid, "");
		p.cred.authzid = LIT("other");
		pair_run(&p);
		assert_int_equal(p.server, SASL_DENIED);
		p.cred.authzid = LIT("a\0b");
		pair_run(&p);
		assert_int_equal(p.client, SASL_FAILED);
		assert_non_null(strstr(p.error, "name"));
	}
}

static void
test_malformed(void **state)
{
	static const struct slice bad[] = { LIT("\0"), LIT("a\0"), LIT("\xff"),
		LIT("\xed\xa0\x80") };
	struct slice empty = { NULL, 0 }, name = LIT("a");
	struct sasl_server *s;
	struct buf out;

	(void)state;
	buf_init(&out, 64, true);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = sasl_server_new(pair_mechanism("EXTERNAL"));
		assert_int_equal(
		    sasl_server_step(s, &bad[i], &out), SASL_FAILED);
		sasl_server_free(s);
	}
	s = sasl_server_new(pair_mechanism("EXTERNAL"));
	assert_int_equal(sasl_server_step(s, NULL, &out), SASL_MORE);
	assert_int_equal(sasl_server_step(s, NULL, &out), SASL_FAILED);
	assert_int_equal(sasl_server_step(s, &empty, &out), SASL_EXTERNAL);
	assert_int_equal(sasl_server_claim(s)->authzid.n, 0);
	assert_int_equal(sasl_server_step(s, &name, &out), SASL_FAILED);
	sasl_server_free(s);
	buf_free(&out);
}

static void
test_client_says_once(void **state)
{
	struct sasl_credentials cred = { .authzid = LIT("a") };
	struct sasl_client *c =
	    sasl_client_new(pair_mechanism("EXTERNAL"), &cred);
	struct buf out;

	(void)state;
	buf_init(&out, 64, true);
	assert_false(sasl_client_is_verified(c));
	assert_int_equal(sasl_client_step(c, LIT(""), &out), SASL_DONE);
	assert_true(sasl_client_is_verified(c));
	assert_int_equal(sasl_client_step(c, LIT(""), &out), SASL_FAILED);
	assert_false(sasl_client_is_verified(c));
	sasl_client_free(c);
	buf_free(&out);
}

static void
test_anonymous(void **state)
{
	/* S-4505-01 */
	static const struct slice good[] = { LIT(""), LIT("a@b.org"),
		LIT("ol\xc3\xa1") };
	static const struct slice bad[] = { LIT("\0"), LIT("\xff") };
	struct sasl_server *s;
	struct buf out;

	(void)state;
	buf_init(&out, 64, true);
	for (size_t i = 0; i < 3; i++) {
		s = sasl_server_new(pair_mechanism("ANONYMOUS"));
		assert_int_equal(sasl_server_step(s, NULL, &out), SASL_MORE);
		assert_int_equal(
		    sasl_server_step(s, &good[i], &out), SASL_ANYBODY);
		assert_true(slice_eq(
		    sasl_server_claim(s)->authcid, i == 0 ? "" : good[i].p));
		assert_int_equal(
		    sasl_server_step(s, &good[i], &out), SASL_FAILED);
		sasl_server_free(s);
	}
	for (size_t i = 0; i < 2; i++) {
		s = sasl_server_new(pair_mechanism("ANONYMOUS"));
		assert_int_equal(
		    sasl_server_step(s, &bad[i], &out), SASL_FAILED);
		sasl_server_free(s);
	}
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_client_says_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The setting `connection` where no library of a database reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/helper/db_words.h"

/* All of it as "keyword=[value]" and a space; or what comes instead. */
static enum err
all_of(const char *words, char *out, size_t size)
{
	char keyword[DB_WORD_MAX], value[DB_WORD_MAX];
	struct errbuf eb = { "" };
	size_t n = 0;
	enum err e;

	out[0] = '\0';
	while ((e = db_words_next(&words, keyword, value, &eb)) == E_OK)
		n += (size_t)snprintf(
		    out + n, size - n, "%s=[%s] ", keyword, value);
	assert_int_equal(e == E_CONFIG, eb.text[0] != '\0');
	return e;
}

static void
test_good(void **state)
{
	static const char *const v[][2] = {
		{ "", "" },
		{ "  ", "" },
		{ "host=h", "host=[h] " },
		{ " host=h\tport=3306 ", "host=[h] port=[3306] " },
		{ "password=", "password=[] " },
		{ "password='' user=u", "password=[] user=[u] " },
		{ "password='a b' user=u", "password=[a b] user=[u] " },
		{ "password='it\\'s'", "password=[it's] " },
		{ "password=a\\\\b", "password=[a\\b] " },
		{ "password=a=b", "password=[a=b] " },
		{ "password=a\\ b", "password=[a b] " },
	};
	char out[256];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(all_of(v[i][0], out, sizeof(out)), E_NOENT);
		assert_string_equal(out, v[i][1]);
	}
}

static void
test_bad(void **state)
{
	static const char *const v[] = { "host", "=h", "host =h", "a=1 b",
		"password='x", "password='x\\'" };
	char out[256], longer[DB_WORD_MAX + 8];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(all_of(v[i], out, sizeof(out)), E_CONFIG);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "a=", 2);
	longer[2 + DB_WORD_MAX] = '\0';
	assert_int_equal(all_of(longer, out, sizeof(out)), E_CONFIG);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer + DB_WORD_MAX, "=1", 3);
	assert_int_equal(all_of(longer, out, sizeof(out)), E_CONFIG);
}

static void
test_take(void **state)
{
	char host[DB_WORD_MAX] = "usual", user[DB_WORD_MAX] = "";
	const struct db_word known[] = { { "host", host }, { "user", user } };
	struct errbuf eb;

	assert_int_equal(db_words_take("user=me", known, 2, &eb), E_OK);
	assert_string_equal(host, "usual");
	assert_string_equal(user, "me");
	assert_int_equal(db_words_take("a=1", known, 2, &eb), E_CONFIG);
	assert_string_equal(
	    eb.text, "connection: there is no a; there are host and user");
	assert_int_equal(db_words_take("host", known, 2, &eb), E_CONFIG);
}

static void
test_tls(void **state)
{
	static const char *const bad[] = { "", "yes", "verify ", "NO" };
	struct errbuf eb;
	struct db_tls t;

	db_tls_default(&t);
	assert_true(db_tls_is_used(&t));
	assert_int_equal(db_tls_check(&t, "ssl", &eb), E_OK);
	strcpy(t.how, "no");
	assert_false(db_tls_is_used(&t));
	assert_int_equal(db_tls_check(&t, "ssl", &eb), E_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(t.how, bad[i]);
		assert_int_equal(db_tls_check(&t, "ssl", &eb), E_CONFIG);
		assert_string_equal(
		    eb.text, "connection: ssl must be verify or no");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Strict numbers, ASCII case, escaping. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "guard.h"

static struct slice
slice_of(const char *text)
{
	size_t n = strlen(text);

	return (struct slice){ guard_copy(0, text, n), n };
}

/* S-1939-03 */
static void
test_equal(void **state)
{
	(void)state;
	assert_true(slice_eq(slice_of("QUIT"), "QUIT"));
	assert_false(slice_eq(slice_of("quit"), "QUIT"));
	assert_false(slice_eq(slice_of("QUI"), "QUIT"));
	assert_false(slice_eq(slice_of("QUITS"), "QUIT"));
	assert_true(slice_eq(slice_of(""), ""));
	assert_true(slice_caseeq(slice_of("qUiT"), "QUIT"));
	assert_true(slice_caseeq(slice_of("QUIT"), "quit"));
	assert_false(slice_caseeq(slice_of("QUI"), "QUIT"));
	assert_false(slice_caseeq(slice_of("QUITS"), "QUIT"));
	assert_false(slice_caseeq(slice_of("["), "{"));
	assert_false(slice_caseeq(slice_of("@"), "`"));
	assert_false(slice_caseeq((struct slice){ "a\0b", 3 }, "a"));
	assert_true(slice_caseeq(slice_of("\xc4"), "\xc4"));
	assert_false(slice_caseeq(slice_of("\xe4"), "\xc4"));
}

/* S-ENG-10 */
static void
test_numbers(void **state)
{
	static const char *const bad[] = { "", " ", "+1", "-1", "1x", "x1",
		"0x1", "1.0", "1 ", " 1", "18446744073709551616",
		"99999999999999999999", "184467440737095516150" };
	uint64_t v = 7;
	uint32_t u = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(str_to_u64(slice_of(bad[i]), &v));
		assert_false(str_to_u32(slice_of(bad[i]), &u));
	}
	assert_false(str_to_u64((struct slice){ "1\0", 2 }, &v));
	assert_false(str_to_u32(slice_of("4294967296"), &u));
	assert_int_equal(v, 7);
	assert_int_equal(u, 7);
	assert_true(str_to_u32(slice_of("4294967295"), &u));
	assert_int_equal(u, UINT32_MAX);
	assert_true(str_to_u32(slice_of("0000000000000000000000012"), &u));
	assert_int_equal(u, 12);
	assert_true(str_to_u64(slice_of("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
	assert_true(str_to_u64(slice_of("0"), &v));
	assert_true(v == 0);
}

static void
test_digits(void **state)
{
	static const uint64_t some[] = { 0, 9, 10, 4294967296, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		char text[STR_U64_MAX];
		size_t n = str_from_u64(text, some[i]);
		uint64_t v;

		assert_true(str_to_u64((struct slice){ text, n }, &v));
		assert_true(v == some[i]);
		assert_true(text[0] != '0' || n == 1);
	}
}

static void
test_escape(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(
	    str_escape(out, sizeof(out), "a b=\"\\\n\0\xff~", 9),
	    "a\\x20b\\x3d\\x22\\x5c\\x0a\\x00\\xff");
	assert_string_equal(str_escape(out, sizeof(out), "", 0), "");
	assert_string_equal(str_escape(out, 6, "abcdefgh", 8), "ab...");
	for (size_t size = 1; size < 40; size++) {
		char *room = guard_room(1, size);

		str_escape(room, size, "ab\n\ncdefghi\nkl\xff\xff\xff", 17);
		assert_true(strlen(room) < size);
	}
}

static void
expect_quoted(const char *text, const char *shown)
{
	char out[64];

	assert_string_equal(
	    str_quote(out, sizeof(out), text, strlen(text)), shown);
}

/* What is printable in the person's locale; nothing that hides, or turns other
 * words round. */
static void
test_quote(void **state)
{
	char out[16];

	(void)state;
	expect_quoted("a \"=\xc3\xa1\x1b", "a \\x22=\\xc3\\xa1\\x1b");
	assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
	expect_quoted("Usu\xc3\xa1rio \xe6\x97\xa5\xe6\x9c\xac",
	    "Usu\xc3\xa1rio \xe6\x97\xa5\xe6\x9c\xac");
	expect_quoted("\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7");
	expect_quoted("a\x1b[31m\x9b\xc2\x9b", "a\\x1b[31m\\x9b\\xc2\\x9b");
	expect_quoted("\xe2\x80\xae"
		      "a",
	    "\\xe2\\x80\\xae"
	    "a");
	expect_quoted("\xe2\x80\x8b", "\\xe2\\x80\\x8b");
	expect_quoted("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
	expect_quoted("caf\xe9", "caf\\xe9");
	expect_quoted("caf\xc3", "caf\\xc3");
	expect_quoted("\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80");
	/* No character is cut. */
	str_quote_again(out, sizeof(out), "\"\xc3\xa1\\x1b\x1b\"");
	assert_string_equal(out, "\"\xc3\xa1\\x1b\\x1b\"");
	str_quote(out, 8, "abc\xc3\xa1xyz", 8);
	assert_string_equal(out, "abc...");
	str_quote(out, 9, "abc\xc3\xa1xyz", 8);
	assert_string_equal(out, "abc\xc3\xa1xyz");
	for (size_t size = 1; size < 40; size++) {
		char *room = guard_room(1, size);

		str_quote(room, size,
		    "\xc3\xa1\xe6\x97\xa5\n\xf0\x9f\x93\xa7"
		    "abc\xc3",
		    14);
		assert_true(strlen(room) < size);
	}
	setlocale(LC_ALL, "C");
}

/* RFC 3629 s3-4 */
static void
test_utf8(void **state)
{
	static const char *const good[] = { "", "a", "\x7f", "\xc2\x80",
		"\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
		"m\xc3\xbcller" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80",
		"\xc1\xbf", "\xc2", "\xc2g", "\xe0\x80\x80", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xe1\x80", "\xe1\x80g",
		"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xf1\x80\x80", "\xff", "\xfe", "a\xc3" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct slice s = slice_of(good[i]);

		assert_true(str_is_utf8(s.p, s.n));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct slice s = slice_of(bad[i]);

		assert_false(str_is_utf8(s.p, s.n));
	}
}

static void
test_words(void **state)
{
	(void)state;
	assert_true(str_has_word("PLAIN LOGIN", "PLAIN"));
	assert_true(str_has_word("  PLAIN   LOGIN ", "login"));
	assert_false(str_has_word("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"));
	assert_false(str_has_word("PLAINX XPLAIN PLAI", "PLAIN"));
	assert_false(str_has_word("", "PLAIN"));
	assert_false(str_has_word("  ", ""));
}

static void
test_shell_word(void **state)
{
	char out[STR_SHELL_WORD(8)];

	(void)state;
	assert_string_equal(
	    str_shell_word(out, sizeof(out), "a-b@c.de"), "a-b@c.de");
	assert_string_equal(str_shell_word(out, sizeof(out), ""), "$''");
	assert_string_equal(
	    str_shell_word(out, sizeof(out), "o'b;\xc3\xa9 \"x"),
	    "$'o\\x27b\\x3b\\xc3\\xa9\\x20\\x22x'");
}

static void
test_slashes(void **state)
{
	static const char *const table[][2] = {
		{ "", "" },
		{ "/", "/" },
		{ "//", "/" },
		{ "/x", "/x" },
		{ "//x///y//", "/x/y" },
		{ "x//", "x" },
	};
	char path[16];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		strcpy(path, table[i][0]);
		str_squeeze_slashes(path);
		assert_string_equal(path, table[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_shell_word),
		cmocka_unit_test(test_slashes),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

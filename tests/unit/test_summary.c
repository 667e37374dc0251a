/* Date, From and Subject of a header, and how they are shown. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/message/encoded_word.h"
#include "client/message/summary.h"
#include "client/report/columns.h"
#include "guard.h"

static void
assert_word(const char *field, const char *expected)
{
	char *text = encoded_word_decode(
	    guard_copy(0, field, strlen(field)), strlen(field));

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void
words_are_decoded(void **state)
{
	(void)state;
	assert_word("plain", "plain");
	assert_word("", "");
	assert_word("=?utf-8?q?a_b=3D?=", "a b=");
	assert_word("=?UTF-8?B?w6k=?= x", "\xc3\xa9 x");
	assert_word("=?iso-8859-1*pt?Q?=E9?=", "\xc3\xa9");
	/* White space between two of them is none; a fold is one space. */
	assert_word("=?utf-8?q?a?= \r\n =?utf-8?q?b?=", "ab");
	assert_word("a\r\n b", "a b");
	assert_word("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c");
	/* What is none stays as it is. */
	assert_word("=?utf-8?q?a", "=?utf-8?q?a");
	assert_word("=?nonsense?q?a?=", "=?nonsense?q?a?=");
	assert_word("=?utf-8?b?*?=", "=?utf-8?b?*?=");
	assert_word("=?utf-8?x?a?=", "=?utf-8?x?a?=");
	assert_word("=?utf-8?q?=ff?=", "=?utf-8?q?=ff?=");
	assert_word("=?utf-8?q?=4?=", "=4");
	assert_word("=?=?==??", "=?=?==??");
	/* Octets that are no UTF-8 are Latin-1. */
	assert_word("caf\xe9", "caf\xc3\xa9");
	assert_word("caf\xc3\xa9", "caf\xc3\xa9");
}

static struct summary
summary_of(const char *header)
{
	struct summary s = { .from = NULL };

	summary_read(&s, guard_copy(0, header, strlen(header)), strlen(header));
	return s;
}

static void
fields_are_found(void **state)
{
	struct summary s = summary_of(
	    "Received: x\n\tSubject: not this\nsubject:  one\n two \n"
	    "FROM: ana\nSubject: other\n");

	(void)state;
	assert_string_equal(s.subject, "one two");
	assert_string_equal(s.from, "ana");
	assert_int_equal(s.date, 0);
	summary_clear(&s);
	s = summary_of("Subject");
	assert_string_equal(s.subject, "");
	summary_clear(&s);
	s = summary_of("Subject:");
	assert_string_equal(s.subject, "");
	summary_clear(&s);
}

static void
dates_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t date;
	} dates[] = {
		{ "Sun, 22 Nov 2026 12:03:04 -0300", 1795359784 },
		{ "22 Nov 2026 15:03:04 +0000", 1795359784 },
		{ "Sun,22 Nov 2026 15:03:04 GMT (x)", 1795359784 },
		{ "22 Nov 26 15:03:04", 1795359784 },
		{ "22 Nov 2026 15:03 +0000", 1795359780 },
		{ "22 Nov 2026 20:33:04 +0530", 1795359784 },
		{ "1 Jan 1970 00:00:01 +0000", 1 },
		{ "yesterday", 0 },
		{ "32 Nov 2026 15:03:04 +0000", 0 },
		{ "22 Brumaire 2026 15:03:04 +0000", 0 },
		{ "22 Nov 2026", 0 },
		{ "", 0 },
	};
	char header[128];

	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		struct summary s;

		snprintf(header, sizeof(header), "Date: %s", dates[i].text);
		s = summary_of(header);
		assert_int_equal(s.date, dates[i].date);
		summary_clear(&s);
	}
}

static void
what_is_shown_does_nothing_to_the_screen(void **state)
{
	char out[64], small[24];

	(void)state;
	assert_string_equal(columns_safe(out, sizeof(out), "a\x1b[2J\t\x7f"),
	    "a\\x1b[2J\\x09\\x7f");
	assert_string_equal(columns_safe(out, sizeof(out),
				"\xe2\x80\xae"
				"x\xc2\x9b"),
	    "?x?");
	assert_string_equal(
	    columns_safe(out, sizeof(out), "caf\xc3\xa9 \xe6\x97\xa5"),
	    "caf\xc3\xa9 \xe6\x97\xa5");
	assert_string_equal(columns_safe(out, sizeof(out), "\xe6\x97"), "?");
	columns_safe(small, sizeof(small), "0123456789012345678901234567");
	assert_true(strlen(small) < sizeof(small));
}

static void
columns_are_those_of_the_screen(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(columns_of("caf\xc3\xa9"), 4);
	assert_int_equal(columns_of("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_string_equal(columns_cut(out, sizeof(out), "abc", 3), "abc");
	assert_string_equal(columns_cut(out, sizeof(out), "abcd", 3), "ab~");
	assert_string_equal(
	    columns_cut(out, sizeof(out), "\xe6\x97\xa5\xe6\x9c\xac", 3),
	    "\xe6\x97\xa5~");
	assert_string_equal(columns_cut(out, 5, "abcdef", 6), "abc~");
}

/* Nor does it take long. */
static void
what_is_long_is_cut(void **state)
{
	static const char word[] = "=?iso-8859-1?q?x?= ", two[] = "\xc3\xa9";
	char header[32768] = "From: a";
	struct summary s;

	(void)state;
	for (size_t n = strlen(header); n < 20000; n += 2)
		memcpy(header + n, two, sizeof(two));
	strcat(header, "\r\nSubject: ");
	for (size_t n = strlen(header); n < sizeof(header) - 64;
	     n += strlen(word))
		memcpy(header + n, word, sizeof(word));
	s = summary_of(header);
	assert_int_equal(strlen(s.from), 4095);
	assert_string_equal(s.from + 4093, two);
	assert_in_range(strlen(s.subject), 200, 4096);
	summary_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_decoded),
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(dates_are_read),
		cmocka_unit_test(what_is_shown_does_nothing_to_the_screen),
		cmocka_unit_test(what_is_long_is_cut),
		cmocka_unit_test(columns_are_those_of_the_screen),
	};

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

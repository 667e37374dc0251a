/*
 * format() gives what snprintf() gives, in any room.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/format.h"
#include "guard.h"

enum { ROOM = 80 };

static int PRINTF(3, 4) reference(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, size, fmt, ap);
	va_end(ap);
	return n;
}

#define SAME(...) \
	for (size_t size = 1; size < ROOM; size++) { \
		char want[ROOM], *got = guard_room(1, size); \
		int n = reference(want, size, __VA_ARGS__); \
\
		assert_int_equal(format(got, size, __VA_ARGS__), n); \
		assert_string_equal(got, want); \
	}

static void
test_same(void **state)
{
	(void)state;
	SAME("plain");
	SAME("+OK %u messages (%llu octets)", 3u, 27618ull);
	SAME("sid=%u.%llx user=%s tls=%s", 1u, 0xfedcba9876543210ull, "a", "");
	SAME("%c %s%s", 'W', "pop3", " ");
	SAME("%.*s|%.5s|%.0s|%.*s", 3, "abcdef", "abcdefgh", "x", -1, "all");
	SAME("%d %d %d %ld", INT_MIN, -1, INT_MAX, LONG_MIN);
	SAME("%u %lu %zu %x", UINT_MAX, ULONG_MAX, SIZE_MAX, 0u);
	SAME("%llu %lld", 0ull, LLONG_MIN);
	/* Left to vsnprintf(), wherever in the line. */
	SAME("%s %016llx %s", "a", 7ull, "b");
	SAME("%u %5d%%", 1u, 2);
	SAME("%s %.3u", "a", 7u);
	SAME("%.1f %-4s|", 1.25, "ab");
}

/* What is not ended by a NUL is not read beyond its length. */
static void
test_bounded(void **state)
{
	char *p = guard_room(1, 4), out[16];

	(void)state;
	memcpy(p, "abcd", 4);
	assert_int_equal(format(out, sizeof(out), "<%.*s>", 4, p), 6);
	assert_string_equal(out, "<abcd>");
}

static int PRINTF(3, 4) quoted(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_quoted_v(out, size, fmt, ap);
	va_end(ap);
	return n;
}

/* Only what is within the marks of the format changes. */
static void
test_quoted(void **state)
{
	char out[ROOM];

	assert_int_equal(quoted(out, sizeof(out), "a=%s b=\"%s: %.3s\" c=%s",
			     "\"", "no \":\"", "\"\"\"\"", "\"\""),
	    24);
	assert_string_equal(out, "a=\" b=\"no ':': '''\" c=\"\"");
	assert_int_equal(quoted(out, 8, "b=\"%s\"", "\"\"\"\"\"\""), 10);
	assert_string_equal(out, "b=\"''''");
}

static void
test_stamp(void **state)
{
	char out[CLOCK_STAMP];

	(void)state;
	assert_string_equal(clock_stamp(out, 0), "1970-01-01T00:00:00.000Z");
	assert_string_equal(
	    clock_stamp(out, 1763809384123), "2025-11-22T11:03:04.123Z");
	assert_string_equal(
	    clock_stamp(out, 1763809384009), "2025-11-22T11:03:04.009Z");
	assert_string_equal(
	    clock_stamp(out, 1763809385990), "2025-11-22T11:03:05.990Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_stamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

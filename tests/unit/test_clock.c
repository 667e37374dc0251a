#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static void
test_local(void **state)
{
	char out[CLOCK_LOCAL], want[CLOCK_LOCAL];
	time_t hour_ago = (time_t)(clock_unix_ms() / 1000) - 3600;
	struct tm tm;

	assert_int_equal(setenv("TZ", "XYZ-05:45", 1), 0);
	tzset();
	assert_string_equal(
	    clock_local(out, 365 * 24 * 60 * 60), "1971-01-01 05:45");
	assert_non_null(localtime_r(&hour_ago, &tm));
	assert_true(strftime(want, sizeof(want), "%H:%M", &tm) > 0);
	assert_string_equal(clock_local(out, (uint64_t)hour_ago), want);
	/* A clock that was set back. */
	assert_string_equal(clock_local(out, 32503680000), "3000-01-01 05:45");
	/* A year of more digits than there is room, and none at all. */
	assert_true(strlen(clock_local(out, 1ull << 54)) < CLOCK_LOCAL);
	assert_string_equal(clock_local(out, UINT64_MAX / 2), "?");
}

static void
test_stamp(void **state)
{
	char out[CLOCK_STAMP];

	assert_string_equal(
	    clock_stamp(out, 1700000000123), "2023-11-14T22:13:20.123Z");
	assert_string_equal(
	    clock_stamp(out, 1700000001004), "2023-11-14T22:13:21.004Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_stamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Halves of APOP's timestamps: good for two turns, and each digest once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/auth/timestamps.h"

enum { HOUR = TIMESTAMPS_LIFE * 1000 };

static uint64_t now = 1000;

static const char *
stamp(uint64_t half)
{
	static char out[64];

	snprintf(out, sizeof(out), "<%016llx0123456789abcdef@host>",
	    (unsigned long long)half);
	return out;
}

static const uint8_t *
digest(uint64_t n)
{
	static uint8_t out[APOP_DIGEST];

	memcpy(out, &n, sizeof(n));
	return out;
}

static void
test_once(void **state)
{
	struct timestamps *t = timestamps_new(now);
	uint64_t half;

	assert_non_null(t);
	half = timestamps_half(t);
	assert_true(timestamps_use(t, now, stamp(half), digest(7)));
	assert_false(timestamps_use(t, now, stamp(half), digest(7)));
	assert_true(timestamps_use(t, now, stamp(half), digest(8)));
	assert_true(timestamps_use(t, now, stamp(half), digest(0)));
	assert_false(timestamps_use(t, now, stamp(half), digest(0)));
	/* One place, two digests. */
	assert_true(
	    timestamps_use(t, now, stamp(half), digest(7 + (1u << 16))));
	assert_false(
	    timestamps_use(t, now, stamp(half), digest(7 + (1u << 16))));
	assert_false(timestamps_use(t, now, stamp(half), digest(7)));
	timestamps_free(t);
}

static void
test_not_ours(void **state)
{
	struct timestamps *t = timestamps_new(now);
	char cut[20];

	assert_non_null(t);
	assert_false(timestamps_use(t, now, "", digest(1)));
	assert_false(timestamps_use(t, now, "<>", digest(1)));
	assert_false(timestamps_use(t, now, stamp(0), digest(1)));
	assert_false(
	    timestamps_use(t, now, stamp(timestamps_half(t) ^ 1), digest(1)));
	snprintf(cut, sizeof(cut), "%.16s", stamp(timestamps_half(t)));
	assert_false(timestamps_use(t, now, cut, digest(1)));
	assert_false(
	    timestamps_use(t, now, stamp(timestamps_half(t)) + 1, digest(1)));
	timestamps_free(t);
}

static void
test_turns(void **state)
{
	struct timestamps *t = timestamps_new(now);
	uint64_t half;

	assert_non_null(t);
	half = timestamps_half(t);
	assert_true(timestamps_use(t, now, stamp(half), digest(1)));
	timestamps_turn(t, now);
	assert_int_not_equal(timestamps_half(t), half);
	/* Who was greeted before comes now. */
	assert_true(timestamps_use(t, now, stamp(half), digest(2)));
	assert_false(timestamps_use(t, now, stamp(half), digest(1)));
	timestamps_turn(t, now);
	assert_false(timestamps_use(t, now, stamp(half), digest(3)));
	timestamps_free(t);
}

/* It is due long before there is no room; then nothing is taken. */
static void
test_many(void **state)
{
	struct timestamps *t = timestamps_new(now);
	uint64_t half, n = 0;

	assert_non_null(t);
	half = timestamps_half(t);
	while (!timestamps_is_due(t, now))
		assert_true(timestamps_use(t, now, stamp(half), digest(++n)));
	assert_in_range(n, 1000, 100000);
	timestamps_turn(t, now);
	assert_false(timestamps_is_due(t, now));
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(timestamps_use(
		    t, now, stamp(half), digest(UINT64_MAX - i)));
	for (n = 1000;
	     timestamps_use(t, now, stamp(half), digest(UINT64_MAX - n)); n++)
		assert_in_range(n, 1000, 100000);
	assert_false(timestamps_use(t, now, stamp(half), digest(1)));
	assert_true(
	    timestamps_use(t, now, stamp(timestamps_half(t)), digest(1)));
	timestamps_free(t);
}

/* A half is to be changed when it is an hour old, however few have used it; and
 * is good for two, whether or not it was changed. */
static void
test_hours(void **state)
{
	struct timestamps *t = timestamps_new(now);
	uint64_t half;

	assert_non_null(t);
	half = timestamps_half(t);
	now += HOUR - 1;
	assert_false(timestamps_is_due(t, now));
	now++;
	assert_true(timestamps_is_due(t, now));
	timestamps_turn(t, now);
	assert_false(timestamps_is_due(t, now));
	now += HOUR - 1;
	assert_false(timestamps_is_due(t, now));
	assert_true(timestamps_use(t, now, stamp(half), digest(1)));
	now++;
	assert_false(timestamps_use(t, now, stamp(half), digest(2)));
	half = timestamps_half(t);
	assert_true(timestamps_use(t, now, stamp(half), digest(1)));
	now += HOUR;
	assert_false(timestamps_use(t, now, stamp(half), digest(2)));
	timestamps_free(t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Who signed in too early, with a clock of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "server/auth/login_delay.h"

enum { DELAY = 300, SECOND = 1000 };

static struct login_delays *d;
static uint64_t now, anna, bob;
static struct login_mark mark; /* of the last one that counted */

static int
fresh(void **state)
{
	(void)state;
	now = 50;
	if (sodium_init() < 0 || (d = login_delays_new()) == NULL)
		return -1;
	anna = login_delay_who(d, "anna", "");
	bob = login_delay_who(d, "bob", "");
	return 0;
}

static int
done(void **state)
{
	(void)state;
	login_delays_free(d);
	return 0;
}

static bool
may_after(uint64_t who, uint32_t seconds)
{
	return login_delay_count(d, who, seconds, now, &mark) == E_OK;
}

static bool
may(uint64_t who)
{
	return may_after(who, DELAY);
}

/* Brings the period to the point where nobody is let in any more. */
static void
fill(uint64_t who)
{
	while (may(who))
		;
}

static void
test_who(void **state)
{
	(void)state;
	assert_true(anna != bob && anna != 0);
	assert_true(anna == login_delay_who(d, "anna", ""));
	assert_true(anna != login_delay_who(d, "anna", "phone"));
	assert_true(login_delay_who(d, "anna", "phone") !=
		    login_delay_who(d, "phone", "anna"));
}

/* S-2449-10: so many in a period, which begins with the first of them. */
static void
test_period(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t begun = now;

		for (unsigned n = 0; n < LOGIN_DELAY_BURST; n++) {
			assert_int_equal(
			    login_delay_left(d, anna, DELAY, now), 0);
			assert_true(may(anna));
			now += SECOND;
		}
		assert_false(may(anna));
		assert_int_equal(login_delay_left(d, anna, DELAY, now),
		    begun + DELAY * SECOND - now);
		now = begun + DELAY * SECOND - 1;
		assert_false(may(anna));
		assert_int_equal(login_delay_left(d, anna, DELAY, now), 1);
		now++;
	}
	assert_true(may(bob));
}

/* One that is refused makes nobody wait for longer. */
static void
test_refused_does_not_count(void **state)
{
	uint64_t begun = now;

	(void)state;
	fill(anna);
	for (; now < begun + DELAY * SECOND; now += SECOND)
		assert_false(may(anna));
	assert_true(may(anna));
}

/* Two programs that keep what is announced are never refused, whenever the second
 * one comes. */
static void
test_two_programs(void **state)
{
	uint64_t begun = now;

	(void)state;
	for (uint64_t after = 0; after < DELAY * SECOND; after += 7777) {
		for (unsigned i = 0; i < 5; i++) {
			now = begun + (uint64_t)i * DELAY * SECOND;
			assert_true(may(anna));
			now += after;
			assert_true(may(anna));
		}
		begun = now + DELAY * SECOND;
	}
}

/* What was announced holds for who was told, and less is better. */
static void
test_changed(void **state)
{
	(void)state;
	/* To either of two. */
	assert_true(may_after(bob, 600));
	assert_true(may_after(bob, 60));
	now += 60 * SECOND;
	assert_true(may_after(bob, 600));
	assert_true(may_after(anna, 60));
	assert_true(may_after(anna, 600));
	now += 59 * SECOND;
	assert_false(may_after(anna, 600));
	now += SECOND;
	assert_true(may_after(anna, 600));
	assert_true(may_after(anna, 600));
	now += 10 * SECOND;
	assert_false(may_after(anna, 600));
	assert_false(may_after(anna, 11));
	assert_true(may_after(anna, 10));
}

static void
test_taken_back(void **state)
{
	struct login_mark old;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		fill(anna);
		login_delay_take_back(d, mark);
		/* Once only. */
		login_delay_take_back(d, mark);
		assert_true(may(anna));
		assert_false(may(anna));
	}
	/* Of a period that is over it changes nothing. */
	old = mark;
	now += DELAY * SECOND;
	fill(anna);
	login_delay_take_back(d, old);
	login_delay_spare(d, old, now);
	assert_false(may(anna));
	old = (struct login_mark){ 0, 0 };
	login_delay_take_back(d, old);
	login_delay_spare(d, old, now);
	assert_false(may(anna));
}

/* Two within a millisecond are two. */
static void
test_same_moment(void **state)
{
	struct login_mark first;

	(void)state;
	assert_true(may(anna));
	first = mark;
	assert_true(may(anna));
	login_delay_take_back(d, first);
	login_delay_take_back(d, first);
	assert_true(may(anna));
	assert_false(may(anna));
}

/* The first one is not there any more: the period is that of the next. */
static void
test_first_taken_back(void **state)
{
	struct login_mark first;

	(void)state;
	assert_true(may(anna));
	first = mark;
	now += 100 * SECOND;
	assert_true(may(anna));
	login_delay_take_back(d, first);
	now += (DELAY - 1) * SECOND;
	assert_true(may(anna));
	assert_false(may(anna));
	now += SECOND;
	assert_true(may(anna));
}

/* The whole of it: the next one begins a period. */
static void
test_all_taken_back(void **state)
{
	(void)state;
	assert_true(may(anna));
	login_delay_take_back(d, mark);
	now += 100 * SECOND;
	fill(anna);
	now += (DELAY - 1) * SECOND;
	assert_false(may(anna));
	now += SECOND;
	assert_true(may(anna));
}

/* A worker's word is good so many times in an hour. */
static void
test_spared(void **state)
{
	uint64_t begun = now;

	(void)state;
	fill(anna);
	for (unsigned i = 0; i < LOGIN_DELAY_SPARED; i++) {
		login_delay_spare(d, mark, now);
		assert_true(may(anna));
		assert_false(may(anna));
	}
	login_delay_spare(d, mark, now);
	assert_false(may(anna));
	for (now += DELAY * SECOND; now < begun + LOGIN_DELAY_HOUR_MS;
	     now += DELAY * SECOND) {
		fill(anna);
		login_delay_spare(d, mark, now);
		assert_false(may(anna));
	}
	fill(anna);
	login_delay_spare(d, mark, now);
	assert_true(may(anna));
	/* Nobody pays for another. */
	fill(bob);
	login_delay_spare(d, mark, now);
	assert_true(may(bob));
}

/* As many as there is room for are known; of more, those who came last. */
static void
test_flood(void **state)
{
	enum { USERS = 200000 };
	uint64_t i;
	unsigned kept = 0;

	(void)state;
	for (i = 1; i <= USERS; i++)
		fill(i * 0x9e3779b97f4a7c15);
	for (i = 1; i <= USERS; i++)
		kept += login_delay_left(
			    d, i * 0x9e3779b97f4a7c15, DELAY, now) != 0;
	assert_true(kept > USERS * 9 / 10);
	for (now++; i <= 3 * USERS; i++, now++)
		fill(i * 0x9e3779b97f4a7c15);
	for (kept = 0, i = 3 * USERS - 100; i < 3 * USERS; i++)
		kept += login_delay_left(
			    d, i * 0x9e3779b97f4a7c15, DELAY, now) != 0;
	assert_int_equal(kept, 100);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fresh, done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who),
		TEST(test_period),
		TEST(test_refused_does_not_count),
		TEST(test_two_programs),
		TEST(test_changed),
		TEST(test_taken_back),
		TEST(test_same_moment),
		TEST(test_first_taken_back),
		TEST(test_all_taken_back),
		TEST(test_spared),
		TEST(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

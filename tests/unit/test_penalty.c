/*
 * Delays after failures, with a clock of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>

#include "server/auth/penalty.h"

static struct penalty *p;
static uint64_t now;

static uint32_t
guess(const char *address, const char *password)
{
	return penalty_raise(p, penalty_origin(p, address), "anna",
	    (struct slice){ password, strlen(password) }, now);
}

static int
fresh(void **state)
{
	(void)state;
	now = 1000000;
	return sodium_init() < 0 || (p = penalty_new()) == NULL ? -1 : 0;
}

static int
done(void **state)
{
	(void)state;
	penalty_free(p);
	return 0;
}

static void
test_grows(void **state)
{
	static const uint32_t ms[] = { 1000, 2000, 4000, 8000, 15000, 15000,
		15000 };
	char pw[16];

	(void)state;
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		snprintf(pw, sizeof(pw), "guess%zu", i);
		assert_int_equal(guess("192.0.2.1", pw), ms[i]);
	}
	/* Others are not held up. */
	assert_int_equal(guess("192.0.2.2", "x"), 1000);
}

static void
test_same_again(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++, now += 1000)
		assert_int_equal(guess("192.0.2.1", "old password"), 1000);
	assert_int_equal(guess("192.0.2.1", "another"), 2000);
	/* The same password for another user is a guess. */
	assert_int_equal(penalty_raise(p, penalty_origin(p, "192.0.2.1"), "bob",
			     (struct slice){ "another", 7 }, now),
	    4000);
	/* Two devices, each with its own old password. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(guess("192.0.2.1", "another"), 4000);
		assert_int_equal(guess("192.0.2.1", "old password"), 4000);
	}
}

static uint32_t
due(const char *address)
{
	return penalty_due(p, penalty_origin(p, address), now);
}

/* Who has waited for the answer has paid; nobody else owes anything. */
static void
test_due(void **state)
{
	(void)state;
	assert_int_equal(due("192.0.2.1"), 0);
	guess("192.0.2.1", "a");
	assert_int_equal(due("192.0.2.1"), 1000);
	assert_int_equal(due("::ffff:192.0.2.1"), 1000);
	assert_int_equal(due("192.0.2.2"), 0);
	now += 400;
	assert_int_equal(due("192.0.2.1"), 600);
	now += 600;
	assert_int_equal(due("192.0.2.1"), 0);
	/* The same again is no other failure, but costs as much. */
	guess("192.0.2.1", "a");
	assert_int_equal(due("192.0.2.1"), 1000);
	guess("192.0.2.1", "b");
	assert_int_equal(due("192.0.2.1"), 2000);
}

/* Each time that there was no room counts. */
static void
test_load(void **state)
{
	uint64_t origin = penalty_origin(p, "192.0.2.1");

	(void)state;
	assert_int_equal(penalty_load(p, origin, now), 1000);
	assert_int_equal(penalty_load(p, origin, now), 2000);
	assert_int_equal(due("192.0.2.1"), 2000);
	assert_int_equal(guess("192.0.2.1", "a"), 4000);
}

static void
test_decays(void **state)
{
	(void)state;
	guess("192.0.2.1", "a");
	guess("192.0.2.1", "b");
	assert_int_equal(guess("192.0.2.1", "c"), 4000);
	now += PENALTY_DECAY_MS - 1;
	assert_int_equal(guess("192.0.2.1", "d"), 8000);
	now += PENALTY_DECAY_MS;
	assert_int_equal(guess("192.0.2.1", "e"), 8000);
	now += 2 * PENALTY_DECAY_MS;
	assert_int_equal(guess("192.0.2.1", "f"), 4000);
	/* What fails again and again does not keep the count up. */
	for (int i = 0; i < 6; i++, now += PENALTY_DECAY_MS / 2)
		guess("192.0.2.1", "f");
	assert_int_equal(guess("192.0.2.1", "f"), 1000);
	now += 100 * (uint64_t)PENALTY_DECAY_MS;
	assert_int_equal(guess("192.0.2.1", "g"), 1000);
}

static void
test_addresses(void **state)
{
	(void)state;
	/* One /64 is one, the next is another. */
	assert_int_equal(guess("2001:db8:0:1::1", "a"), 1000);
	assert_int_equal(guess("2001:db8:0:1:ffff::9", "b"), 2000);
	assert_int_equal(guess("2001:db8:0:2::1", "c"), 1000);
	/* IPv4 in IPv6 is by address. */
	assert_int_equal(guess("192.0.2.9", "a"), 1000);
	assert_int_equal(guess("::ffff:192.0.2.9", "b"), 2000);
	assert_int_equal(guess("::ffff:192.0.2.10", "c"), 1000);
	/* A scope does not matter. */
	assert_int_equal(guess("fe80::1%eth0", "a"), 1000);
	assert_int_equal(guess("fe80::1%eth1", "b"), 2000);
	/* What is no address counts as it stands. */
	assert_int_equal(guess("", "a"), 1000);
	assert_int_equal(guess("", "b"), 2000);
	assert_int_equal(guess("somewhere", "c"), 1000);
}

static void
test_flood(void **state)
{
	char address[32];
	unsigned kept = 0;

	(void)state;
	/* Many more than fit: memory is bounded, the newest are known. */
	for (unsigned i = 0; i < 100000; i++, now++) {
		snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16,
		    i >> 8 & 255, i & 255);
		guess(address, "a");
	}
	for (unsigned i = 99900; i < 100000; i++) {
		snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16,
		    i >> 8 & 255, i & 255);
		kept += guess(address, "b") == 2000;
	}
	assert_true(kept > 95);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_grows, fresh, done),
		cmocka_unit_test_setup_teardown(test_same_again, fresh, done),
		cmocka_unit_test_setup_teardown(test_due, fresh, done),
		cmocka_unit_test_setup_teardown(test_load, fresh, done),
		cmocka_unit_test_setup_teardown(test_decays, fresh, done),
		cmocka_unit_test_setup_teardown(test_addresses, fresh, done),
		cmocka_unit_test_setup_teardown(test_flood, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

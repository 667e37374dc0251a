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

static struct penalty_ms
guess_for(const char *user, const char *address, const char *password)
{
	struct suspect who = penalty_suspect(p, address, user);

	return penalty_raise(
	    p, &who, (struct slice){ password, strlen(password) }, now);
}

/* What it costs the address. */
static uint32_t
guess(const char *address, const char *password)
{
	return guess_for("anna", address, password).address;
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
	assert_int_equal(
	    guess_for("bob", "192.0.2.1", "another").address, 4000);
	/* Two devices, each with its own old password. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(guess("192.0.2.1", "another"), 4000);
		assert_int_equal(guess("192.0.2.1", "old password"), 4000);
	}
}

static uint32_t
due(const char *address)
{
	struct suspect who = penalty_suspect(p, address, "");

	return penalty_due(p, &who, now).address;
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
	struct suspect who = penalty_suspect(p, "192.0.2.1", "anna");

	(void)state;
	assert_int_equal(penalty_load(p, &who, now).address, 1000);
	assert_int_equal(penalty_load(p, &who, now).address, 2000);
	assert_int_equal(penalty_due(p, &who, now).user, 0);
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

static uint32_t
due_for(const char *user, const char *address)
{
	struct suspect who = penalty_suspect(p, address, user);

	return penalty_due(p, &who, now).user;
}

/* Whoever has a whole network fails as one for a user, not for the others. */
static void
test_network(void **state)
{
	static const uint32_t ms[] = { 1000, 2000, 4000, 8000, 15000, 15000 };
	char address[48], pw[16];

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		snprintf(pw, sizeof(pw), "guess%u", i);
		snprintf(address, sizeof(address), "192.0.2.%u", i);
		assert_int_equal(guess_for("anna", address, pw).user, ms[i]);
		snprintf(address, sizeof(address), "2001:db8:1:%u::1", i);
		assert_int_equal(guess_for("zoe", address, pw).user, ms[i]);
	}
	assert_int_equal(due_for("anna", "192.0.2.200"), 15000);
	assert_int_equal(due_for("zoe", "2001:db8:1:ffff::1"), 15000);
	assert_int_equal(due_for("bob", "192.0.2.200"), 0);
	assert_int_equal(due("192.0.2.200"), 0);
	/* Their neighbours are another network. */
	assert_int_equal(due_for("anna", "192.0.3.1"), PENALTY_USER_MAX_MS);
	assert_int_equal(due_for("zoe", "2001:db8:2::1"), PENALTY_USER_MAX_MS);
}

/* Wherever they come from, all of them hold a user up by two seconds at most. */
static void
test_user(void **state)
{
	static const uint32_t ms[] = { 500, 1000, 2000, 2000 };
	char address[32], pw[16];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(pw, sizeof(pw), "guess%u", i);
		snprintf(address, sizeof(address), "10.%u.1.1", i);
		guess_for("anna", address, pw);
		assert_int_equal(
		    due_for("anna", "192.0.2.1"), ms[i < 3 ? i : 3]);
	}
	assert_int_equal(due_for("bob", "192.0.2.1"), 0);
	now += 3 * (uint64_t)PENALTY_DECAY_MS;
	guess_for("anna", "10.250.1.1", "x");
	assert_int_equal(due_for("anna", "192.0.2.1"), 2000);
	now += 9 * (uint64_t)PENALTY_DECAY_MS;
	guess_for("anna", "10.251.1.1", "y");
	assert_int_equal(due_for("anna", "192.0.2.1"), 500);
}

/* One old password of a user is one failure, wherever it is tried; the addresses
 * pay each for itself. */
static void
test_one_password(void **state)
{
	char address[32];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(address, sizeof(address), "10.%u.1.1", i);
		assert_int_equal(guess(address, "old"), 1000);
		assert_int_equal(due_for("anna", "192.0.2.1"), 500);
	}
	guess("10.1.1.1", "another");
	assert_int_equal(due_for("anna", "192.0.2.1"), 1000);
}

/* Where nobody was named, nobody is held up but the address. */
static void
test_nobody(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(
		    guess_for("", "192.0.2.1", i & 1 ? "a" : "b").user, 0);
	assert_int_equal(due("192.0.2.1"), 2000);
	assert_int_equal(due_for("", "192.0.2.1"), 0);
	assert_int_equal(due_for("anna", "192.0.2.1"), 0);
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
		cmocka_unit_test_setup_teardown(test_network, fresh, done),
		cmocka_unit_test_setup_teardown(test_user, fresh, done),
		cmocka_unit_test_setup_teardown(test_one_password, fresh, done),
		cmocka_unit_test_setup_teardown(test_nobody, fresh, done),
		cmocka_unit_test_setup_teardown(test_flood, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What a failure costs its address, its user and its network, and whom not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "auth_rig.h"
#include "base/clock.h"
#include "server/auth/penalty.h"

static void
test_penalty(void **state)
{
	uint64_t t = clock_ms();
	int store;

	(void)state;
	pass(1, "anna", "x");
	answer_unchanged();
	/* Nobody else waits. */
	pass_from(1, 1, "192.0.2.2", "same", "secret");
	opened(1, &store);
	assert_true(clock_ms() - t < 500);
	refused(1, SIGN_IN_CREDENTIALS, "password");
	assert_in_range(clock_ms() - t, 950, 1900);

	t = clock_ms();
	pass(3, "anna", "y");
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "password");
	assert_in_range(clock_ms() - t, 1950, 3500);
	/* Who leaves before the answer has failed all the same, and what they
	 * did not wait for is waited for now. */
	pass_from(0, 4, "203.0.113.3", "same", "z");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 4);
	t = clock_ms();
	pass_from(0, 5, "203.0.113.3", "same", "zz");
	answer_unchanged();
	assert_in_range(clock_ms() - t, 900, 2900);
	refused(5, SIGN_IN_CREDENTIALS, "password");
	assert_in_range(clock_ms() - t, 2900, 5500);
}

/* The parent is asked what a wrong password may mean, a store is given who has the
 * right one. */
static bool
is_looked_at(void)
{
	return skip_served(rig.ctl_fd, 1) || skip_served(rig.store_fd[0], 0) ||
	       skip_served(rig.store_fd[1], 0);
}

/* Whoever does not wait for answers is given no more of them, be it the right
 * password or another one. */
static void
test_giving_up_buys_no_guess(void **state)
{
	uint64_t t = clock_ms();
	char guess[16];

	(void)state;
	pass(1, "anna", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 1);
	for (uint64_t i = 2; !is_looked_at(); i++) {
		assert_true(clock_ms() - t < 20000);
		snprintf(guess, sizeof(guess), "guess %d", (int)i);
		pass(i, i & 1 ? "anna" : "bob@b.org",
		    i % 3 == 0 ? "secret" : guess);
		usleep(1000);
		about(0, IPC_SIGN_IN_END, i);
	}
	assert_true(clock_ms() - t >= 1000);
	assert_int_equal(count_logged("ev=login-failed"), 1);
}

/* Guesses on many connections at once: one is looked at, and the next when that has
 * been paid for.  Who came from there lately goes on meanwhile. */
static void
test_a_burst_is_one_guess_at_a_time(void **state)
{
	uint64_t begun, due = 0;
	char guess[16];

	(void)state;
	replace_users("anna:{PLAIN}secret\nsame:{PLAIN}secret\n");
	send_users(rig.users);
	succeeds(1, "anna", "secret");
	begun = clock_ms();
	for (uint64_t i = 10; i < 40; i++) {
		snprintf(guess, sizeof(guess), "guess %d", (int)i);
		pass(i, i & 1 ? "same" : "nobody", guess);
	}
	for (unsigned n = 1; n <= 3; n++) {
		expect_one_guess(begun, n, due);
		due += 500u << n;
		succeeds(100 + n, "anna", "secret");
	}
}

/* Those that wait for a thread when the first one fails lose their turn; one that
 * is right holds up nobody, however long its store takes. */
static void
test_a_costly_burst(void **state)
{
	uint64_t begun = clock_ms();
	int store;

	(void)state;
	replace_users("bob@b.org:" CHEAP "\n");
	send_users(rig.users);
	hold_hashes();
	pass(1, "bob@b.org", "guess");
	pass(2, "bob@b.org", "guess 2");
	usleep(QUIET * 1000);
	let_hashes_go();
	expect_one_guess(begun, 1, 0);
	pass(3, "bob@b.org", "secret");
	expect_one_guess(begun, 2, 950);
	opened(3, &store);
}

/* A mail program behind an address from where others fail does not wait, if it
 * signed in from there lately; but only its own password is looked at for
 * that, and only until a wrong one comes. */
static void
test_who_came_lately_does_not_wait(void **state)
{
	int store;

	(void)state;
	succeeds(1, "anna", "secret");
	pass(2, "nobody", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 2);
	for (uint64_t i = 3; i < 10; i++)
		succeeds(i, "anna", "secret");
	pass_from(1, 10, "192.0.2.2", "nobody", "x");
	answer_unchanged();
	about(1, IPC_SIGN_IN_END, 10);
	pass_from(1, 11, "192.0.2.2", "anna", "secret"); /* not from there */
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
	opened(11, &store);
	pass(12, "nobody", "y");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 12);
	pass(13, "anna", "guess");
	about(0, IPC_SIGN_IN_END, 13);
	pass(14, "anna", "secret");
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
	opened(14, &store);
}

/* Others try a user's name from five networks: where the user has signed in
 * before nothing of it is felt, even after a slip, elsewhere two seconds at
 * most, and by other users nothing anywhere. */
static void
test_a_user_is_held_up_little(void **state)
{
	char peer[32], guess[16];
	uint64_t t;
	int store;

	(void)state;
	succeeds(1, "anna", "secret");
	pass(2, "anna", "slip");
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	pass_from(1, 10, "198.51.0.1", "anna", "guess");
	await_check();
	for (uint64_t i = 1; i < 5; i++) {
		snprintf(peer, sizeof(peer), "198.51.%d.1", (int)i);
		snprintf(guess, sizeof(guess), "guess %d", (int)i);
		pass_from(1, 10 + i, peer, "anna", guess);
	}
	usleep(QUIET * 1000);
	send_users(NULL);
	answer_unchanged();
	t = clock_ms();
	pass_from(0, 3, "192.0.2.9", "anna", "secret"); /* not from there */
	succeeds(4, "anna", "secret");
	pass_from(0, 5, "192.0.2.9", "same", "secret");
	opened(5, &store);
	assert_true(clock_ms() - t < 900);
	opened(3, &store);
	assert_in_range(clock_ms() - t, 1000, PENALTY_USER_MAX_MS + 900);
}

/* Costly hashes wait in the queue of one.  The crowd is refused, and that costs
 * it time: the refusals are held, and so is what comes next from there.  Others
 * come before those that wait.  All of it is one line. */
static void
test_crowd(void **state)
{
	char peer[16];
	uint64_t t = clock_ms();
	int store;

	(void)state;
	replace_users("c:" CHEAP "\nd:" CHEAP "\na:{PLAIN}secret\n");
	send_users(rig.users);
	hold_hashes();
	for (unsigned i = 1; i <= 40; i++) {
		snprintf(peer, sizeof(peer), "192.0.2.%u", i);
		pass_from(0, i, peer, "c", "wrong");
	}
	pass_from(0, 50, peer, "a", "secret");
	refused(3, SIGN_IN_TEMPORARY, "hash-queue");
	assert_true(clock_ms() - t >= 1000);
	opened(50, &store);
	assert_true(clock_ms() - t >= 1000);
	pass_from(1, 1, "198.51.100.1", "d", "secret");
	pass_from(1, 2, "198.51.100.2", "a", "secret");
	opened(2, &store);
	let_hashes_go();
	opened(1, &store);
	assert_int_equal(count_logged("why=hash-queue"), 1);
}

/* A wrong password that costs nothing to verify takes its place among those
 * that do; a right one does not. */
static void
test_cheap_takes_as_long(void **state)
{
	int store;

	(void)state;
	replace_users("c:" CHEAP "\na:{PLAIN}secret\n");
	send_users(rig.users);
	hold_hashes();
	pass(1, "c", "secret");
	pass(2, "a", "wrong");
	pass(3, "a", "wrong");
	refused(3, SIGN_IN_TEMPORARY, "hash-queue");
	succeeds(4, "a", "secret");
	let_hashes_go();
	opened(1, &store);
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
}

/* While it is asked whether a changed users file is current one is looked at; when
 * that is known the others do not wait for its verdict, as nobody has failed. */
static void
test_a_changed_file_makes_no_queue(void **state)
{
	static const char text[] = "anna:{PLAIN}secret\nbob@b.org:" CHEAP "\n";
	int store;

	(void)state;
	replace_users(text);
	send_users(rig.users);
	replace_users(text);
	hold_hashes();
	pass(1, "bob@b.org", "secret");
	await_check();
	pass(2, "anna", "secret");
	pass(3, "bob@b.org", "secret");
	usleep(QUIET * 1000);
	send_users(rig.users);
	opened(2, &store);
	assert_silent(rig.store_fd[0], 0);
	let_hashes_go();
	opened(1, &store);
	opened(3, &store);
}

/* What no users file is needed for to refuse it is refused in its turn as well:
 * else it would have all that wait begin anew, as often as somebody likes. */
static void
test_what_makes_no_sense_has_its_turn(void **state)
{
	char password[PASSWORD_MAX + 2] = "";
	int store;

	(void)state;
	pass(1, "nobody", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 1);
	memset(password, 'x', sizeof(password) - 1);
	for (uint64_t i = 2; i < 20; i++)
		pass(i, i & 1 ? "" : "nobody", i & 1 ? "x" : password);
	assert_int_equal(count_logged("ev=login-failed"), 1);
	for (uint64_t i = 2; i < 20; i++)
		about(0, IPC_SIGN_IN_END, i);
	pass(20, "anna", "secret");
	opened(20, &store);
}

/* Nothing is hashed for who left before, and nobody waits for that. */
static void
test_who_left_is_not_hashed(void **state)
{
	(void)state;
	replace_users("bob@b.org:" CHEAP "\n");
	take_computed();
	pass(1, "bob@b.org", "guess");
	await_check();
	about(0, IPC_SIGN_IN_END, 1);
	usleep(QUIET * 1000);
	send_users(rig.users);
	succeeds(2, "bob@b.org", "secret");
	assert_int_equal(take_computed().argon2, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SET_UP(test_penalty, set_up_penalties),
		TEST_SET_UP(test_giving_up_buys_no_guess, set_up_penalties),
		TEST_SET_UP(
		    test_a_burst_is_one_guess_at_a_time, set_up_penalties),
		TEST_SET_UP(test_a_costly_burst, set_up_penalties),
		TEST_SET_UP(
		    test_who_came_lately_does_not_wait, set_up_penalties),
		TEST_SET_UP(test_a_user_is_held_up_little, set_up_penalties),
		TEST_SET_UP(test_crowd, set_up_penalties),
		TEST(test_cheap_takes_as_long),
		TEST_SET_UP(
		    test_a_changed_file_makes_no_queue, set_up_penalties),
		TEST_SET_UP(
		    test_what_makes_no_sense_has_its_turn, set_up_penalties),
		TEST_SET_UP(test_who_left_is_not_hashed, set_up_penalties),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

/*
 * APOP: a timestamp is half auth's, and each digest opens once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "auth_rig.h"

static const char *
stamp(unsigned n)
{
	static char out[64];

	snprintf(out, sizeof(out), "<%016llx%016x@host>",
	    (unsigned long long)rig.half, n);
	return out;
}

static void
test_apop(void **state)
{
	int store;

	(void)state;
	write_users(rig.users, "mrose:{PLAIN}tanstaaf\nbob:" CHEAP "\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], SOON / 10);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	opened(1, &store);
	apop(0, 2, "mrose", stamp(2), "wrong");
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	apop(0, 3, "bob", stamp(3), "secret");
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "password");
	apop(0, 4, "nobody", stamp(4), "tanstaaf");
	answer_unchanged();
	refused(4, SIGN_IN_CREDENTIALS, "unknown-user");
	/* Its timestamp could be tried again after that. */
	apop(0, 2, "mrose", stamp(2), "tanstaaf");
	opened(2, &store);
}

/* Who signed in from an address does not wait for others' failures there, as by
 * any mechanism that does not send the password. */
static void
test_apop_does_not_wait_for_others(void **state)
{
	int store;

	(void)state;
	skip_served(rig.pop3_fd[0], SOON / 10);
	apop(0, 1, "anna", stamp(1), "secret");
	opened(1, &store);
	pass(2, "nobody", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 2);
	pass_from(1, 10, "192.0.2.1", "same", "secret");
	for (unsigned i = 3; i < 6; i++) {
		apop(0, i, "anna", stamp(i), "secret");
		opened(i, &store);
	}
	opened(10, &store);
	/* It is for one try. */
	apop(0, 6, "anna", stamp(6), "guess");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 6);
	apop(0, 7, "anna", stamp(7), "secret");
	assert_silent(rig.store_fd[0], QUIET);
	assert_silent(rig.store_fd[1], 0);
	opened(7, &store);
}

/* Whoever has broken into a worker cannot use a digest that it has seen, nor one
 * for a timestamp that it has chosen. */
static void
test_apop_again(void **state)
{
	int store;

	(void)state;
	write_users(rig.users, "mrose:{PLAIN}tanstaaf\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], SOON / 10);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	opened(1, &store);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	refused(1, SIGN_IN_TEMPORARY, "timestamp");
	apop(0, 2, "mrose", stamp(1), "tanstaaf");
	refused(2, SIGN_IN_TEMPORARY, "timestamp");
	/* RFC 1939 s7 */
	apop(0, 3, "mrose", "<1896.697170952@dbc.mtview.ca.us>", "tanstaaf");
	refused(3, SIGN_IN_TEMPORARY, "timestamp");
	apop(0, 4, "mrose", "", "tanstaaf");
	refused(4, SIGN_IN_TEMPORARY, "timestamp");
	apop(0, 5, "mrose", stamp(5), "tanstaaf");
	opened(5, &store);
}

/* Who has remembered many digests forgets them with their half, and all workers
 * have another one. */
static void
test_apop_turns(void **state)
{
	uint64_t half, sid = 0;
	int store;

	(void)state;
	write_users(rig.users, "mrose:{PLAIN}tanstaaf\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], SOON / 10);
	skip_served(rig.pop3_fd[1], 0);
	half = rig.half;
	do {
		assert_in_range(++sid, 1, 100000);
		apop(0, sid, "mrose", stamp((unsigned)sid), "tanstaaf");
		opened(sid, &store);
		skip_served(rig.pop3_fd[0], 0);
	} while (rig.half == half);
	apop(0, 1, "mrose", stamp(1), "tanstaaf");
	opened(1, &store);
	half = rig.half;
	rig.half = 0;
	skip_served(rig.pop3_fd[1], SOON / 10);
	assert_int_equal(rig.half, half);
}

/* The one try is over when it is found to be wrong, not only when the users file is
 * known to be current: until then others could follow. */
static void
test_one_try_at_a_time(void **state)
{
	(void)state;
	skip_served(rig.pop3_fd[0], SOON / 10);
	apop(0, 1, "anna", stamp(1), "secret");
	opened(1, &(int){ 0 });
	pass(2, "nobody", "x");
	answer_unchanged();
	about(0, IPC_SIGN_IN_END, 2);
	apop(0, 3, "anna", stamp(3), "guess");
	await_check();
	apop(0, 4, "anna", stamp(4), "guess 2");
	usleep(QUIET * 1000);
	send_users(NULL);
	assert_silent(rig.ctl_fd, QUIET);
	assert_int_equal(count_logged("ev=login-failed"), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apop),
		TEST_SET_UP(
		    test_apop_does_not_wait_for_others, set_up_penalties),
		TEST(test_apop_again),
		TEST(test_apop_turns),
		TEST_SET_UP(test_one_try_at_a_time, set_up_penalties),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

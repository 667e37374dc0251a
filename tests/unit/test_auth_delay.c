/*
 * LOGIN-DELAY: who is refused, what is told of it, and what does not count.
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
#include "server/auth/login_delay.h"

enum { DELAY = 600 };

static void
start_with(const char *separator, const char *users)
{
	struct auth_conf conf = usual();

	conf.login_delay = DELAY;
	strcpy(conf.master_separator, separator);
	start(&conf);
	replace_users(users);
	send_users(rig.users);
}

static int
set_up_delay(void **state)
{
	(void)state;
	start_with("", "anna:{PLAIN}secret\nbob:{PLAIN}secret\n");
	return 0;
}

static int
set_up_delay_masters(void **state)
{
	(void)state;
	start_with("*", "anna:{PLAIN}secret\n"
			"boss:{PLAIN}secret::::::malote_master=yes\n");
	return 0;
}

static struct login_mark last; /* of the last one that was let in */

/* Returns the store that has it. */
static int
enters(uint64_t sid, const char *name)
{
	struct opened o;
	int store;

	pass(sid, name, "secret");
	o = opened(sid, &store);
	assert_int_equal(o.login_delay, DELAY);
	assert_true(o.counted.who != 0);
	last = o.counted;
	return store;
}

static void
is_refused(uint64_t sid, const char *name)
{
	pass(sid, name, "secret");
	refused(sid, SIGN_IN_SOON, "login-delay");
	assert_in_range(rig.seconds, DELAY - 30, DELAY);
}

/* Two, then none. */
static void
fill(uint64_t sid, const char *name)
{
	enters(sid, name);
	enters(sid + 1, name);
	is_refused(sid + 2, name);
}

static void
unopened(int store, struct login_mark counted)
{
	struct ipc_chan *c = ipc_open(
	    rig.loop, dup(rig.store_fd[store]), &no_rules, NULL, false);

	ipc_begin(c, IPC_UNOPENED);
	ipc_put_login_mark(c, counted);
	sent_before_others(c);
	ipc_close(c);
}

/* S-2449-10, S-2449-14: whatever the method, the address and the process; who has
 * not the password does not learn of it. */
static void
test_refused(void **state)
{
	(void)state;
	skip_served(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.login_delay, DELAY);
	assert_false(rig.login_delay_differs);
	fill(1, "anna");
	pass_from(1, 4, "2001:db8::1", "ANNA", "secret");
	refused_at(1, 4, SIGN_IN_SOON, "login-delay");
	sasl(5, "PLAIN", "\0anna\0secret", 12);
	refused(5, SIGN_IN_SOON, "login-delay");
	pass(7, "anna", "wrong");
	answer_unchanged();
	refused(7, SIGN_IN_CREDENTIALS, "password");
	assert_int_equal(rig.seconds, 0);
	enters(8, "bob");
}

/* What is not on costs nothing, and is not announced. */
static void
test_off(void **state)
{
	int store;

	(void)state;
	skip_served(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.login_delay, 0);
	assert_false(rig.login_delay_differs);
	for (uint64_t sid = 1; sid < 20; sid++) {
		pass(sid, "anna", "secret");
		assert_int_equal(opened(sid, &store).login_delay, 0);
	}
}

/* S-2449-10: the most is announced before sign-in, and that there is less. */
static void
test_of_users(void **state)
{
	int store;

	(void)state;
	replace_users("anna:{PLAIN}secret::::::malote_login_delay=900\n"
		      "bob:{PLAIN}secret::::::malote_login_delay=0\n"
		      "carl:{PLAIN}secret\n"
		      "bad:{PLAIN}secret::::::malote_login_delay=999999\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.login_delay, 900);
	assert_true(rig.login_delay_differs);
	/* Less for one of them. */
	replace_users("anna:{PLAIN}secret::::::malote_login_delay=700\n"
		      "bob:{PLAIN}secret::::::malote_login_delay=0\n"
		      "carl:{PLAIN}secret\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.login_delay, 700);
	assert_true(rig.login_delay_differs);
	pass(1, "anna", "secret");
	assert_int_equal(opened(1, &store).login_delay, 700);
	for (uint64_t sid = 2; sid < 9; sid++) {
		pass(sid, "bob", "secret");
		assert_int_equal(opened(sid, &store).login_delay, 0);
	}
	fill(10, "carl");
	/* As the line is now; nobody waits for longer than they were told. */
	replace_users("carl:{PLAIN}secret::::::malote_login_delay=900\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.login_delay, 900);
	assert_false(rig.login_delay_differs);
	is_refused(13, "carl");
	replace_users("carl:{PLAIN}secret::::::malote_login_delay=0\n");
	send_users(rig.users);
	skip_served(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.login_delay, 0);
	pass(14, "carl", "secret");
	opened(14, &store);
}

/* Each app password is a program of its own. */
static void
test_app_passwords(void **state)
{
	int store;

	(void)state;
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	fill(1, "anna");
	for (uint64_t sid = 4; sid < 6; sid++) {
		pass(sid, "anna", PHONE);
		assert_int_equal(opened(sid, &store).login_delay, DELAY);
	}
	pass(6, "anna", PHONE);
	refused(6, SIGN_IN_SOON, "login-delay");
	is_refused(7, "anna");
}

/* A master who reads somebody's mail neither waits nor makes wait. */
static void
test_masters(void **state)
{
	int store;

	(void)state;
	skip_served(rig.pop3_fd[0], QUIET);
	assert_true(rig.login_delay_differs);
	for (uint64_t sid = 1; sid < 6; sid++) {
		pass(sid, "anna*boss", "secret");
		assert_int_equal(opened(sid, &store).login_delay, 0);
	}
	fill(10, "anna");
	fill(20, "boss");
	pass(30, "anna*boss", "secret");
	opened(30, &store);
	/* Nobody is a master of themselves. */
	pass(31, "boss*boss", "secret");
	refused(31, SIGN_IN_SOON, "login-delay");
}

/* S-2449-15: a store that could not open it says so, as often as it is so; a client
 * that is gone by then makes no difference, and another sign-in, too, of the same
 * session.  It can say so of no sign-in but those that it has. */
static void
test_not_opened(void **state)
{
	struct login_mark first, other;
	uint64_t sid;
	int store;

	(void)state;
	enters(1, "anna");
	first = last;
	for (sid = 2; sid < 12; sid++) {
		store = enters(sid, "anna");
		if (sid % 2 != 0)
			about(0, IPC_SIGN_IN_END, sid % 3 == 0 ? sid : 99);
		unopened(store, last);
		unopened(store, last);
	}
	store = enters(sid, "anna");
	other = last;
	other.who++;
	unopened(store, other);
	other = last;
	other.at_ms++;
	unopened(store, other);
	is_refused(sid + 1, "anna");
	unopened(store, last);
	enters(sid + 1, "anna");
	unopened(store, first);
	enters(sid + 1, "anna");
	is_refused(sid + 2, "anna");
}

/* M-30: who does not even get to a store has not signed in, however often; nor have
 * those who come at the same time. */
static void
test_no_store(void **state)
{
	uint64_t sid;

	(void)state;
	replace_users("own:{PLAIN}secret:1000:1001::::"
		      "userdb_mail=maildir:/srv/mail/own\n");
	send_users(rig.users);
	for (sid = 1; sid < 12; sid++) {
		pass(sid, "own", "secret");
		expect_wanted(1000, 1001);
		if (sid % 2 != 0)
			about(0, IPC_SIGN_IN_END, sid);
		usleep(QUIET * 1000);
		no_store(1000, 1001);
		if (sid % 2 == 0)
			refused(sid, SIGN_IN_TEMPORARY, "no-store");
		usleep(QUIET * 1000);
	}
	pass(sid, "own", "secret");
	expect_wanted(1000, 1001);
	pass(sid + 1, "own", "secret");
	pass(sid + 2, "own", "secret");
	refused(sid + 2, SIGN_IN_SOON, "login-delay");
	no_store(1000, 1001);
	refused(sid, SIGN_IN_TEMPORARY, "no-store");
	refused(sid + 1, SIGN_IN_TEMPORARY, "no-store");
}

/* A worker may say so of its own, a few times in an hour; each is forgiven once. */
static void
test_in_vain(void **state)
{
	uint64_t sid = 2;

	(void)state;
	enters(1, "anna");
	for (unsigned i = 0; i < LOGIN_DELAY_SPARED; i++, sid++) {
		enters(sid, "anna");
		about(0, IPC_SIGN_IN_END, sid);
		about(0, IPC_SIGN_IN_END, sid);
	}
	enters(sid, "anna");
	about(0, IPC_SIGN_IN_END, sid);
	about(1, IPC_SIGN_IN_END, sid);
	is_refused(sid + 1, "anna");
}

/* What was said of the session before may come later than who signs in again. */
static void
test_word_on_its_way(void **state)
{
	int store;

	(void)state;
	enters(1, "anna");
	enters(2, "anna");
	pass(3, "anna", "secret");
	usleep(QUIET * 1000);
	about(0, IPC_SIGN_IN_END, 2);
	assert_int_equal(opened(3, &store).login_delay, DELAY);
	/* And whose client goes meanwhile is nobody's. */
	pass(4, "anna", "secret");
	usleep(QUIET * 1000);
	about(0, IPC_SIGN_IN_END, 4);
	assert_silent(rig.pop3_fd[0], 400);
	is_refused(5, "anna");
}

/* The worker and its sessions are no more. */
static void
test_worker_died(void **state)
{
	int store;

	(void)state;
	pass_from(1, 1, "192.0.2.1", "anna", "secret");
	opened(1, &store);
	fill(2, "bob");
	enters(6, "anna");
	is_refused(7, "anna");
	ipc_close(rig.pop3[1]);
	rig.pop3[1] = NULL;
	usleep(QUIET * 1000);
	enters(8, "anna");
	is_refused(9, "anna");
	is_refused(10, "bob");
}

/* So are those that a store had. */
static void
test_store_died(void **state)
{
	int store = enters(1, "anna");

	(void)state;
	enters(2, "anna");
	is_refused(3, "anna");
	close(rig.store_fd[store]);
	rig.store_fd[store] = attach(ROLE_STORE, (uint16_t)store);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	refused(2, SIGN_IN_TEMPORARY, NULL);
	enters(4, "anna");
	enters(5, "anna");
	is_refused(6, "anna");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SET_UP(test_refused, set_up_delay),
		TEST(test_off),
		TEST_SET_UP(test_of_users, set_up_delay),
		TEST_SET_UP(test_app_passwords, set_up_delay),
		TEST_SET_UP(test_masters, set_up_delay_masters),
		TEST_SET_UP(test_not_opened, set_up_delay),
		TEST_SET_UP(test_no_store, set_up_delay),
		TEST_SET_UP(test_in_vain, set_up_delay),
		TEST_SET_UP(test_word_on_its_way, set_up_delay),
		TEST_SET_UP(test_worker_died, set_up_delay),
		TEST_SET_UP(test_store_died, set_up_delay),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

/* The auth process as a whole: passwords, the users file, queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth_rig.h"
#include "base/clock.h"

/* ---- tests ---- */

static void
test_good(void **state)
{
	struct opened o;
	int store, again;

	(void)state;
	pass_from(1, 7, "2001:db8::1", "ANNA", "secret");
	o = opened(7, &store);
	assert_int_equal(o.pop3, 1);
	assert_string_equal(o.user, "anna@d.org");
	assert_string_equal(o.mail, "maildir:/srv/mail/d.org/anna");
	assert_string_equal(o.peer, "2001:db8::1");
	assert_silent(rig.pop3_fd[1], QUIET);
	assert_silent(rig.ctl_fd, 0);
	/* One maildrop is always in the same store. */
	pass(8, "anna@d.org", "secret");
	opened(8, &again);
	assert_int_equal(store, again);
	/* A uid that is mail_uid is nothing of one's own. */
	succeeds(9, "same", "secret");
	assert_null(strstr(log_text(), "login-failed"));
}

static void
test_refused(void **state)
{
	static const struct {
		const char *name, *password, *why;
	} v[] = {
		{ "anna", "Secret", "password" },
		{ "anna", "secret ", "password" },
		{ "anna", "", "password" },
		{ "nobody", "secret", "unknown-user" },
		{ "bob", "secret", "unknown-user" },
		{ "bob@b.org", "wrong", "password" },
		{ "zed", "", "locked" },
		{ "zed", "*", "locked" },
		{ "bad", "secret", "users-line" },
	};
	const char *log;

	(void)state;
	/* S-1939-18: all alike; the file was looked at before. */
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		pass(i, v[i].name, v[i].password);
		answer_unchanged();
		refused(i, SIGN_IN_CREDENTIALS, v[i].why);
	}
	log = log_text();
	assert_non_null(
	    strstr(log, "ev=login-failed sid=0.0 user=anna@d.org ip=192.0.2.1 "
			"method=PASS code=auth why=password\n"));
	assert_null(strstr(log, "Secret"));
}

/* What the worker says of the address counts only where a proxy is at the other end
 * of the connection. */
static int
set_up_without_proxies(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	strcpy(conf.proxies, "192.0.2.0/24");
	start(&conf);
	return 0;
}

static void
test_another_address(void **state)
{
	(void)state;
	pass_from(0, 1, "192.0.2.1", "anna", "wrong");
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "password");
	assert_non_null(strstr(log_text(), "user=anna@d.org ip=127.0.0.1 "));
}

/* Nor does a client that has gone cost a look at its password. */
static void
test_no_connection(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	for (uint64_t sid = 1; sid <= 2; sid++) {
		ipc_begin(rig.pop3[1], IPC_PASS);
		ipc_put_u64(rig.pop3[1], sid);
		ipc_put_u64(rig.pop3[1], sid);
		/* Neither is a channel of ours. */
		ipc_put_fd(
		    rig.pop3[1], sid == 1 ? fd : rig.store_fd[0], FD_STAYS);
		ipc_put_str(rig.pop3[1], "192.0.2.1");
		ipc_put_u8(rig.pop3[1], 0);
		ipc_put_str(rig.pop3[1], "anna");
		ipc_put_str(rig.pop3[1], "secret");
		sent(rig.pop3[1]);
		if (sid == 1)
			refused_at(1, sid, SIGN_IN_TEMPORARY, NULL);
	}
	expect_misbehaved(ROLE_WORKER, 1, rig.pop3_fd[1]);
	close(fd);
}

static void
test_odd_requests(void **state)
{
	char longer[PASSWORD_MAX + 2];
	const char *log;

	(void)state;
	pass(1, "../x", "secret");
	refused(1, SIGN_IN_CREDENTIALS, "bad-name");
	pass(2, "a\nb=\"c\"", "secret");
	refused(2, SIGN_IN_CREDENTIALS, "bad-name");
	memset(longer, 'n', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	pass(3, longer, "secret");
	refused(3, SIGN_IN_CREDENTIALS, "bad-name");
	pass(4, "anna", longer);
	refused(4, SIGN_IN_CREDENTIALS, "bad-password");
	begin_sign_in(0, IPC_PASS, 5, "192.0.2.1");
	ipc_put_str(rig.pop3[0], "anna");
	ipc_put_bytes(rig.pop3[0], "secret\0x", 8); /* M-19 */
	sent(rig.pop3[0]);
	refused(5, SIGN_IN_CREDENTIALS, "bad-password");
	log = log_text();
	assert_non_null(strstr(log, "user=../x "));
	assert_non_null(strstr(log, "user=a\\x0ab\\x3d\\x22c\\x22 "));
	assert_null(strstr(log, "secret"));
}

static void
test_misconfigured(void **state)
{
	(void)state;
	/* S-3206-03: not [AUTH], to who has the password. */
	pass(2, "out", "secret");
	refused(2, SIGN_IN_PERMANENT, "mail-location");
	pass(3, "root", "secret");
	refused(3, SIGN_IN_PERMANENT, "uid-out-of-range");
	pass(4, "low", "secret");
	refused(4, SIGN_IN_PERMANENT, "uid-out-of-range");
	assert_non_null(strstr(log_text(), "error=\"not below mail_root\""));
}

/* A hash that makes no sense: whoever guesses learns of it neither by the words nor
 * by the time, and the log names it. */
static void
test_odd_hash(void **state)
{
	static const char *const odd[] = { "{FOO}x", "{SHA512-CRYPT}abc",
		"{ARGON2ID}$argon2id$v=19$x", "{SSHA}abcd", "{PLAIN.hex}6" };
	char text[256];
	uint64_t sid = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++, sid++) {
		snprintf(text, sizeof(text), "odd:%s\nbob@b.org:%s\n", odd[i],
		    CHEAP);
		replace_users(text);
		send_users(rig.users);
		take_computed();
		pass(sid, "odd", "x");
		answer_unchanged();
		refused(sid, SIGN_IN_CREDENTIALS, "hash");
		assert_int_equal(take_computed().argon2, 1);
		assert_non_null(strstr(rig.log, "ev=users-line line=1 "));
	}
}

static void
test_no_uid(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	conf.mail_uid = conf.mail_gid = AUTH_NO_UID;
	start(&conf);
	pass(1, "anna", "secret");
	refused(1, SIGN_IN_PERMANENT, "no-uid");
}

static void
test_user_added(void **state)
{
	int store;

	(void)state;
	/* The new file replaces the old one ... */
	replace_users("new:{PLAIN}secret\n");
	pass(1, "new", "secret");
	await_check();
	send_users(rig.users);
	opened(1, &store);
	/* ... or is written over it, which its times tell once it is not fresh
	 * any more ... */
	usleep(QUIET * 1000);
	succeeds(5, "new", "secret");
	write_users(rig.users, "newer:{PLAIN}secret\n");
	pass(2, "newer", "secret");
	answer_unchanged();
	opened(2, &store);
	/* ... or we see nothing of it until we ask. */
	pass(3, "newest", "secret");
	await_check();
	replace_users("newest:{PLAIN}secret\n");
	send_users(rig.users);
	opened(3, &store);
	succeeds(4, "newest", "secret");
}

static void
test_user_removed(void **state)
{
	(void)state;
	succeeds(1, "anna", "secret");
	replace_users("bob:{PLAIN}x\n");
	pass(2, "anna", "secret");
	await_check();
	send_users(rig.users);
	/* One question is enough. */
	refused(2, SIGN_IN_CREDENTIALS, "unknown-user");
	assert_silent(rig.ctl_fd, QUIET);
}

static void
test_hash_changed(void **state)
{
	char line[SCHEME_STORED_MAX + 64];

	(void)state;
	/* S-ENG: a verified password does not outlive its hash. */
	succeeds(1, "bob@b.org", "secret");
	succeeds(2, "bob@b.org", "secret");
	snprintf(line, sizeof(line), "bob@b.org:%s\n", rig.costly);
	replace_users(line);
	pass(3, "bob@b.org", "secret");
	await_check();
	send_users(rig.users);
	refused(3, SIGN_IN_CREDENTIALS, "password");
	succeeds(4, "bob@b.org", "other secret");
}

/* Nor is it right for a user who was taken away while it was verified, though
 * nobody else has seen the new file. */
static void
test_user_removed_meanwhile(void **state)
{
	(void)state;
	hold_hashes();
	pass(1, "bob@b.org", "secret");
	await_held();
	replace_users("anna:{PLAIN}secret\n");
	let_hashes_go();
	await_check();
	send_users(rig.users);
	refused(1, SIGN_IN_CREDENTIALS, "unknown-user");
}

static void
test_checks_are_shared(void **state)
{
	(void)state;
	pass(1, "anna", "x");
	await_check();
	/* These need a question put after they came, and share it. */
	pass(2, "anna", "y");
	pass(3, "nobody", "z");
	assert_silent(rig.ctl_fd, QUIET);
	send_users(NULL);
	refused(1, SIGN_IN_CREDENTIALS, "password");
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	refused(3, SIGN_IN_CREDENTIALS, "unknown-user");
	assert_silent(rig.ctl_fd, QUIET);
}

static void
test_check_unanswered(void **state)
{
	uint64_t t = clock_ms();

	(void)state;
	pass(1, "anna", "x");
	await_check();
	refused(1, SIGN_IN_TEMPORARY, "users-check");
	assert_in_range(clock_ms() - t, 4500, 8000);
	/* The answer comes late: it is news all the same. */
	replace_users("anna:{PLAIN}x\n");
	send_users(rig.users);
	succeeds(2, "anna", "x");
}

static void
test_no_users_file(void **state)
{
	struct pollfd p;

	(void)state;
	write_users(rig.users, "");
	send_users(rig.users);
	pass(1, "anna", "secret");
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "unknown-user");
	/* What is no file keeps what there was. */
	replace_users(usual_users);
	send_users(rig.users);
	send_users(rig.dir);
	succeeds(2, "anna", "secret");
	p = (struct pollfd){ rig.log_fd, POLLIN, 0 };
	poll(&p, 1, SOON);
	assert_non_null(strstr(log_text(), "ev=users-unread"));
}

/* As a disk leaves it that has lost what was written. */
static void
test_users_file_of_zeros(void **state)
{
	int store;

	(void)state;
	replace_users("anna:{PLAIN}other\n");
	assert_int_equal(truncate(rig.users, 4096), 0);
	send_users(rig.users);
	pass(1, "anna", "secret");
	answer_unchanged();
	opened(1, &store);
}

static void
test_bad_lines_are_logged(void **state)
{
	const char *log;

	(void)state;
	write_users(rig.users, "a\nb:{PLAIN}x\nc:{FOO}x\nb:{PLAIN}y\n");
	send_users(rig.users);
	succeeds(1, "b", "x");
	log = log_text();
	assert_non_null(strstr(log, "ev=users-line line=1 "));
	assert_null(strstr(log, "ev=users-line line=2 "));
	assert_non_null(strstr(log, "ev=users-line line=3 "));
	assert_non_null(strstr(log, "ev=users-line line=4 "));
	succeeds(2, "b", "x");
	assert_null(strstr(log_text(), "ev=users-line"));
}

static void
test_cached(void **state)
{
	(void)state;
	take_computed();
	for (uint64_t i = 0; i < 10; i++) {
		succeeds(i, "bob@b.org", "secret");
		assert_int_equal(take_computed().argon2, i == 0);
	}
	pass(10, "bob@b.org", "wrong");
	answer_unchanged();
	refused(10, SIGN_IN_CREDENTIALS, "password");
	assert_int_equal(take_computed().argon2, 1);
}

/* How often the password is hashed for a sign-in that succeeds. */
static unsigned
hashes(uint64_t sid)
{
	take_computed();
	succeeds(sid, "c", "secret");
	return take_computed().argon2;
}

/* Another home, and the password is verified anew; so after a reload. */
static void
test_cache_ends(void **state)
{
	(void)state;
	replace_users("c:" CHEAP "\n");
	send_users(rig.users);
	assert_int_equal(hashes(1), 1);
	assert_int_equal(hashes(2), 0);
	replace_users("c:" CHEAP "::::/home/c\n");
	send_users(rig.users);
	assert_int_equal(hashes(3), 1);
	assert_int_equal(hashes(4), 0);
	ipc_begin(rig.ctl, IPC_FORGET);
	sent_before_others(rig.ctl);
	assert_int_equal(hashes(5), 1);
}

/* A file that changes without its times: a page that was written to is written
 * to again. */
static void
change_in_place(const char first[18], const char second[18])
{
	int fd = open(rig.users, O_RDWR | O_CLOEXEC);
	char *p = mmap(NULL, 18, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	memcpy(p, first, 18);
	send_users(rig.users);
	memcpy(p, second, 18);
	munmap(p, 18);
	close(fd);
}

/* Whose turn is it: is the parent asked about the users, or given a store a
 * session? */
static bool
is_parent_asked(void)
{
	struct pollfd p[1 + STORES];

	p[STORES] = (struct pollfd){ rig.ctl_fd, POLLIN, 0 };
	for (int i = 0; i < STORES; i++)
		p[i] = (struct pollfd){ rig.store_fd[i], POLLIN, 0 };
	assert_int_equal(poll(p, 1 + STORES, SOON), 1);
	return p[STORES].revents != 0;
}

/* Was the new password found out, or is the old one still right? */
static bool
is_found_out(uint64_t sid)
{
	int store;

	pass(sid, "anna", "first");
	if (!is_parent_asked()) {
		opened(sid, &store);
		return false;
	}
	answer_unchanged();
	refused(sid, SIGN_IN_CREDENTIALS, "password");
	return true;
}

/* The clock that stamps files has ticks: of two changes in one of them the times
 * do not tell.  It must be read within such a tick for that, so it is tried until
 * it was. */
static void
test_same_tick(void **state)
{
	(void)state;
	write_users(rig.users, "anna:{PLAIN}never\n");
	for (uint64_t i = 0; i < 50; i++) {
		change_in_place("anna:{PLAIN}first\n", "anna:{PLAIN}other\n");
		if (is_found_out(i))
			return;
	}
	fail_msg("the old password is right");
}

/* Also after a change that the times of the file do not tell of. */
static void
test_served_in_the_same_tick(void **state)
{
	bool told = true;
	int store;

	(void)state;
	write_users(rig.users, "anna:{PLAIN}never\nbob@b.org:" CHEAP "\n");
	for (uint64_t i = 0; told && i < 50; i++) {
		change_in_place("anna:{PLAIN}first\n", "anna:{FOO}firstxx\n");
		usleep(QUIET * 1000);
		pass(i, "bob@b.org", "secret");
		if ((told = is_parent_asked()))
			answer_unchanged();
		opened(i, &store);
	}
	assert_false(told);
	expect_served("PLAIN LOGIN ");
}

static void
test_queue_full(void **state)
{
	int store;

	(void)state;
	replace_users("c:" CHEAP "\na:{PLAIN}secret\n");
	send_users(rig.users);
	/* One is worked on, one waits, the third is turned away; what costs
	 * nothing goes on meanwhile. */
	hold_hashes();
	for (uint64_t i = 1; i <= 3; i++)
		pass(i, "c", "secret");
	refused(3, SIGN_IN_TEMPORARY, "hash-queue");
	succeeds(4, "a", "secret");
	let_hashes_go();
	opened(1, &store);
	opened(2, &store);
	succeeds(5, "c", "secret");
}

static void
test_abandoned(void **state)
{
	int store;

	(void)state;
	replace_users("c:" CHEAP "\na:{PLAIN}secret\n");
	send_users(rig.users);
	/* While it is worked on and while it waits: nobody is told, and there
	 * is room for others at once. */
	hold_hashes();
	pass(1, "c", "secret");
	pass(2, "c", "secret");
	about(0, IPC_SIGN_IN_END, 2);
	about(0, IPC_SIGN_IN_END, 1);
	pass(3, "c", "secret");
	succeeds(4, "a", "secret");
	let_hashes_go();
	opened(3, &store);
	assert_silent(rig.pop3_fd[0], QUIET);
	/* While the parent is asked; and of one that is not there. */
	pass(4, "a", "wrong");
	await_check();
	about(0, IPC_SIGN_IN_END, 4);
	about(0, IPC_SIGN_IN_END, 99);
	usleep(QUIET * 1000);
	send_users(NULL);
	assert_silent(rig.pop3_fd[0], QUIET);
	assert_non_null(strstr(log_text(), "sid=0.4 "));
	/* The same session may try again. */
	succeeds(4, "a", "secret");
}

static void
test_stop(void **state)
{
	(void)state;
	ipc_begin(rig.ctl, IPC_STOP);
	ipc_put_u32(rig.ctl, 1000);
	sent(rig.ctl);
	succeeds(1, "anna", "secret");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_refused),
		TEST_SET_UP(test_another_address, set_up_without_proxies),
		TEST(test_no_connection),
		TEST(test_odd_requests),
		TEST(test_misconfigured),
		TEST(test_odd_hash),
		cmocka_unit_test_teardown(test_no_uid, tear_down),
		TEST(test_user_added),
		TEST(test_user_removed),
		TEST(test_hash_changed),
		TEST(test_user_removed_meanwhile),
		TEST(test_checks_are_shared),
		TEST(test_check_unanswered),
		TEST(test_no_users_file),
		TEST(test_users_file_of_zeros),
		TEST(test_bad_lines_are_logged),
		TEST(test_cached),
		TEST(test_cache_ends),
		TEST(test_same_tick),
		TEST(test_served_in_the_same_tick),
		TEST(test_queue_full),
		TEST(test_abandoned),
		TEST(test_stop),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

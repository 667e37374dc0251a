/*
 * Users whose passwords a database verifies: what auth asks of it, in which order,
 * and what it believes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "auth_rig.h"
#include "base/clock.h"

enum { ROOM = 2, SOME = 4, MANY = 8, KEPT = MANY / 4 };

static int fd;

static struct auth_conf
both(enum user_driver_kind driver, bool penalties, uint16_t connections)
{
	struct auth_conf conf = usual();

	conf.known[1] = (struct known_users){ .name = "machine",
		.driver = driver,
		.timeout = 10,
		.connections = connections };
	conf.n_known = 2;
	conf.penalties = penalties;
	return conf;
}

static int
begin_with(enum user_driver_kind driver, enum ipc_role role, bool penalties,
    uint16_t connections)
{
	struct auth_conf conf = both(driver, penalties, connections);

	start(&conf);
	fd = attach(role, 0);
	replace_users("fred:{PLAIN}secret\n");
	send_users(rig.users);
	return 0;
}

static int
begin(enum user_driver_kind driver, enum ipc_role role, bool penalties)
{
	return begin_with(driver, role, penalties, ROOM);
}

static int
set_up_crowd(void **state)
{
	return begin_with(DRIVER_SYSTEM, ROLE_PAM, false, MANY);
}

static int
set_up_machine(void **state)
{
	return begin(DRIVER_SYSTEM, ROLE_PAM, false);
}

static int
set_up_machine_penalties(void **state)
{
	return begin(DRIVER_SYSTEM, ROLE_PAM, true);
}

static int
set_up_directory(void **state)
{
	return begin(DRIVER_LDAP_BIND, ROLE_DB, false);
}

static int
set_up_rows(void **state)
{
	return begin(DRIVER_SQLITE, ROLE_DB, false);
}

struct asked {
	uint64_t id;
	char name[NAME_MAX_OCTETS + 1], password[PASSWORD_MAX + 1];
	char peer[PEER_MAX];
};

static enum err
take_verify(void *arg, struct ipc_in *in)
{
	struct asked *a = arg;

	a->id = ipc_get_u64(in);
	ipc_get_str(in, a->name, sizeof(a->name));
	if (in->type == IPC_VERIFY) {
		ipc_get_str(in, a->password, sizeof(a->password));
		ipc_get_str(in, a->peer, sizeof(a->peer));
	}
	return ipc_get_end(in);
}

static struct asked
asked(uint16_t type)
{
	struct asked a = { .id = 0 };

	assert_int_equal(ipc_wait_one(fd, type, SOON, take_verify, &a), E_OK);
	return a;
}

/* Up to a NULL: name, value, name, value ... */
static void
say(uint64_t id, enum lookup_result result, const char *const *words)
{
	struct ipc_chan *c =
	    ipc_open(rig.loop, dup(fd), &no_rules, NULL, false);
	uint8_t n = 0;

	while (words != NULL && words[2 * n] != NULL)
		n++;
	ipc_begin(c, IPC_ROW);
	ipc_put_u64(c, id);
	ipc_put_u8(c, (uint8_t)result);
	ipc_put_u8(c, n);
	for (size_t i = 0; i < 2 * (size_t)n; i++)
		ipc_put_str(c, words[i]);
	ipc_put_str(c, "");
	sent(c);
	ipc_close(c);
}

static void
answer(enum lookup_result result)
{
	say(asked(IPC_VERIFY).id, result, NULL);
}

/* ---- what is asked, and what comes of it ---- */

static void
test_asked(void **state)
{
	struct asked a;
	int store;

	pass(1, "anna", "it's");
	a = asked(IPC_VERIFY);
	assert_string_equal(a.name, "anna@d.org");
	assert_string_equal(a.password, "it's");
	assert_string_equal(a.peer, "192.0.2.1");
	say(a.id, LOOKUP_FOUND, NULL);
	assert_string_equal(opened(1, &store).user, "anna@d.org");
	/* Nothing of that is remembered. */
	pass(2, "anna", "it's");
	answer(LOOKUP_WRONG);
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	pass(3, "anna", "it's");
	answer(LOOKUP_NOBODY);
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "unknown-user");
	pass(4, "anna", "it's");
	answer(LOOKUP_FAILED);
	refused(4, SIGN_IN_TEMPORARY, "database");
}

/* Who is of the users file is known there, and asked about nowhere else. */
static void
test_file_first(void **state)
{
	succeeds(1, "fred", "secret");
	pass(2, "fred", "wrong");
	answer_unchanged();
	refused(2, SIGN_IN_CREDENTIALS, "password");
	assert_silent(fd, QUIET);
}

static const char *const locked[] = { "nologin", "yes", NULL };

static void
test_row(void **state)
{
	static const char *const row[] = { "uid", "1000", "gid", "1001", "home",
		"/srv/mail/h", NULL };
	static const char *const low[] = { "uid", "0", "gid", "0", NULL };
	static const char *const secret[] = { "password", "{PLAIN}x", NULL };
	static const char *const other[] = { "user", "bob", NULL };
	static const char *const nets[] = { "allow_nets", "10.0.0.0/8", NULL };

	pass(1, "anna", "x");
	say(asked(IPC_VERIFY).id, LOOKUP_FOUND, row);
	expect_wanted(1000, 1001);
	no_store(1000, 1001);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	pass(2, "anna", "x");
	say(asked(IPC_VERIFY).id, LOOKUP_FOUND, low);
	refused(2, SIGN_IN_PERMANENT, "uid-out-of-range");
	pass(3, "anna", "x");
	say(asked(IPC_VERIFY).id, LOOKUP_FOUND, locked);
	refused(3, SIGN_IN_SWITCHED_OFF, "nologin");
	/* What it gives to be compared is not believed, nor another's name. */
	pass(4, "anna", "x");
	say(asked(IPC_VERIFY).id, LOOKUP_WRONG, secret);
	refused(4, SIGN_IN_TEMPORARY, "database");
	pass(5, "anna", "x");
	say(asked(IPC_VERIFY).id, LOOKUP_FOUND, other);
	refused(5, SIGN_IN_TEMPORARY, "database");
	pass(6, "anna", "x");
	say(asked(IPC_VERIFY).id, LOOKUP_FOUND, nets);
	answer_unchanged();
	refused(6, SIGN_IN_CREDENTIALS, "allow_nets");
}

/* Without a password it is only who that is: nothing is right by that. */
static void
test_without_password(void **state)
{
	apop(0, 1, "anna", "<1@d.org>", "x");
	say(asked(IPC_LOOKUP).id, LOOKUP_FOUND, NULL);
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "password");
}

/* An app password is ours, and nobody else gets it. */
static void
test_app_password(void **state)
{
	int store;

	replace_apps(NULL);
	send_both(rig.users, rig.apps);
	pass(1, "anna", PHONE);
	say(asked(IPC_LOOKUP).id, LOOKUP_FOUND, NULL);
	opened(1, &store);
	pass(2, "anna", PHONE);
	say(asked(IPC_LOOKUP).id, LOOKUP_FOUND, locked);
	refused(2, SIGN_IN_SWITCHED_OFF, "nologin");
	pass(3, "anna", PHONE);
	say(asked(IPC_LOOKUP).id, LOOKUP_NOBODY, NULL);
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "unknown-user");
	pass(4, "anna", PHONE "x");
	answer(LOOKUP_WRONG);
	answer_unchanged();
	refused(4, SIGN_IN_CREDENTIALS, "password");
}

/* ---- who is broken into ---- */

/* Who was given no password cannot call it wrong; who verifies none is given
 * none. */
static void
test_says_what_it_cannot_know(void **state)
{
	apop(0, 1, "anna", "<1@d.org>", "x");
	say(asked(IPC_LOOKUP).id, LOOKUP_WRONG, NULL);
	refused(1, SIGN_IN_TEMPORARY, "database");
	expect_misbehaved(ROLE_PAM, 0, fd);
}

static void
test_rows_are_given_no_password(void **state)
{
	static const char *const row[] = { "password", "{PLAIN}x", NULL };
	int store;

	pass(1, "anna", "x");
	say(asked(IPC_LOOKUP).id, LOOKUP_FOUND, row);
	opened(1, &store);
	pass(2, "anna", "x");
	say(asked(IPC_LOOKUP).id, LOOKUP_WRONG, row);
	refused(2, SIGN_IN_TEMPORARY, "database");
	expect_misbehaved(ROLE_DB, 0, fd);
}

/* An answer is to one question, and each question is answered once. */
static void
test_other_numbers(void **state)
{
	struct asked a;
	int store;

	pass(1, "anna", "x");
	a = asked(IPC_VERIFY);
	say(a.id + 1, LOOKUP_FOUND, NULL);
	say(a.id - 1, LOOKUP_FOUND, NULL);
	assert_silent(rig.pop3_fd[0], QUIET);
	say(a.id, LOOKUP_WRONG, NULL);
	say(a.id, LOOKUP_FOUND, NULL);
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "password");
	/* One that waits has not been asked about. */
	for (uint64_t sid = 2; sid < 2 + ROOM; sid++)
		pass(sid, "anna", "x");
	asked(IPC_VERIFY);
	a = asked(IPC_VERIFY);
	pass(9, "bob", "x");
	assert_silent(fd, QUIET);
	say(a.id + 1, LOOKUP_FOUND, NULL);
	assert_silent(fd, QUIET);
	say(a.id, LOOKUP_FOUND, NULL);
	opened(2 + ROOM - 1, &store);
	assert_string_equal(asked(IPC_VERIFY).name, "bob@d.org");
}

static void
test_it_goes(void **state)
{
	for (uint64_t sid = 1; sid <= ROOM + 1; sid++)
		pass(sid, "anna", "x");
	asked(IPC_VERIFY);
	close(fd);
	for (uint64_t sid = 1; sid <= ROOM + 1; sid++)
		refused(sid, SIGN_IN_TEMPORARY, NULL);
	pass(8, "anna", "x");
	refused(8, SIGN_IN_TEMPORARY, "database");
	succeeds(9, "fred", "secret");
	fd = attach(ROLE_PAM, 0);
	pass(10, "anna", "x");
	answer(LOOKUP_FOUND);
}

/* ---- in which order ---- */

/* No more than it has room for; those of one address one after the other, so that
 * another is not behind all of them. */
static void
test_fair(void **state)
{
	struct asked a;

	for (uint64_t sid = 1; sid <= 20; sid++)
		pass(sid, "anna", "x");
	asked(IPC_VERIFY);
	a = asked(IPC_VERIFY);
	pass_from(1, 1, "198.51.100.1", "bob", "x");
	assert_silent(fd, QUIET);
	say(a.id, LOOKUP_FAILED, NULL);
	assert_string_equal(asked(IPC_VERIFY).name, "bob@d.org");
}

/* One address does not have all of many, so that others need not wait until what
 * it asked is answered. */
static void
test_some_are_kept(void **state)
{
	char peer[PEER_MAX];

	for (uint64_t sid = 1; sid <= MANY; sid++)
		pass(sid, "anna", "x");
	for (unsigned i = 0; i < MANY - KEPT; i++)
		asked(IPC_VERIFY);
	assert_silent(fd, QUIET);
	for (unsigned i = 1; i <= KEPT; i++) {
		snprintf(peer, sizeof(peer), "198.51.100.%u", i);
		pass_from(1, i, peer, "bob", "x");
		assert_string_equal(asked(IPC_VERIFY).name, "bob@d.org");
	}
	pass_from(1, KEPT + 1, "198.51.100.99", "bob", "x");
	assert_silent(fd, QUIET);
}

/* Who has gone before it was asked is asked about no more. */
static void
test_gone(void **state)
{
	struct asked a;

	for (uint64_t sid = 1; sid <= ROOM + 1; sid++)
		pass(sid, "anna", "x");
	asked(IPC_VERIFY);
	a = asked(IPC_VERIFY);
	about(0, IPC_SIGN_IN_END, ROOM + 1);
	usleep(QUIET * 1000);
	pass(9, "bob", "x");
	say(a.id, LOOKUP_FAILED, NULL);
	assert_string_equal(asked(IPC_VERIFY).name, "bob@d.org");
}

/* Who goes when it has been asked has tried all the same. */
static void
test_gone_too_late(void **state)
{
	struct asked a;

	pass(1, "anna", "x");
	a = asked(IPC_VERIFY);
	about(0, IPC_SIGN_IN_END, 1);
	usleep(QUIET * 1000);
	say(a.id, LOOKUP_NOBODY, NULL);
	answer_unchanged();
	assert_int_equal(count_logged("ev=login-failed"), 1);
}

/* Of an address from where one has failed nothing more is asked before that is
 * paid for, however many came at once. */
static void
test_failure_is_paid_for(void **state)
{
	struct asked a[ROOM];
	uint64_t begun;

	for (uint64_t sid = 1; sid <= 10; sid++)
		pass(sid, "anna", "x");
	for (int i = 0; i < ROOM; i++)
		a[i] = asked(IPC_VERIFY);
	begun = clock_ms();
	for (int i = 0; i < ROOM; i++)
		say(a[i].id, LOOKUP_WRONG, NULL);
	for (int i = 0; i < ROOM; i++)
		answer_unchanged();
	asked(IPC_VERIFY);
	assert_true(clock_ms() - begun >= 950);
	assert_silent(fd, QUIET);
}

/* ---- no answer ---- */

static int
set_up_impatient(void **state)
{
	struct auth_conf conf = both(DRIVER_SYSTEM, true, SOME);

	conf.known[1].timeout = 1;
	start(&conf);
	fd = attach(ROLE_PAM, 0);
	replace_users("fred:{PLAIN}secret\n");
	send_users(rig.users);
	return 0;
}

/* Its time is over, and it says so. */
static void
time_out(const struct asked *a)
{
	usleep(1000 * 1000);
	say(a->id, LOOKUP_FAILED, NULL);
}

/* Somebody whose questions hang while those of others do not costs others their
 * room: the refusal is held as that of a wrong password is, and of the same address
 * one at a time is asked. */
static void
test_no_answer_is_load(void **state)
{
	struct asked hangs;
	uint64_t begun;

	for (uint64_t sid = 1; sid <= SOME + 1; sid++)
		pass(sid, "anna", "x");
	hangs = asked(IPC_VERIFY);
	for (int i = 2; i < SOME; i++)
		asked(IPC_VERIFY);
	pass_from(1, 1, "198.51.100.1", "bob", "x");
	answer(LOOKUP_FOUND);
	begun = clock_ms();
	time_out(&hangs);
	assert_silent(fd, QUIET);
	refused(1, SIGN_IN_TEMPORARY, "database");
	assert_true(clock_ms() - begun >= 1950);
}

/* While nobody is answered it is no fault of anybody. */
static void
test_outage_is_nobodys(void **state)
{
	struct asked a;
	uint64_t begun;

	pass(1, "anna", "x");
	a = asked(IPC_VERIFY);
	time_out(&a);
	begun = clock_ms();
	refused(1, SIGN_IN_TEMPORARY, "database");
	pass(2, "anna", "x");
	answer(LOOKUP_FOUND);
	assert_true(clock_ms() - begun < 900);
}

/* ---- time ---- */

static uint64_t
refusal(uint64_t sid, const char *name, enum lookup_result result, int ms)
{
	uint64_t begun = clock_ms();
	struct asked a;

	pass(sid, name, "wrong");
	if (ms >= 0) {
		a = asked(IPC_VERIFY);
		usleep((unsigned)ms * 1000);
		say(a.id, result, NULL);
	}
	answer_unchanged();
	refused(sid, SIGN_IN_CREDENTIALS, NULL);
	return clock_ms() - begun;
}

/* All refusals take as long as one there has lately, and nobody is asked for
 * that. */
static void
test_costs_the_same(void **state)
{
	assert_true(refusal(1, "anna", LOOKUP_WRONG, 300) >= 300);
	assert_true(refusal(2, "nobody", LOOKUP_NOBODY, 0) >= 270);
	assert_true(refusal(3, "fred", LOOKUP_FAILED, -1) >= 250);
	assert_silent(fd, QUIET);
	/* Who signs in does not wait for that. */
	pass(4, "anna", "x");
	answer(LOOKUP_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SET_UP(test_asked, set_up_machine),
		TEST_SET_UP(test_file_first, set_up_machine),
		TEST_SET_UP(test_row, set_up_directory),
		TEST_SET_UP(test_without_password, set_up_machine),
		TEST_SET_UP(test_app_password, set_up_machine),
		TEST_SET_UP(test_says_what_it_cannot_know, set_up_machine),
		TEST_SET_UP(test_rows_are_given_no_password, set_up_rows),
		TEST_SET_UP(test_other_numbers, set_up_machine),
		TEST_SET_UP(test_it_goes, set_up_machine),
		TEST_SET_UP(test_fair, set_up_machine),
		TEST_SET_UP(test_some_are_kept, set_up_crowd),
		TEST_SET_UP(test_gone, set_up_machine),
		TEST_SET_UP(test_gone_too_late, set_up_machine),
		TEST_SET_UP(test_failure_is_paid_for, set_up_machine_penalties),
		TEST_SET_UP(test_no_answer_is_load, set_up_impatient),
		TEST_SET_UP(test_outage_is_nobodys, set_up_impatient),
		TEST_SET_UP(test_costs_the_same, set_up_machine),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

/*
 * The store process: sessions, who must wait or give way, the end of others, and
 * what the settings change.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store_rig.h"

/* ---- sessions ---- */

static void
test_session(void **state)
{
	struct heard *h;
	char text[32];

	(void)state;
	start();
	open_drop(0, 7);
	h = expect(&kit.pop3[0], IPC_OPENED);
	assert_int_equal(h->sid, 7);
	assert_int_equal(h->count, 3);
	assert_int_equal(h->octets, 5 + 5 + 7);
	say(&kit.pop3[0], IPC_INDEX, 7);
	h = expect(&kit.pop3[0], IPC_INDEX_IS);
	assert_int_equal(h->ok, 1);
	assert_int_equal(fcntl(h->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(lseek(h->fd, 0, SEEK_END), h->end);
	close(h->fd);
	say_fetch(7, 2, (const uint32_t[]){ 3, 1 });
	h = expect(&kit.pop3[0], IPC_FETCHED);
	assert_int_equal(h->n, 2);
	assert_int_equal(h->m[0].msgno, 3);
	assert_int_equal(h->m[0].status, FETCH_OK);
	assert_int_equal(h->m[0].wire, 7);
	assert_int_equal(read(h->m[0].fd, text, sizeof(text)), 6);
	assert_memory_equal(text, "three\n", 6);
	assert_int_equal(h->m[1].msgno, 1);
	close(h->m[0].fd);
	close(h->m[1].fd);
	say_marks(7, MARK_REMOVE, 0, "\x05", 1);
	say(&kit.pop3[0], IPC_COMMIT, 7);
	h = expect(&kit.pop3[0], IPC_COMMITTED);
	assert_int_equal(h->removed, 2);
	assert_int_equal(h->failed, 0);
	/* S-1939-35: free again at once. */
	open_drop(1, 7);
	expect_opened(1, 7, 1);
	say(&kit.pop3[1], IPC_RELEASE, 7);
	finish();
	assert_int_equal(fixture_count(&kit.f, "new"), 0);
	assert_true(fixture_has(&kit.f, "cur/2.b:2,F"));
}

/* Is it written down who has it, after it was opened? */
static bool
is_noted(void)
{
	bool noted = false;
	char path[512];

	snprintf(path, sizeof(path), "%s/malote.lock", kit.f.path);
	assert_int_equal(truncate(path, 0), 0);
	for (unsigned i = 0; i < 50 && !noted; i++) {
		char *text;

		fixture_settle();
		text = fixture_read(&kit.f, "malote.lock");
		noted = strstr(text, " 192.0.2.7 ") != NULL;
		free(text);
	}
	return noted;
}

/* Who has it is written down for other programs also when no thread was
 * needed to open it: when the one before has let go of it by then. */
static void
test_noted(void **state)
{
	bool noted = false;

	(void)state;
	fixture_settle();
	start();
	for (uint64_t sid = 1; sid <= 20 && !noted; sid++) {
		open_drop(0, sid);
		expect_opened(0, sid, 3);
		noted = sid != 1 && is_noted();
		say(&kit.pop3[0], IPC_RELEASE, sid);
		fixture_settle();
	}
	assert_true(noted);
	finish();
}

/* S-1939-36, M-10: in use, by whom; a release that waits in a channel is
 * read first. */
static void
test_in_use(void **state)
{
	uint64_t begun = clock_unix_ms() / 1000;

	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	open_drop(1, 2);
	expect_refused(1, 2, SIGN_IN_IN_USE);
	assert_in_range(kit.pop3[1].heard.since, begun, clock_unix_ms() / 1000);
	assert_string_equal(kit.pop3[1].heard.from, "192.0.2.7");
	for (uint64_t sid = 3; sid < 300; sid++) {
		unsigned to = sid % POP3S, from = 1 - to;

		say(&kit.pop3[from], IPC_RELEASE, sid == 3 ? 1 : sid - 1);
		open_drop((uint16_t)to, sid);
		expect_opened(to, sid, 3);
	}
	finish();
}

/* A sign-in that counts for LOGIN-DELAY, and is refused, is taken back; what counts
 * nothing says nothing. */
static void
test_unopened(void **state)
{
	struct heard *h;

	(void)state;
	start();
	kit.login_delay = 600;
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	open_drop(1, 2);
	expect_refused(1, 2, SIGN_IN_IN_USE);
	h = expect(&kit.auth, IPC_UNOPENED);
	assert_int_equal(h->counted.who, mark(2).who);
	assert_int_equal(h->counted.at_ms, mark(2).at_ms);
	say_open(1, 3, "maildir:/elsewhere", "192.0.2.7");
	expect_refused(1, 3, SIGN_IN_PERMANENT);
	h = expect(&kit.auth, IPC_UNOPENED);
	assert_int_equal(h->counted.who, mark(3).who);
	kit.login_delay = 0;
	open_drop(1, 4);
	expect_refused(1, 4, SIGN_IN_IN_USE);
	assert_int_equal(kit.auth.unheard, 0);
	finish();
}

/* The lock holds against other processes too, in both directions. */
static void
test_other_process(void **state)
{
	(void)state;
	start();
	fixture_must_open(&kit.f);
	open_drop(0, 1);
	expect_refused(0, 1, SIGN_IN_IN_USE);
	assert_true(kit.pop3[0].heard.since != 0);
	assert_string_equal(kit.pop3[0].heard.from, "192.0.2.1");
	fixture_close(&kit.f);
	open_drop(0, 2);
	expect_opened(0, 2, 3);
	assert_int_equal(fixture_open(&kit.f, false), E_BUSY);
	finish();
	fixture_must_open(&kit.f);
}

/* Commits are waited for, so that the next login sees what is left. */
static void
test_waits_for_commit(void **state)
{
	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	say_marks(1, MARK_REMOVE, 0, "\x02", 1);
	say(&kit.pop3[0], IPC_COMMIT, 1);
	open_drop(1, 2);
	expect_opened(1, 2, 2);
	assert_int_equal(expect(&kit.pop3[0], IPC_COMMITTED)->removed, 1);
	finish();
}

/* ---- takeover ---- */

static void
start_takeover(void)
{
	kit.f.conf.takeover = 1;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	/* Asked only when it may have been silent for so long. */
	open_drop(1, 2);
	expect_refused(1, 2, SIGN_IN_IN_USE);
	sleep(2);
}

static void
test_takeover(void **state)
{
	struct heard *h;

	(void)state;
	start_takeover();
	say_marks(1, MARK_REMOVE, 0, "\x07", 1);
	open_drop(1, 3);
	h = expect(&kit.pop3[0], IPC_YIELD);
	assert_int_equal(h->sid, 1);
	assert_int_equal(h->count, 1);
	assert_false(wait_for(0.1));
	say(&kit.pop3[0], IPC_RELEASE, 1);
	expect_opened(1, 3, 3);
	finish();
	/* Its marks are dropped. */
	assert_int_equal(fixture_count(&kit.f, "cur"), 2);
}

static void
test_takeover_kept(void **state)
{
	(void)state;
	start_takeover();
	open_drop(1, 3);
	open_drop(1, 4);
	expect(&kit.pop3[0], IPC_YIELD);
	say(&kit.pop3[0], IPC_KEEP, 1);
	while (kit.pop3[1].unheard < 2)
		assert_true(wait_for(WAIT));
	assert_int_equal(kit.pop3[1].heard.type, IPC_NOT_OPENED);
	assert_int_equal(kit.pop3[1].heard.code, SIGN_IN_IN_USE);
	finish();
}

/* No answer to it within 5 s is one. */
static void
test_takeover_late(void **state)
{
	(void)state;
	start_takeover();
	open_drop(1, 3);
	expect(&kit.pop3[0], IPC_YIELD);
	expect_refused(1, 3, SIGN_IN_IN_USE);
	/* Whoever has gone does not wait; the answers to what was asked behind
	 * show that it waits, and that it has gone. */
	open_drop(1, 4);
	say_open(1, 99, "/", "x");
	expect_refused(1, 99, SIGN_IN_PERMANENT);
	say(&kit.pop3[1], IPC_RELEASE, 4);
	say_open(1, 98, "/", "x");
	expect_refused(1, 98, SIGN_IN_PERMANENT);
	say(&kit.pop3[0], IPC_RELEASE, 1);
	open_drop(1, 5);
	expect_opened(1, 5, 3);
	finish();
}

/* ---- deaths ---- */

/* A commit that was received is completed, other sessions are released. */
static void
test_pop3_dies(void **state)
{
	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	say_marks(1, MARK_REMOVE, 0, "\x01", 1);
	say(&kit.pop3[0], IPC_COMMIT, 1);
	ipc_close(kit.pop3[0].c);
	kit.pop3[0].c = NULL;
	open_drop(1, 2);
	expect_opened(1, 2, 2);
	attach(ROLE_WORKER, 0, &kit.pop3[0]);
	open_drop(0, 1);
	expect_refused(0, 1, SIGN_IN_IN_USE);
	ipc_close(kit.pop3[1].c);
	kit.pop3[1].c = NULL;
	/* Its release is one that nobody announces. */
	for (uint64_t sid = 3;; sid++) {
		open_drop(0, sid);
		while (kit.pop3[0].unheard == 0)
			assert_true(wait_for(WAIT));
		kit.pop3[0].unheard = 0;
		if (kit.pop3[0].heard.type == IPC_OPENED)
			break;
		assert_true(sid < 1000);
	}
	assert_int_equal(kit.pop3[0].heard.count, 2);
	finish();
	assert_false(fixture_has(&kit.f, "new/1.a"));
}

/* Until the store waits for what comes on all its channels. */
static void
await_all_channels(void)
{
	/* The second answer is of a turn behind the one that took them. */
	for (unsigned i = 0; i < 2; i++) {
		ipc_begin(kit.parent.c, IPC_PING);
		ipc_put_u32(kit.parent.c, i + 1);
		send_end(&kit.parent);
		expect(&kit.parent, IPC_PONG);
		assert_int_equal(kit.parent.heard.sid, i + 1);
	}
}

/* Its end, the next one and a sign-in from there come at the same time.  Of
 * those libev hands out the last one first. */
static void
test_pop3_is_replaced(void **state)
{
	(void)state;
	start();
	await_all_channels();
	kill(kit.pid, SIGSTOP);
	assert_int_equal(waitpid(kit.pid, NULL, WUNTRACED), kit.pid);
	ipc_close(kit.pop3[0].c);
	kit.pop3[0].c = NULL;
	attach(ROLE_WORKER, 0, &kit.pop3[0]);
	open_drop(0, 1);
	kill(kit.pid, SIGCONT);
	expect_opened(0, 1, 3);
	finish();
}

/* One that lives may have broken it off before it had read the answer. */
static void
test_channel_breaks(void **state)
{
	struct heard *h;

	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	ipc_close(kit.pop3[0].c);
	kit.pop3[0].c = NULL;
	h = expect(&kit.auth, IPC_NO_WORKER);
	assert_int_equal(h->index, 0);
	assert_int_equal(h->sid, 1);
	assert_int_equal(h->pid, kit.pids[0]);
	open_drop(1, 2);
	expect_opened(1, 2, 3);
	finish();
}

static void
test_parent_dies(void **state)
{
	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	kill(kit.pid, SIGSTOP);
	assert_int_equal(waitpid(kit.pid, NULL, WUNTRACED), kit.pid);
	say_marks(1, MARK_REMOVE, 0, "\x04", 1);
	say(&kit.pop3[0], IPC_COMMIT, 1);
	ipc_close(kit.parent.c);
	kit.parent.c = NULL;
	kill(kit.pid, SIGCONT); /* it may hear of the end first */
	assert_int_equal(expect(&kit.pop3[0], IPC_COMMITTED)->removed, 1);
	expect_gone(&kit.pop3[0]);
	finish();
	assert_int_equal(fixture_count(&kit.f, "cur"), 1);
}

/* A session that is open goes on until the deadline. */
static void
test_stop(void **state)
{
	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	say_stop(10000);
	open_drop(1, 2);
	/* Auth and the parent speak by different channels. */
	while (kit.pop3[1].unheard == 0)
		assert_true(wait_for(WAIT));
	assert_int_equal(kit.pop3[1].heard.type, IPC_NOT_OPENED);
	say_marks(1, MARK_REMOVE, 0, "\x01", 1);
	say(&kit.pop3[0], IPC_COMMIT, 1);
	assert_int_equal(expect(&kit.pop3[0], IPC_COMMITTED)->removed, 1);
	expect_gone(&kit.pop3[0]);
	kit.parent.gone = true;
	finish();
}

static void
test_idle(void **state)
{
	(void)state;
	kit.f.conf.idle_end_ms = 200;
	start();
	expect(&kit.parent, IPC_IDLE);
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	kit.parent.unheard = 0;
	assert_false(wait_for(0.6));
	say(&kit.pop3[0], IPC_RELEASE, 1);
	expect(&kit.parent, IPC_IDLE);
	finish();
}

/* ---- settings ---- */

static void
test_shared(void **state)
{
	struct heard *h;

	(void)state;
	kit.f.conf.shared = true;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	open_drop(1, 2);
	expect_opened(1, 2, 3);
	say_marks(1, MARK_REMOVE, 0, "\x01", 1);
	say(&kit.pop3[0], IPC_COMMIT, 1);
	assert_int_equal(expect(&kit.pop3[0], IPC_COMMITTED)->removed, 1);
	/* The other view is frozen. */
	say(&kit.pop3[1], IPC_INDEX, 2);
	h = expect(&kit.pop3[1], IPC_INDEX_IS);
	assert_int_equal(h->ok, 1);
	close(h->fd);
	open_drop(0, 3);
	expect_opened(0, 3, 2);
	finish();
}

/* So many have it, one more does not, until one has gone; who only reads is not
 * counted. */
static void
test_per_user_max(void **state)
{
	(void)state;
	kit.f.conf.shared = true;
	kit.f.conf.per_user_max = 2;
	start();
	for (uint64_t sid = 1; sid <= 2; sid++) {
		open_drop(0, sid);
		expect_opened(0, sid, 3);
	}
	kit.read_only = true;
	open_drop(0, 10);
	expect_opened(0, 10, 3);
	kit.read_only = false;
	open_drop(0, 3);
	expect_refused(0, 3, SIGN_IN_IN_USE);
	say(&kit.pop3[0], IPC_RELEASE, 1);
	open_drop(0, 4);
	expect_opened(0, 4, 3);
	finish();
}

/* The same for those that wait for one that has it alone. */
static void
test_per_user_max_waiting(void **state)
{
	(void)state;
	kit.f.conf.per_user_max = 3;
	start_takeover();
	open_drop(1, 3);
	open_drop(1, 4);
	expect(&kit.pop3[0], IPC_YIELD);
	open_drop(1, 5);
	expect_refused(1, 5, SIGN_IN_IN_USE);
	say(&kit.pop3[1], IPC_RELEASE, 4);
	open_drop(1, 6);
	assert_false(wait_for(0.1)); /* it waits */
	finish();
}

/* A session that only reads is beside one that has the maildrop alone, and
 * neither notices the other. */
static void
test_read_only(void **state)
{
	(void)state;
	kit.f.conf.mark_seen = true;
	start();
	kit.read_only = true;
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	kit.read_only = false;
	open_drop(0, 2);
	expect_opened(0, 2, 3);
	open_drop(0, 3);
	expect_refused(0, 3, SIGN_IN_IN_USE);
	kit.read_only = true;
	open_drop(0, 4);
	expect_opened(0, 4, 3);
	/* It marks nothing as seen, and takes part in no end of another. */
	say_marks(1, MARK_SEEN, 0, "\x07", 1);
	say(&kit.pop3[0], IPC_RELEASE, 1);
	say_marks(2, MARK_REMOVE, 0, "\x01", 1);
	say(&kit.pop3[0], IPC_COMMIT, 2);
	assert_int_equal(expect(&kit.pop3[0], IPC_COMMITTED)->removed, 1);
	assert_true(fixture_has(&kit.f, "cur/2.b:2,F"));
	kit.read_only = false;
	open_drop(0, 5);
	expect_opened(0, 5, 2);
	/* S-4505-01: what it may not do ends the channel of its worker. */
	say_marks(4, MARK_REMOVE, 0, "\x01", 1);
	expect_misbehaved(ROLE_WORKER, 0);
	expect_gone(&kit.pop3[0]);
	open_drop(1, 6);
	expect_opened(1, 6, 2);
	finish();
}

static void
test_mark_seen(void **state)
{
	(void)state;
	kit.f.conf.mark_seen = true;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	say_marks(1, MARK_SEEN, 0, "\x01", 1);
	/* Without COMMIT nothing is removed, though there is something to do. */
	say_marks(1, MARK_REMOVE, 0, "\x02", 1);
	say(&kit.pop3[0], IPC_RELEASE, 1);
	open_drop(1, 2);
	expect_opened(1, 2, 3);
	finish();
	assert_true(fixture_has(&kit.f, "cur/1.a:2,S"));
}

/* Another user's mail is not touched, and the log says why (not checked). */
static void
test_mbox(void **state)
{
	char path[256];

	(void)state;
	fixture_put(&kit.f, "mbox", "From x\n\n");
	start();
	snprintf(path, sizeof(path), "%s/mbox", kit.f.path);
	say_open(0, 1, path, "x");
	expect_refused(0, 1, SIGN_IN_PERMANENT);
	snprintf(path, sizeof(path), "%s/a/b/c", kit.f.base);
	say_open(0, 2, path, "x");
	expect_opened(0, 2, 0);
	finish();
}

/* Many sessions of many maildrops at a time, whose ends cross. */
static void
test_many(void **state)
{
	enum { MANY = 400 };
	unsigned heard;
	char path[256];

	(void)state;
	start();
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "%s/many/%u", kit.f.base, i % 100);
		say_open((uint16_t)(i % POP3S), i + 1, path, "x");
		if (i % 3 == 0)
			say(&kit.pop3[i % POP3S], IPC_RELEASE, i + 1);
	}
	do {
		heard = kit.pop3[0].unheard + kit.pop3[1].unheard;
	} while (heard < MANY * 2 / 3 && wait_for(1));
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
		T(test_session),
		T(test_noted),
		T(test_in_use),
		T(test_unopened),
		T(test_other_process),
		T(test_waits_for_commit),
		T(test_takeover),
		T(test_takeover_kept),
		T(test_takeover_late),
		T(test_pop3_dies),
		T(test_pop3_is_replaced),
		T(test_channel_breaks),
		T(test_parent_dies),
		T(test_stop),
		T(test_idle),
		T(test_shared),
		T(test_per_user_max),
		T(test_per_user_max_waiting),
		T(test_read_only),
		T(test_mark_seen),
		T(test_mbox),
		T(test_many),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What the store process believes of workers and of auth, and what it opens.
 */
#include <linux/landlock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_rig.h"

/* A request of session 1 for so many, of which so many are named. */
static void
say_fetch_of(uint8_t said, unsigned n)
{
	ipc_begin(kit.pop3[0].c, IPC_FETCH);
	ipc_put_u64(kit.pop3[0].c, 1);
	ipc_put_u8(kit.pop3[0].c, said);
	for (unsigned i = 0; i < n; i++)
		ipc_put_u32(kit.pop3[0].c, 1);
	send_end(&kit.pop3[0]);
}

/* Each of these ends its channel, and the session that it had. */
static void
test_misbehaves(void **state)
{
	(void)state;
	for (unsigned what = 0; what < 20; what++) {
		struct end *p = &kit.pop3[0];

		start();
		open_drop(0, 1);
		expect_opened(0, 1, 3);
		switch (what) {
		case 0: say(p, IPC_INDEX, 2); break;
		case 1: say(p, IPC_COMMIT, 2); break;
		case 2: say_fetch(2, 1, (const uint32_t[]){ 1 }); break;
		case 3: say_fetch(1, 1, (const uint32_t[]){ 4 }); break;
		case 4: say_fetch(1, 1, (const uint32_t[]){ 0 }); break;
		case 5: say_fetch(1, 0, NULL); break;
		case 6: say_marks(1, MARK_REMOVE, 0, "\x08", 1); break;
		case 7: say_marks(1, MARK_REMOVE, 1, "\x01", 1); break;
		case 8: say_marks(1, MARK_REMOVE, 0, "\x01\0", 2); break;
		case 9: say_marks(1, (enum mark_kind)2, 0, "\x01", 1); break;
		case 10:
			say_marks(1, MARK_REMOVE, UINT32_MAX - 7, "", 0);
			break;
		case 11: say(p, IPC_OPEN, 1); break;
		case 12: say(p, IPC_DOUBT, 1); break;
		case 13:
			say_fetch(1, 1, (const uint32_t[]){ UINT32_MAX });
			break;
		case 14: say_marks(1, MARK_REMOVE, 8, "\x01", 1); break;
		case 15: say_marks(1, MARK_REMOVE, 800, "\x01", 1); break;
		case 16: say_marks(1, MARK_REMOVE, 0, "", 0); break;
		case 17: say_marks(2, MARK_REMOVE, 0, "\x01", 1); break;
		case 18: say_fetch_of(UINT8_MAX, IPC_FDS); break;
		default: say(p, IPC_STOP, 1); break;
		}
		expect_misbehaved(ROLE_WORKER, 0);
		expect_gone(p);
		open_drop(1, 9);
		expect_opened(1, 9, 3);
		finish();
	}
}

static void
put_doubts(struct end *p, uint64_t sid, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ipc_begin(p->c, IPC_DOUBT);
		ipc_put_u64(p->c, sid);
		ipc_put_u32(p->c, i % 4);
		assert_int_equal(ipc_end(p->c), E_OK);
	}
}

/* So many messages, and nobody was accused. */
static void
expect_many(struct end *p, unsigned n)
{
	while (p->unheard < n) {
		assert_false(p->gone);
		assert_true(wait_for(WAIT));
	}
	p->unheard = 0;
	assert_int_equal(kit.parent.unheard, 0);
}

/* A client has much asked at a time: what is too much is answered as well, and
 * doubts leave room for it. */
static void
test_much_at_a_time(void **state)
{
	enum { DOUBTS = 100, VIEWS = 100 };
	struct end *p = &kit.pop3[0];

	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	put_doubts(p, 1, DOUBTS);
	say_fetch(1, 1, (const uint32_t[]){ 1 });
	assert_int_equal(expect(p, IPC_FETCHED)->m[0].status, FETCH_OK);
	close(p->heard.m[0].fd);
	say(p, IPC_RELEASE, 1);
	open_drop(0, 2);
	expect_opened(0, 2, 3);
	put_doubts(p, 2, DOUBTS);
	for (unsigned i = 0; i < VIEWS; i++) {
		ipc_begin(p->c, IPC_INDEX);
		ipc_put_u64(p->c, 2);
		assert_int_equal(ipc_end(p->c), E_OK);
	}
	ipc_flush(p->c);
	expect_many(p, VIEWS);
	say(p, IPC_RELEASE, 2);
	open_drop(1, 3);
	expect_opened(1, 3, 3);
	finish();
}

static void
say_closed(uint64_t sid, uint64_t octets)
{
	ipc_begin(kit.pop3[0].c, IPC_CLOSED);
	ipc_put_u64(kit.pop3[0].c, sid);
	ipc_put_u64(kit.pop3[0].c, octets);
	send_end(&kit.pop3[0]);
}

/* A message that the store makes: the session may end while it does so, and no
 * more of it is closed than there was. */
static void
test_made(void **state)
{
	enum { TIMES = 30 };
	struct end *p = &kit.pop3[0];
	struct heard *h;

	fixture_remove(&kit.f, "new/1.a");
	if (!fixture_put_gzip(&kit.f, "new/1.a", "packed\n", 7))
		skip();
	start();
	for (uint64_t sid = 1; sid <= TIMES; sid++) {
		open_drop(0, sid);
		expect_opened(0, sid, 3);
		say_fetch(sid, 2, (const uint32_t[]){ 1, 2 });
		if (sid % 2 == 0)
			say(p, IPC_RELEASE, sid);
		h = expect(p, IPC_FETCHED);
		assert_int_equal(h->n, 2);
		for (unsigned i = 0; i < 2; i++)
			if (h->m[i].status == FETCH_OK)
				close(h->m[i].fd);
		if (sid % 2 == 0)
			continue;
		assert_int_equal(h->m[0].status, FETCH_OK);
		assert_int_equal(h->m[0].made, 1);
		assert_int_equal(h->m[0].stored, 7);
		assert_int_equal(h->m[0].wire, 8);
		assert_int_equal(h->m[1].made, 0);
		say_closed(sid, 7);
		say(p, IPC_RELEASE, sid);
	}
	open_drop(0, 100);
	expect_opened(0, 100, 3);
	say_closed(100, 1);
	expect_misbehaved(ROLE_WORKER, 0);
	finish();
}

/* A worker that asks faster than it takes answers is slow, no more: what it
 * asks waits. */
static void
test_answers_first(void **state)
{
	enum { ASKED = 8000, UNREAD_MS = 1500 };
	uint32_t gone[IPC_FDS];
	struct end *p = &kit.pop3[0];

	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	fixture_remove(&kit.f, "new/1.a");
	for (unsigned i = 0; i < IPC_FDS; i++)
		gone[i] = 1;
	for (unsigned i = 0; i < ASKED; i++)
		say_fetch(1, IPC_FDS, gone);
	ipc_flush_wait(p->c, UNREAD_MS);
	expect_many(p, ASKED);
	say(p, IPC_RELEASE, 1);
	finish();
}

/* It names only sessions that were opened for itself. */
static void
test_foreign_sid(void **state)
{
	(void)state;
	start();
	open_drop(0, 1);
	expect_opened(0, 1, 3);
	say(&kit.pop3[1], IPC_RELEASE, 1); /* nothing to it */
	open_drop(1, 2);
	expect_refused(1, 2, SIGN_IN_IN_USE);
	say(&kit.pop3[1], IPC_COMMIT, 1);
	expect_misbehaved(ROLE_WORKER, 1);
	expect_gone(&kit.pop3[1]);
	finish();
}

static void
test_auth_misbehaves(void **state)
{
	(void)state;
	start();
	say(&kit.auth, IPC_RELEASE, 1);
	expect_misbehaved(ROLE_AUTH, 0);
	expect_gone(&kit.auth);
	finish();
}

/* A worker without a channel: auth is told, who can answer. */
static void
test_no_worker(void **state)
{
	struct heard *h;

	(void)state;
	start();
	kit.pids[POP3S] = 9;
	open_drop(POP3S, 6);
	h = expect(&kit.auth, IPC_NO_WORKER);
	assert_int_equal(h->index, POP3S);
	assert_int_equal(h->sid, 6);
	assert_int_equal(h->pid, 9);
	open_drop(1, 7); /* and the maildrop is free */
	expect_opened(1, 7, 3);
	finish();
}

/* Paths that are none, or not below the root. */
static void
test_paths(void **state)
{
	char path[256];

	(void)state;
	start();
	say_open(0, 1, "relative", "x");
	expect_refused(0, 1, SIGN_IN_PERMANENT);
	say_open(0, 2, "/etc", "x");
	expect_refused(0, 2, SIGN_IN_PERMANENT);
	snprintf(path, sizeof(path), "%s/../x", kit.f.base);
	say_open(0, 3, path, "x");
	expect_refused(0, 3, SIGN_IN_PERMANENT);
	/* The root's name is only the beginning of another one. */
	snprintf(path, sizeof(path), "%sx/Maildir", kit.f.base);
	say_open(0, 6, path, "x");
	expect_refused(0, 6, SIGN_IN_PERMANENT);
	/* One that is as long. */
	snprintf(path, sizeof(path), "%s/Maildir", kit.f.base);
	path[1] ^= 1;
	say_open(0, 7, path, "x");
	expect_refused(0, 7, SIGN_IN_PERMANENT);
	snprintf(path, sizeof(path), "maildir:%s//Maildir/", kit.f.base);
	say_open(0, 4, path, "x");
	expect_opened(0, 4, 3);
	/* It is one maildrop, however it is written. */
	open_drop(1, 5);
	expect_refused(1, 5, SIGN_IN_IN_USE);
	finish();
}

/* The root stands for each @. */
static void
say_open_host(uint16_t index, uint64_t sid, const char *pattern)
{
	char mail[512] = "";

	for (const char *p = pattern; *p != '\0'; p++)
		snprintf(mail + strlen(mail), sizeof(mail) - strlen(mail),
		    "%.*s", *p == '@' ? 200 : 1, *p == '@' ? kit.f.base : p);
	say_open(index, sid, mail, "x");
}

/* Of a whole host each must be one. */
static void
test_host_paths(void **state)
{
	static const char *const bad[] = { "host:", "host:relative",
		"host:@/Maildir:", "host::@/Maildir", "host:@/Maildir:/etc",
		"host:@/Maildir:@/../x", "host:@/Maildir:@" };
	uint64_t sid = 1;

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		say_open_host(0, sid, bad[i]);
		expect_refused(0, sid++, SIGN_IN_PERMANENT);
	}
	say_open_host(0, sid, "host:@/Maildir");
	expect_opened(0, sid, 3);
	/* Its maildrop is locked; and twice in one host it would be, too. */
	open_drop(1, 90);
	expect_refused(1, 90, SIGN_IN_IN_USE);
	say(&kit.pop3[0], IPC_RELEASE, sid);
	say_open_host(0, 91, "host:@/Maildir:@/Maildir");
	expect_refused(0, 91, SIGN_IN_IN_USE);
	open_drop(1, 92);
	expect_opened(1, 92, 3);
	finish();
}

/* Landlock holds for the threads: what is outside the root by a link is not
 * opened. */
static void
test_confined(void **state)
{
	struct drop_fixture other;
	char path[256];

	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0,
		LANDLOCK_CREATE_RULESET_VERSION) < 0)
		skip();
	fixture_init(&other);
	snprintf(path, sizeof(path), "%s/link", kit.f.base);
	assert_int_equal(symlink(other.base, path), 0);
	strcat(path, "/Maildir");
	start();
	say_open(0, 1, path, "x");
	expect_refused(0, 1, SIGN_IN_TEMPORARY);
	finish();
	fixture_must_open(&other);
	fixture_clear(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
		T(test_misbehaves),
		T(test_much_at_a_time),
		T(test_made),
		T(test_answers_first),
		T(test_foreign_sid),
		T(test_auth_misbehaves),
		T(test_no_worker),
		T(test_paths),
		T(test_host_paths),
		T(test_confined),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

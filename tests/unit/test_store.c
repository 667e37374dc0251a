/*
 * The store process, driven over its channels as the parent, auth and two
 * workers would.
 */
#include <ev.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "drop.h"
#include "server/ipc/ipc.h"
#include "server/ipc/login_mark.h"

enum { POP3S = 2, WAIT = 20 /* seconds for any answer */ };

/* The last message that came by a channel. */
struct heard {
	uint16_t type;
	uint64_t sid, octets, end;
	uint32_t count, left_out, removed, failed;
	uint8_t role, code, ok, n;
	uint16_t index;
	uint32_t pid;
	char user[NAME_MAX_OCTETS + 1], from[PEER_MAX];
	uint64_t since;
	struct login_mark counted;
	struct hold_message m[IPC_FDS];
	int fd;
};

struct end {
	struct ipc_chan *c;
	struct heard heard;
	unsigned unheard; /* messages since expect() */
	bool gone;
};

static struct kit {
	struct drop_fixture f;
	struct ev_loop *loop;
	struct end parent, auth, pop3[POP3S];
	int fd[POP3S];            /* other ends of channels not attached */
	uint32_t pids[POP3S + 1]; /* of the workers; one is not there */
	pid_t pid;
	/* Of what is opened from now on. */
	bool read_only;
	uint32_t retention, login_delay;
} kit;

/* ---- what comes ---- */

/* Of a sign-in: random in life, but the store must not need to know. */
static uint64_t
token(uint64_t sid)
{
	return ~sid * 3;
}

/* Of a sign-in that counts for LOGIN-DELAY. */
static struct login_mark
mark(uint64_t sid)
{
	return kit.login_delay != 0 ? (struct login_mark){ sid * 7, sid + 1000 }
				    : (struct login_mark){ 0, 0 };
}

static void
hear_opened(struct heard *h, struct ipc_in *in)
{
	h->sid = ipc_get_u64(in);
	assert_int_equal(ipc_get_u64(in), token(h->sid));
	ipc_get_str(in, h->user, sizeof(h->user));
	h->count = ipc_get_u32(in);
	h->octets = ipc_get_u64(in);
	h->left_out = ipc_get_u32(in);
	assert_int_equal(ipc_get_u8(in), kit.read_only);
	assert_int_equal(ipc_get_u32(in), 0);
	assert_int_equal(ipc_get_u32(in), kit.retention);
	assert_int_equal(ipc_get_u32(in), kit.login_delay);
}

static void
hear_fetched(struct heard *h, struct ipc_in *in)
{
	h->sid = ipc_get_u64(in);
	h->n = ipc_get_u8(in);
	for (unsigned i = 0; i < h->n && i < IPC_FDS; i++) {
		h->m[i].msgno = ipc_get_u32(in);
		h->m[i].status = (enum fetch_status)ipc_get_u8(in);
		h->m[i].made = ipc_get_u8(in);
		h->m[i].offset = ipc_get_u64(in);
		h->m[i].stored = ipc_get_u64(in);
		h->m[i].wire = ipc_get_u64(in);
	}
	for (unsigned i = 0; i < h->n && i < IPC_FDS; i++)
		h->m[i].fd = h->m[i].status == FETCH_OK ? ipc_get_fd(in) : -1;
}

static enum err
hear(void *arg, struct ipc_in *in)
{
	struct end *end = arg;
	struct heard *h = &end->heard;

	memset(h, 0, sizeof(*h));
	h->fd = -1;
	h->type = in->type;
	end->unheard++;
	switch (in->type) {
	case IPC_READY:
	case IPC_IDLE: break;
	case IPC_MISBEHAVED:
		h->role = ipc_get_u8(in);
		h->index = ipc_get_u16(in);
		break;
	case IPC_OPENED: hear_opened(h, in); break;
	case IPC_NOT_OPENED:
		h->sid = ipc_get_u64(in);
		assert_int_equal(ipc_get_u64(in), token(h->sid));
		h->code = ipc_get_u8(in);
		ipc_get_str(in, h->user, sizeof(h->user));
		h->since = ipc_get_u64(in);
		ipc_get_str(in, h->from, sizeof(h->from));
		break;
	case IPC_INDEX_IS:
		h->sid = ipc_get_u64(in);
		h->ok = ipc_get_u8(in);
		h->end = ipc_get_u64(in);
		if (h->ok)
			h->fd = ipc_get_fd(in);
		break;
	case IPC_FETCHED: hear_fetched(h, in); break;
	case IPC_NO_WORKER:
		h->index = ipc_get_u16(in);
		h->sid = ipc_get_u64(in);
		h->pid = ipc_get_u32(in);
		break;
	case IPC_UNOPENED: h->counted = ipc_get_login_mark(in); break;
	case IPC_PONG:
		h->sid = ipc_get_u32(in);
		h->count = ipc_get_u32(in);
		break;
	case IPC_COMMITTED:
		h->sid = ipc_get_u64(in);
		h->removed = ipc_get_u32(in);
		h->failed = ipc_get_u32(in);
		break;
	default: h->sid = ipc_get_u64(in); h->count = ipc_get_u32(in);
	}
	assert_int_equal(ipc_get_end(in), E_OK);
	ev_break(kit.loop, EVBREAK_ALL);
	return E_OK;
}

static void
hear_gone(void *arg, enum err why)
{
	struct end *end = arg;

	(void)why;
	end->gone = true;
	ev_break(kit.loop, EVBREAK_ALL);
}

#define HEAR(type) \
	{ \
		type, 1, IPC_FDS, IPC_MSG_MAX, hear \
	}
static const struct ipc_rule rule[] = { HEAR(IPC_READY), HEAR(IPC_IDLE),
	HEAR(IPC_MISBEHAVED), HEAR(IPC_OPENED), HEAR(IPC_NOT_OPENED),
	HEAR(IPC_INDEX_IS), HEAR(IPC_FETCHED), HEAR(IPC_COMMITTED),
	HEAR(IPC_YIELD), HEAR(IPC_NO_WORKER), HEAR(IPC_UNOPENED),
	HEAR(IPC_PONG) };
static const struct ipc_rules rules = { rule, sizeof(rule) / sizeof(rule[0]),
	hear_gone };

static void
on_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	*(bool *)w->data = true;
	ev_break(loop, EVBREAK_ALL);
}

/* Runs the loop for so long, or until something is heard; false: nothing. */
static bool
wait_for(double seconds)
{
	bool late = false;
	ev_timer t;

	ev_timer_init(&t, on_late, seconds, 0.);
	t.data = &late;
	ev_timer_start(kit.loop, &t);
	ev_run(kit.loop, 0);
	ev_timer_stop(kit.loop, &t);
	return !late;
}

static struct heard *
expect(struct end *end, uint16_t type)
{
	while (end->unheard == 0) {
		assert_false(end->gone);
		assert_true(wait_for(WAIT));
	}
	assert_int_equal(end->heard.type, type);
	assert_int_equal(end->unheard, 1);
	end->unheard = 0;
	return &end->heard;
}

static void
expect_gone(struct end *end)
{
	while (!end->gone)
		assert_true(wait_for(WAIT));
	ipc_close(end->c);
	end->c = NULL;
}

/* ---- what goes ---- */

static void
send_end(struct end *end)
{
	assert_int_equal(ipc_end(end->c), E_OK);
	ipc_flush(end->c);
}

static void
say(struct end *end, uint16_t type, uint64_t sid)
{
	ipc_begin(end->c, type);
	ipc_put_u64(end->c, sid);
	send_end(end);
}

static void
say_open(uint16_t index, uint64_t sid, const char *mail, const char *from)
{
	ipc_begin(kit.auth.c, IPC_OPEN);
	ipc_put_u16(kit.auth.c, index);
	ipc_put_u64(kit.auth.c, sid);
	ipc_put_u64(kit.auth.c, token(sid));
	ipc_put_str(kit.auth.c, "alice");
	ipc_put_str(kit.auth.c, mail);
	ipc_put_str(kit.auth.c, from);
	ipc_put_u8(kit.auth.c, kit.read_only ? SESSION_READ_ONLY : 0);
	ipc_put_u32(kit.auth.c, kit.retention);
	ipc_put_u32(kit.auth.c, kit.login_delay);
	ipc_put_login_mark(kit.auth.c, mark(sid));
	ipc_put_u32(kit.auth.c, kit.pids[index]);
	send_end(&kit.auth);
}

static void
open_drop(uint16_t index, uint64_t sid)
{
	say_open(index, sid, kit.f.path, "192.0.2.7");
}

static void
say_fetch(uint64_t sid, unsigned n, const uint32_t *msgno)
{
	ipc_begin(kit.pop3[0].c, IPC_FETCH);
	ipc_put_u64(kit.pop3[0].c, sid);
	ipc_put_u8(kit.pop3[0].c, (uint8_t)n);
	for (unsigned i = 0; i < n; i++)
		ipc_put_u32(kit.pop3[0].c, msgno[i]);
	send_end(&kit.pop3[0]);
}

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

static void
say_marks(uint64_t sid, enum mark_kind kind, uint32_t first, const char *bitmap,
    size_t n)
{
	ipc_begin(kit.pop3[0].c, IPC_MARKS);
	ipc_put_u64(kit.pop3[0].c, sid);
	ipc_put_u8(kit.pop3[0].c, (uint8_t)kind);
	ipc_put_u32(kit.pop3[0].c, first);
	ipc_put_bytes(kit.pop3[0].c, bitmap, n);
	send_end(&kit.pop3[0]);
}

static void
say_stop(uint32_t ms)
{
	ipc_begin(kit.parent.c, IPC_STOP);
	ipc_put_u32(kit.parent.c, ms);
	send_end(&kit.parent);
}

static void
attach(enum ipc_role role, uint16_t index, struct end *end)
{
	int fd[2];

	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	*end =
	    (struct end){ .c = ipc_open(kit.loop, fd[0], &rules, end, false) };
	assert_non_null(end->c);
	ipc_begin(kit.parent.c, IPC_ATTACH);
	ipc_put_u8(kit.parent.c, (uint8_t)role);
	ipc_put_u16(kit.parent.c, index);
	ipc_put_u32(kit.parent.c, role == ROLE_WORKER ? ++kit.pids[index] : 1);
	ipc_put_fd(kit.parent.c, fd[1], FD_CLOSED);
	send_end(&kit.parent);
}

/* ---- a store ---- */

static void
be_store(int fd)
{
	/* Only its end, as after exec. */
	if (fd != ROLE_FD)
		dup2(fd, ROLE_FD);
	close_range(ROLE_FD + 1, ~0u, 0);
	_exit(store_main(ROLE_FD));
}

static void
start(void)
{
	int fd[2];

	kit.f.conf.role = (struct role_conf){
		.uid = geteuid(), .gid = getegid(), .memory = 1024
	};
	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	if ((kit.pid = fork()) == 0)
		be_store(fd[1]);
	close(fd[1]);
	kit.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	kit.parent = (struct end){ .c = ipc_open(kit.loop, fd[0], &rules,
				       &kit.parent, false) };
	ipc_begin(kit.parent.c, IPC_CONF);
	ipc_put_fields(kit.parent.c, &store_conf_fields, &kit.f.conf);
	send_end(&kit.parent);
	expect(&kit.parent, IPC_READY);
	attach(ROLE_AUTH, 0, &kit.auth);
	for (uint16_t i = 0; i < POP3S; i++)
		attach(ROLE_WORKER, i, &kit.pop3[i]);
}

/* Ends it if it has not ended; its exit status must be 0. */
static void
finish(void)
{
	int status;

	if (kit.parent.c != NULL && !kit.parent.gone)
		say_stop(0);
	assert_int_equal(waitpid(kit.pid, &status, 0), kit.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	ipc_close(kit.parent.c);
	ipc_close(kit.auth.c);
	for (unsigned i = 0; i < POP3S; i++)
		ipc_close(kit.pop3[i].c);
	ev_loop_destroy(kit.loop);
}

static int
setup(void **state)
{
	(void)state;
	memset(&kit, 0, sizeof(kit));
	fixture_init(&kit.f);
	kit.f.conf.threads = 3;
	kit.f.conf.per_user_max = 16;
	fixture_put(&kit.f, "new/1.a", "one\n");
	fixture_put(&kit.f, "cur/2.b:2,F", "two\n");
	fixture_put(&kit.f, "cur/3.c:2,S", "three\n");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_clear(&kit.f);
	return 0;
}

static void
expect_opened(unsigned i, uint64_t sid, uint32_t count)
{
	struct heard *h = expect(&kit.pop3[i], IPC_OPENED);

	assert_int_equal(h->sid, sid);
	assert_string_equal(h->user, "alice");
	assert_int_equal(h->count, count);
}

static void
expect_refused(unsigned i, uint64_t sid, enum sign_in_code code)
{
	struct heard *h = expect(&kit.pop3[i], IPC_NOT_OPENED);

	assert_int_equal(h->sid, sid);
	assert_int_equal(h->code, code);
	assert_string_equal(h->user, "alice");
}

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

/* ---- who may say what ---- */

static void
expect_misbehaved(enum ipc_role role, uint16_t index)
{
	struct heard *h = expect(&kit.parent, IPC_MISBEHAVED);

	assert_int_equal(h->role, role);
	assert_int_equal(h->index, index);
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
	while (p->unheard < VIEWS) {
		assert_false(p->gone);
		assert_true(wait_for(WAIT));
	}
	p->unheard = 0;
	assert_int_equal(kit.parent.unheard, 0);
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
	while (p->unheard < ASKED) {
		assert_false(p->gone);
		assert_true(wait_for(WAIT));
	}
	p->unheard = 0;
	assert_int_equal(kit.parent.unheard, 0);
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
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_session),
		T(test_noted),
		T(test_in_use),
		T(test_unopened),
		T(test_other_process),
		T(test_waits_for_commit),
		T(test_takeover),
		T(test_takeover_kept),
		T(test_takeover_late),
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

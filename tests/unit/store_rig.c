#include "store_rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct kit kit;

/* ---- what comes ---- */

/* Of a sign-in: random in life, but the store must not need to know. */
static uint64_t
token(uint64_t sid)
{
	return ~sid * 3;
}

/* Of a sign-in that counts for LOGIN-DELAY. */
struct login_mark
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

bool
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

struct heard *
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

void
expect_gone(struct end *end)
{
	while (!end->gone)
		assert_true(wait_for(WAIT));
	ipc_close(end->c);
	end->c = NULL;
}

/* ---- what goes ---- */

void
send_end(struct end *end)
{
	assert_int_equal(ipc_end(end->c), E_OK);
	ipc_flush(end->c);
}

void
say(struct end *end, uint16_t type, uint64_t sid)
{
	ipc_begin(end->c, type);
	ipc_put_u64(end->c, sid);
	send_end(end);
}

void
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

void
open_drop(uint16_t index, uint64_t sid)
{
	say_open(index, sid, kit.f.path, "192.0.2.7");
}

void
say_fetch(uint64_t sid, unsigned n, const uint32_t *msgno)
{
	ipc_begin(kit.pop3[0].c, IPC_FETCH);
	ipc_put_u64(kit.pop3[0].c, sid);
	ipc_put_u8(kit.pop3[0].c, (uint8_t)n);
	for (unsigned i = 0; i < n; i++)
		ipc_put_u32(kit.pop3[0].c, msgno[i]);
	send_end(&kit.pop3[0]);
}

void
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

void
say_stop(uint32_t ms)
{
	ipc_begin(kit.parent.c, IPC_STOP);
	ipc_put_u32(kit.parent.c, ms);
	send_end(&kit.parent);
}

void
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

void
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

void
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

int
kit_setup(void **state)
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

int
kit_teardown(void **state)
{
	(void)state;
	fixture_clear(&kit.f);
	return 0;
}

void
expect_opened(unsigned i, uint64_t sid, uint32_t count)
{
	struct heard *h = expect(&kit.pop3[i], IPC_OPENED);

	assert_int_equal(h->sid, sid);
	assert_string_equal(h->user, "alice");
	assert_int_equal(h->count, count);
}

void
expect_refused(unsigned i, uint64_t sid, enum sign_in_code code)
{
	struct heard *h = expect(&kit.pop3[i], IPC_NOT_OPENED);

	assert_int_equal(h->sid, sid);
	assert_int_equal(h->code, code);
	assert_string_equal(h->user, "alice");
}

void
expect_misbehaved(enum ipc_role role, uint16_t index)
{
	struct heard *h = expect(&kit.parent, IPC_MISBEHAVED);

	assert_int_equal(h->role, role);
	assert_int_equal(h->index, index);
}

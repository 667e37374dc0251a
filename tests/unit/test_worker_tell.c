/*
 * What a worker says to the others, where there is no room for it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "server/ipc/proto.h"
#include "server/worker/session_state.h"
#include "server/worker/worker_state.h"
#include "server/worker/worker_tell.h"

static struct {
	struct ev_loop *loop;
	struct ipc_chan *chan;
	int other;
	unsigned n_gone;
	enum err gone;
} t;

static void
on_gone(void *arg, enum err why)
{
	(void)arg;
	t.n_gone++;
	t.gone = why;
}

static const struct ipc_rules no_rules = { NULL, 0, on_gone };

static int
set_up(void **state)
{
	int fd[2];

	(void)state;
	memset(&t, 0, sizeof(t));
	t.loop = ev_loop_new(EVFLAG_AUTO);
	if (ipc_pair(fd, NULL) != E_OK)
		return -1;
	t.other = fd[1];
	t.chan = ipc_open(t.loop, fd[0], &no_rules, NULL, false);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	ipc_close(t.chan);
	close(t.other);
	ev_loop_destroy(t.loop);
	return 0;
}

/* The other end reads nothing: in the end not even a number finds room. */
static void
fill(void)
{
	static const char marks[MARKS_CHUNK];

	for (size_t n = sizeof(marks); n > 0; n /= 2)
		do {
			ipc_begin(t.chan, IPC_MARKS);
			ipc_put_bytes(t.chan, marks, n);
		} while (ipc_end(t.chan) == E_OK);
}

static void
turn(void)
{
	ev_run(t.loop, EVRUN_NOWAIT);
}

static void
test_room(void **state)
{
	(void)state;
	session_tell(t.chan, IPC_RELEASE, 1);
	turn();
	assert_int_equal(t.n_gone, 0);
}

/* Else the store would keep the maildrop for a session that is over, as long as
 * the worker lives. */
static void
test_no_room_for_a_last_word(void **state)
{
	(void)state;
	fill();
	turn();
	assert_int_equal(t.n_gone, 0);
	fill();
	session_tell(t.chan, IPC_RELEASE, 1);
	turn();
	assert_int_equal(t.n_gone, 1);
	assert_int_equal(t.gone, E_FORMAT);
}

/* A session that ends before what auth is to be told of it has left. */
static void
test_connection_outlives_its_session(void **state)
{
	static struct worker w;
	struct session s = { .worker = &w };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w.auth = t.chan;
	conn_init(&s.conn, pair[0]);
	ipc_begin(t.chan, IPC_PASS);
	ipc_put_fd(t.chan, pair[0], FD_STAYS);
	assert_int_equal(ipc_end(t.chan), E_OK);
	session_disconnect(&s);
	assert_true(fcntl(pair[0], F_GETFD) >= 0);
	turn();
	assert_true(fcntl(pair[0], F_GETFD) < 0);
	assert_int_equal(t.n_gone, 0);

	conn_init(&s.conn, pair[1]);
	session_disconnect(&s);
	assert_true(fcntl(pair[1], F_GETFD) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_no_room_for_a_last_word, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_connection_outlives_its_session, set_up, tear_down),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

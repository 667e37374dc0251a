/* Closing on a thread: what waits holds up no loop, and all is closed once. */
#include <arpa/inet.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/close_later.h"
#include "linger.h"

enum {
	DEADLINE = 60,
	PIPES = CLOSE_LATER_MANY + 50,
	OURS = 7,
	THEIRS,
};

static struct ev_loop *loop;

/* Files that wait for all threads at once are more than a shell permits. */
static int
begin_all(void **state)
{
	struct rlimit lim;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = lim.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &lim);
}

static int
begin(void **state)
{
	struct errbuf eb;

	loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	assert_non_null(loop);
	assert_int_equal(close_later_start(loop, &eb), E_OK);
	return 0;
}

static int
end(void **state)
{
	close_later_end();
	ev_loop_destroy(loop);
	return 0;
}

/* The end to read; the other one is to be closed later. */
static int
open_pipe(int *w_r)
{
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	*w_r = fd[1];
	return fd[0];
}

static bool
is_closed(int reader, int ms)
{
	struct pollfd p = { .fd = reader };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLHUP) != 0;
}

static void
on_deadline(struct ev_loop *l, ev_timer *w, int revents)
{
	fail_msg("time is over");
}

static void
turn_until(unsigned waiting)
{
	ev_timer deadline;

	ev_timer_init(&deadline, on_deadline, DEADLINE, 0.);
	ev_timer_start(loop, &deadline);
	while (close_later_waiting() > waiting)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &deadline);
}

static void
test_one(void **state)
{
	int w, r = open_pipe(&w);

	close_later(w, OURS);
	assert_int_equal(close_later_waiting(), 1);
	assert_false(is_closed(r, 0));
	turn_until(0);
	assert_true(is_closed(r, 0));
	close(r);
	/* The loop rests then. */
	ev_run(loop, EVRUN_ONCE);
	assert_int_equal(ev_pending_count(loop), 0);
}

/* The thread begins when there are many, whether or not the loop turns. */
static void
test_many(void **state)
{
	int r[PIPES], w[PIPES];

	for (int i = 0; i < PIPES; i++)
		r[i] = open_pipe(&w[i]);
	for (int i = 0; i < CLOSE_LATER_MANY; i++)
		close_later(w[i], OURS);
	for (int i = 0; i < CLOSE_LATER_MANY; i++)
		assert_true(is_closed(r[i], DEADLINE * 1000));
	for (int i = CLOSE_LATER_MANY; i < PIPES; i++)
		close_later(w[i], OURS);
	turn_until(0);
	for (int i = 0; i < PIPES; i++) {
		assert_true(is_closed(r[i], 0));
		close(r[i]);
	}
}

static void
on_tick(struct ev_loop *l, ev_timer *w, int revents)
{
	unsigned *ticks = w->data;

	if (++*ticks == 10)
		ev_break(l, EVBREAK_ALL);
}

static void
test_one_that_waits(void **state)
{
	unsigned ticks = 0;
	ev_timer tick;
	int peer, w, r = open_pipe(&w), fd = lingering(&peer, DEADLINE);

	close_later(fd, OURS);
	close_later(w, OURS);
	ev_timer_init(
	    &tick, on_tick, CLOSE_LATER_MS / 1e3, CLOSE_LATER_MS / 1e3);
	tick.data = &ticks;
	ev_timer_start(loop, &tick);
	ev_run(loop, 0);
	ev_timer_stop(loop, &tick);
	assert_int_equal(close_later_waiting(), 2);
	assert_false(is_closed(r, 0));
	close(peer);
	turn_until(0);
	assert_true(is_closed(r, 0));
	close(r);
}

/* What one owner's file system does not let go of, handed on as often as there
 * are threads, holds up nobody else; and all is counted. */
static void
test_others_do_not_wait(void **state)
{
	int peer[CLOSE_LATER_THREADS], r[CLOSE_LATER_MANY], w;

	for (int i = 0; i < CLOSE_LATER_THREADS; i++) {
		close_later(lingering(&peer[i], DEADLINE), THEIRS);
		for (int k = 1; k < CLOSE_LATER_MANY; k++) {
			close(open_pipe(&w));
			close_later(w, THEIRS);
		}
	}
	for (int i = 0; i < CLOSE_LATER_MANY; i++) {
		r[i] = open_pipe(&w);
		close_later(w, OURS);
	}
	turn_until(CLOSE_LATER_THREADS * CLOSE_LATER_MANY);
	for (int i = 0; i < CLOSE_LATER_MANY; i++) {
		assert_true(is_closed(r[i], 0));
		close(r[i]);
	}
	for (int i = 0; i < CLOSE_LATER_THREADS; i++)
		close(peer[i]);
	turn_until(0);
}

/* ---- what may be opened meanwhile ---- */

static time_t ahead;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = __real_clock_gettime(clock, t);

	t->tv_sec += ahead;
	return r;
}

/* Fills all that one owner may have, behind n files that are not let go. */
static void
fill_up(uint32_t of, unsigned many, int n, int peer[])
{
	int w;

	for (int i = 0; i < n; i++)
		close_later(lingering(&peer[i], DEADLINE), of);
	while (close_later_waiting() < many) {
		close(open_pipe(&w));
		close_later(w, of);
	}
}

/* Of files of nobody all may wait, of an owner's a quarter; who has so many waits
 * for them, and when none was let go for seconds, there is no more. */
static void
test_share(void **state)
{
	static const uint32_t of[] = { 0, THEIRS };
	const unsigned many = 2 * CLOSE_LATER_MANY, most = 4 * many;
	int peer[3 * CLOSE_LATER_THREADS];

	for (size_t k = 0; k < sizeof(of) / sizeof(of[0]); k++) {
		bool own = of[k] == THEIRS;
		int n = own ? 1 : CLOSE_LATER_THREADS;

		fill_up(of[k], many, n, peer);
		assert_int_equal(close_later_room(of[k], most),
		    own ? CLOSE_WAIT : CLOSE_ROOM);
		assert_int_equal(close_later_room(OURS, most), CLOSE_ROOM);
		assert_int_equal(close_later_room(OURS, many), CLOSE_WAIT);
		ahead = 5;
		assert_int_equal(close_later_room(of[k], most),
		    own ? CLOSE_STUCK : CLOSE_ROOM);
		assert_int_equal(close_later_room(OURS, most), CLOSE_ROOM);
		assert_int_equal(close_later_room(OURS, many), CLOSE_STUCK);
		ahead = 0;
		while (n > 0)
			close(peer[--n]);
		turn_until(0);
	}
}

/* As long as some are closed there will be room. */
static void
test_progress(void **state)
{
	const unsigned many = 2 * CLOSE_LATER_MANY;
	int w, first, second;

	close_later(lingering(&first, DEADLINE), THEIRS);
	fill_up(THEIRS, CLOSE_LATER_MANY, 0, NULL); /* is handed on */
	close_later(lingering(&second, DEADLINE), THEIRS);
	fill_up(THEIRS, many + 1, 0, NULL);
	ahead = 5;
	assert_int_equal(close_later_room(THEIRS, 4 * many), CLOSE_STUCK);
	close(first);
	turn_until(many + 1 - CLOSE_LATER_MANY);
	while (close_later_waiting() < many) {
		close(open_pipe(&w));
		close_later(w, THEIRS);
	}
	assert_int_equal(close_later_room(THEIRS, 4 * many), CLOSE_WAIT);
	ahead = 10;
	assert_int_equal(close_later_room(THEIRS, 4 * many), CLOSE_STUCK);
	ahead = 0;
	close(second);
	turn_until(0);
}

static void
test_end(void **state)
{
	int w, r = open_pipe(&w);

	close_later(w, OURS);
	close_later_end();
	assert_true(is_closed(r, 0));
	close(r);
	assert_int_equal(close_later_waiting(), 0);
	/* Without a thread. */
	r = open_pipe(&w);
	close_later(w, OURS);
	assert_true(is_closed(r, 0));
	close(r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one, begin, end),
		cmocka_unit_test_setup_teardown(test_many, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_one_that_waits, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_others_do_not_wait, begin, end),
		cmocka_unit_test_setup_teardown(test_share, begin, end),
		cmocka_unit_test_setup_teardown(test_progress, begin, end),
		cmocka_unit_test_setup_teardown(test_end, begin, end),
	};

	return cmocka_run_group_tests(tests, begin_all, NULL);
}

/*
 * Jobs on threads: each once, with its done() on the loop; cancelled, drained,
 * and the quick not held up by the slow.
 */
#include <ev.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/pool.h"

enum { DEADLINE = 60, JOBS = 1000 };

struct counted {
	struct pool_job job;
	unsigned ran, done, number;
};

static struct ev_loop *loop;
static struct pool *pool;
static pthread_t loop_thread;
static unsigned left;     /* done() calls until the loop may end */
static unsigned sequence; /* of the jobs of a pool with one thread */
static bool wrong;
static atomic_bool hold, given_up;
static atomic_uint held, held_most;

static void
pool_begin(unsigned threads)
{
	struct errbuf eb;

	loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	assert_non_null(loop);
	loop_thread = pthread_self();
	assert_int_equal(pool_new(&pool, loop, threads, &eb), E_OK);
	sequence = 0;
	held = held_most = 0;
	wrong = false;
}

static void
pool_over(void)
{
	pool_free(pool);
	ev_loop_destroy(loop);
}

static void
on_deadline(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
	given_up = true;
	fail_msg("the deadline is over");
}

static void
run_loop(void)
{
	ev_timer deadline;

	ev_timer_init(&deadline, on_deadline, DEADLINE, 0.);
	ev_timer_start(loop, &deadline);
	ev_run(loop, 0);
	ev_timer_stop(loop, &deadline);
}

static void
nap(void)
{
	static const struct timespec ms = { 0, 1000000 };

	nanosleep(&ms, NULL);
}

static void
run_count(struct pool_job *j)
{
	struct counted *c = (struct counted *)j;
	sigset_t blocked;

	c->ran++;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	if (pthread_equal(pthread_self(), loop_thread) ||
	    !sigismember(&blocked, SIGTERM))
		wrong = true;
}

static void
run_in_sequence(struct pool_job *j)
{
	struct counted *c = (struct counted *)j;

	if (c->number != sequence++)
		wrong = true;
	run_count(j);
}

static void
done_count(struct pool_job *j)
{
	struct counted *c = (struct counted *)j;

	c->done++;
	if (!pthread_equal(pthread_self(), loop_thread))
		wrong = true;
	if (--left == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void
run_hold(struct pool_job *j)
{
	unsigned n = atomic_fetch_add(&held, 1) + 1;

	(void)j;
	if (n > held_most)
		held_most = n;
	while (hold && !given_up)
		nap();
	atomic_fetch_sub(&held, 1);
}

static void
wait_held(unsigned n)
{
	while (held != n)
		nap(); /* or the test's own deadline is over */
}

static void
count_all(unsigned threads, void (*run)(struct pool_job *))
{
	static struct counted c[JOBS];

	pool_begin(threads);
	left = JOBS;
	for (unsigned i = 0; i < JOBS; i++) {
		c[i] =
		    (struct counted){ .job = { .run = run, .done = done_count },
			    .number = i };
		pool_add(pool, &c[i].job);
	}
	run_loop();
	for (unsigned i = 0; i < JOBS; i++) {
		assert_int_equal(c[i].ran, 1);
		assert_int_equal(c[i].done, 1);
	}
	assert_false(wrong);
	assert_int_equal(pool_unfinished(pool), 0);
	pool_over();
}

static void
test_each_once(void **state)
{
	(void)state;
	count_all(4, run_count);
}

static void
test_in_order(void **state)
{
	(void)state;
	count_all(1, run_in_sequence);
}

/* Only what has not begun can be cancelled. */
static void
test_cancel(void **state)
{
	struct counted first = { .job = {
				     .run = run_hold, .done = done_count } };
	struct counted second = { .job = {
				      .run = run_count, .done = done_count } };
	struct counted third = second;

	(void)state;
	pool_begin(1);
	hold = true;
	left = 2;
	pool_add(pool, &first.job);
	wait_held(1);
	pool_add(pool, &second.job);
	pool_add(pool, &third.job);
	assert_int_equal(pool_unfinished(pool), 3);
	assert_false(pool_cancel(pool, &first.job));
	assert_true(pool_cancel(pool, &second.job));
	assert_false(pool_cancel(pool, &second.job));
	assert_int_equal(pool_unfinished(pool), 2);
	hold = false;
	run_loop();
	assert_int_equal(second.ran + second.done, 0);
	assert_int_equal(third.ran, 1);
	assert_false(pool_cancel(pool, &third.job));
	pool_over();
}

/* The end of a pool waits for what it was given. */
static void
test_drain(void **state)
{
	struct counted c[JOBS];

	(void)state;
	pool_begin(3);
	for (unsigned i = 0; i < JOBS; i++) {
		c[i] = (struct counted){ .job = { .run = run_count,
					     .done = done_count,
					     .slow = i % 2 != 0 } };
		pool_add(pool, &c[i].job);
	}
	pool_over();
	for (unsigned i = 0; i < JOBS; i++) {
		assert_int_equal(c[i].ran, 1);
		assert_int_equal(c[i].done, 0);
	}
}

static void
done_free(struct pool_job *j)
{
	(void)j;
	pool_free(pool);
	ev_break(loop, EVBREAK_ALL);
}

static void
test_free_when_done(void **state)
{
	struct counted c = { .job = { .run = run_count, .done = done_free } };

	(void)state;
	pool_begin(2);
	pool_add(pool, &c.job);
	run_loop();
	assert_int_equal(c.ran, 1);
	ev_loop_destroy(loop);
}

/* ---- whose ---- */

static void
done_let_go(struct pool_job *j)
{
	hold = false;
	done_count(j);
}

/* Of one owner's jobs, which never end, one has a thread; another's is done. */
static void
test_share(void **state)
{
	struct counted own[4], others = {
		.job = { .run = run_count, .done = done_let_go, .of = 6 }
	};

	(void)state;
	pool_begin(3);
	pool_limit(pool, 1);
	hold = true;
	left = 5;
	for (unsigned i = 0; i < 4; i++) {
		own[i] = (struct counted){
			.job = { .run = run_hold, .done = done_count, .of = 5 }
		};
		pool_add(pool, &own[i].job);
	}
	pool_add(pool, &others.job);
	run_loop();
	assert_int_equal(held_most, 1);
	assert_int_equal(others.ran, 1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(own[i].done, 1);
	pool_over();
}

/* ---- slow and quick ---- */

static unsigned quick_left;

static void
done_quick(struct pool_job *j)
{
	(void)j;
	if (--quick_left == 0)
		hold = false; /* only now may the slow ones end */
}

static void
test_slow_leave_a_thread(void **state)
{
	enum { SLOW = 10, QUICK = 100 };
	struct counted c[SLOW + QUICK];

	(void)state;
	pool_begin(3);
	hold = true;
	left = SLOW;
	quick_left = QUICK;
	for (unsigned i = 0; i < SLOW + QUICK; i++) {
		bool slow = i < SLOW;

		c[i] = (struct counted){
			.job = { .run = slow ? run_hold : run_count,
			    .done = slow ? done_count : done_quick,
			    .slow = slow }
		};
		pool_add(pool, &c[i].job);
	}
	run_loop();
	assert_int_equal(held_most, 2);
	pool_over();
}

static atomic_bool slow_ran;

static void
run_after_slow(struct pool_job *j)
{
	(void)j;
	while (!slow_ran && !given_up)
		nap();
}

static void
run_slow(struct pool_job *j)
{
	(void)j;
	slow_ran = true;
}

/* Quick ones wait that were there before, and would keep both threads. */
static void
test_slow_has_its_turn(void **state)
{
	enum { HOLDERS = 2, QUICK = 8, ALL = HOLDERS + QUICK + 1 };
	struct counted c[ALL];

	(void)state;
	pool_begin(2);
	hold = true;
	slow_ran = false;
	left = ALL;
	for (unsigned i = 0; i < ALL; i++) {
		c[i] = (struct counted){
			.job = { .run = i < HOLDERS ? run_hold : run_after_slow,
			    .done = done_count }
		};
		if (i == ALL - 1) {
			c[i].job.run = run_slow;
			c[i].job.slow = true;
		}
		pool_add(pool, &c[i].job);
		if (i == HOLDERS - 1)
			wait_held(HOLDERS);
	}
	hold = false;
	run_loop();
	pool_over();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_free_when_done),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_slow_leave_a_thread),
		cmocka_unit_test(test_slow_has_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Jobs: those of a line in order and alone, none held up by a long one.
 */
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/store/job.h"

enum { LINES = 50, JOBS = 200, DEADLINE = 60 };

struct line {
	struct job_line line;
	atomic_int running;
	unsigned next; /* not atomic: the line alone must protect it */
	unsigned done;
	bool wrong;
};

struct work {
	struct job job;
	struct line *line;
	unsigned number;
};

static unsigned left;
static struct ev_loop *loop;

static void
run_count(struct job *j)
{
	struct work *w = (struct work *)j;

	if (atomic_fetch_add(&w->line->running, 1) != 0 ||
	    w->line->next++ != w->number)
		w->line->wrong = true;
	atomic_fetch_sub(&w->line->running, 1);
}

static void
done_count(struct job *j)
{
	struct work *w = (struct work *)j;

	if (w->line->done++ != w->number)
		w->line->wrong = true;
	free(w);
	if (--left == 0)
		ev_break(loop, EVBREAK_ALL);
}

static void
on_deadline(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
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

static struct pool *
pool_with(unsigned threads)
{
	struct pool *p;
	struct errbuf eb;

	loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	assert_non_null(loop);
	assert_int_equal(pool_new(&p, loop, threads, &eb), E_OK);
	return p;
}

static void
pool_end(struct pool *p)
{
	pool_free(p);
	ev_loop_destroy(loop);
}

static void
test_order(void **state)
{
	struct pool *p = pool_with(4);
	struct line line[LINES] = { 0 };

	(void)state;
	for (unsigned i = 0; i < LINES; i++)
		job_line_init(&line[i].line);
	left = LINES * JOBS;
	for (unsigned k = 0; k < JOBS; k++)
		for (unsigned i = 0; i < LINES; i++) {
			struct work *w = calloc(1, sizeof(*w));

			assert_non_null(w);
			w->job.run = run_count;
			w->job.done = done_count;
			w->job.slow = (i + k) % 3 == 0;
			w->line = &line[i];
			w->number = k;
			job_add(p, &line[i].line, &w->job);
		}
	run_loop();
	for (unsigned i = 0; i < LINES; i++) {
		assert_false(line[i].wrong);
		assert_int_equal(line[i].done, JOBS);
		assert_int_equal(line[i].line.pending, 0);
	}
	pool_end(p);
}

/* ---- long ones ---- */

static atomic_bool hold;
static atomic_uint holding, holding_most;

static void
run_hold(struct job *j)
{
	static const struct timespec ms = { 0, 1000000 };
	unsigned n = atomic_fetch_add(&holding, 1) + 1;

	(void)j;
	if (n > holding_most)
		holding_most = n;
	while (hold)
		nanosleep(&ms, NULL);
	atomic_fetch_sub(&holding, 1);
}

static void
run_nothing(struct job *j)
{
	(void)j;
}

static void
done_quick(struct job *j)
{
	(void)j;
	if (--left == 0)
		hold = false; /* only now may the long ones end */
}

static unsigned long_left;

static void
done_hold(struct job *j)
{
	(void)j;
	if (--long_left == 0)
		ev_break(loop, EVBREAK_ALL);
}

/* Any number of long jobs leaves a thread for the others. */
static void
test_long(void **state)
{
	enum { LONG = 10, QUICK = 100 };
	struct pool *p = pool_with(3);
	struct job_line line[LONG + QUICK];
	struct job job[LONG + QUICK];

	(void)state;
	hold = true;
	holding = holding_most = 0;
	left = QUICK;
	long_left = LONG;
	for (unsigned i = 0; i < LONG + QUICK; i++) {
		bool slow = i < LONG;

		job_line_init(&line[i]);
		job[i] = (struct job){ .run = slow ? run_hold : run_nothing,
			.done = slow ? done_hold : done_quick,
			.slow = slow };
		job_add(p, &line[i], &job[i]);
	}
	run_loop();
	assert_int_equal(holding_most, 2);
	pool_end(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

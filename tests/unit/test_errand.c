/* Work on a thread that nobody waits for longer than they want: who has it in
 * the end. */
#include <ev.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/errand.h"

enum { PATIENCE = 30 };

/* The work: it waits until it may end. */
static struct work {
	sem_t may_end, dropped;
	pthread_t ran_on;
} work;

static struct {
	unsigned calls;
	bool in_time;
} got;

static void
work_run(void *arg)
{
	struct work *w = arg;

	w->ran_on = pthread_self();
	while (sem_wait(&w->may_end) != 0)
		;
}

static void
work_drop(void *arg)
{
	sem_post(&((struct work *)arg)->dropped);
}

static void
done(void *arg, bool in_time)
{
	got.calls++;
	got.in_time = in_time;
	ev_break(EV_DEFAULT, EVBREAK_ONE);
}

static struct errand *
start(double timeout)
{
	struct errbuf eb;
	struct errand *e;

	got.calls = 0;
	sem_init(&work.may_end, 0, 0);
	sem_init(&work.dropped, 0, 0);
	ev_now_update(EV_DEFAULT);
	assert_int_equal(errand_start(&e,
			     &(struct errand_question){
				 .loop = EV_DEFAULT,
				 .timeout = timeout,
				 .work = &work,
				 .run = work_run,
				 .drop = work_drop,
				 .done = done,
			     },
			     &eb),
	    E_OK);
	return e;
}

static bool
is_dropped(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	return sem_timedwait(&work.dropped, &until) == 0;
}

static void
work_in_time_is_the_callers(void **state)
{
	start(PATIENCE);
	sem_post(&work.may_end);
	ev_run(EV_DEFAULT, 0);
	assert_int_equal(got.calls, 1);
	assert_true(got.in_time);
	assert_false(pthread_equal(work.ran_on, pthread_self()));
	assert_int_equal(sem_trywait(&work.dropped), -1);
}

static void
work_that_is_late_is_dropped(void **state)
{
	start(0.01);
	ev_run(EV_DEFAULT, 0);
	assert_int_equal(got.calls, 1);
	assert_false(got.in_time);
	assert_int_equal(sem_trywait(&work.dropped), -1);
	sem_post(&work.may_end);
	assert_true(is_dropped());
}

static void
work_that_is_left_is_dropped(void **state)
{
	errand_leave(start(PATIENCE));
	ev_run(EV_DEFAULT, EVRUN_NOWAIT);
	assert_int_equal(sem_trywait(&work.dropped), -1);
	sem_post(&work.may_end);
	assert_true(is_dropped());
	ev_run(EV_DEFAULT, EVRUN_NOWAIT);
	assert_int_equal(got.calls, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_in_time_is_the_callers),
		cmocka_unit_test(work_that_is_late_is_dropped),
		cmocka_unit_test(work_that_is_left_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

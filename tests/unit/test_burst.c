/*
 * Log lines about bursts: the timer is fired by hand.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/burst.h"
#include "base/log.h"

static void
fire(struct burst *b, struct ev_loop *loop)
{
	ev_feed_event(loop, &b->timer, EV_TIMER);
	ev_run(loop, EVRUN_NOWAIT);
}

/* Reads what was logged since the last time. */
static const char *
logged(int fd)
{
	static char text[256];
	ssize_t n;

	log_flush();
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_burst(void **state)
{
	struct burst b = { .words = "ev=crowd more" };
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	int log[2];

	(void)state;
	assert_int_equal(pipe2(log, O_NONBLOCK | O_CLOEXEC), 0);
	log_open(log[1], "test");
	assert_true(burst_is_first(&b, loop));
	for (int i = 0; i < 5; i++)
		assert_false(burst_is_first(&b, loop));
	fire(&b, loop);
	assert_string_equal(logged(log[0]), "W test ev=crowd more=5\n");
	/* It goes on, and is counted from nothing. */
	assert_false(burst_is_first(&b, loop));
	fire(&b, loop);
	assert_string_equal(logged(log[0]), "W test ev=crowd more=1\n");
	/* None came: it is over, and the next one is a first one. */
	fire(&b, loop);
	assert_string_equal(logged(log[0]), "");
	assert_true(burst_is_first(&b, loop));
	assert_false(burst_is_first(&b, loop));
	ev_timer_stop(loop, &b.timer);
	ev_loop_destroy(loop);
	close(log[0]);
	close(log[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

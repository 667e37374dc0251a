/* A line from which more comes than can be taken: the loop has other things to do. */
#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/line.h"

enum { TURNS = 20, MOST = 100000, DEADLINE = 60 };

static struct {
	struct ev_loop *loop;
	struct line line;
	ev_async other; /* something else that has happened */
	unsigned came, turns;
	int listener;
	atomic_bool over;
} t;

/* Writes as long as anybody reads. */
static void *
talkative(void *arg)
{
	static const char text[64 * 1024] = "x";
	int fd = accept(t.listener, NULL, NULL);

	while (!t.over && send(fd, text, sizeof(text), MSG_NOSIGNAL) > 0)
		;
	close(fd);
	return NULL;
}

static void
on_dialed(void *arg, enum err e, const char *words)
{
	assert_int_equal(e, E_OK);
}

/* There is always more. */
static void
on_came(void *arg)
{
	int more = 0;

	if (t.came == 0) /* no turn has passed before it speaks */
		ev_async_send(t.loop, &t.other);
	buf_consume(&t.line.in, t.line.in.len);
	while (more == 0)
		assert_int_equal(ioctl(t.line.conn.fd, FIONREAD, &more), 0);
	if (++t.came <= MOST)
		return;
	line_close(&t.line);
	ev_break(t.loop, EVBREAK_ALL);
}

static void
on_other(struct ev_loop *loop, ev_async *w, int revents)
{
	if (++t.turns == TURNS)
		ev_break(loop, EVBREAK_ALL);
	else
		ev_async_send(loop, w);
}

static void
nothing(void *arg)
{
}

static void
lost(void *arg, enum err e)
{
	fail();
}

static void
others_have_their_turn(void **state)
{
	static const struct line_hooks hooks = { .dialed = on_dialed,
		.came = on_came,
		.writable = nothing,
		.lost = lost };
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	struct dial_conf conf = { .host = "127.0.0.1", .timeout = DEADLINE };
	struct dialer *dialer;
	pthread_t thread;
	struct errbuf eb;

	t.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(t.listener, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(t.listener, 1), 0);
	assert_int_equal(getsockname(t.listener, (struct sockaddr *)&a, &n), 0);
	conf.port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&thread, NULL, talkative, NULL), 0);
	t.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	assert_int_equal(dialer_new(&dialer, t.loop, &eb), E_OK);
	ev_async_init(&t.other, on_other);
	ev_async_start(t.loop, &t.other);
	line_init(&t.line, t.loop, &hooks, NULL);
	assert_int_equal(line_dial(&t.line, dialer, &conf, &eb), E_OK);
	ev_run(t.loop, 0);
	assert_int_equal(t.turns, TURNS);
	assert_true(t.came <= MOST);
	t.over = true;
	line_close(&t.line);
	pthread_join(thread, NULL);
	ev_async_stop(t.loop, &t.other);
	dialer_free(dialer);
	ev_loop_destroy(t.loop);
	close(t.listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_have_their_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

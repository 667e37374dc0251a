/* Dialling: real sockets on the loopback, a name server and a proxy of the
 * test's own. */
#include <arpa/inet.h>
#include <dirent.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/dial.h"

static struct {
	struct ev_loop *loop;
	struct dialer *dialer;
	struct dial *dial;
	ev_timer guard;
	unsigned calls;
	enum err e;
	int fd;
	char words[256];
	double took;
} t;

static unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* ---- sockets ---- */

/* A socket on a free port of the family's loopback; *port_r 0: any. */
static int
bound(int family, uint16_t *port_r)
{
	struct sockaddr_storage a = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *in4 = (void *)&a;
	struct sockaddr_in6 *in6 = (void *)&a;
	socklen_t len = family == AF_INET ? sizeof(*in4) : sizeof(*in6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	in4->sin_port = htons(*port_r);
	if (family == AF_INET)
		in4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		in6->sin6_addr = in6addr_loopback;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (void *)&a, len), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
	*port_r = ntohs(in4->sin_port);
	return fd;
}

static int
listening(int family, uint16_t *port_r)
{
	int fd = bound(family, port_r);

	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

/* Listens, but its queue is full: who connects hears nothing. */
struct hole {
	int fds[8];
};

static void
hole_open(struct hole *h, int family, uint16_t *port_r)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	h->fds[0] = bound(family, port_r);
	assert_int_equal(listen(h->fds[0], 0), 0);
	getsockname(h->fds[0], (void *)&a, &len);
	for (size_t i = 1; i < 8; i++) {
		h->fds[i] = socket(
		    family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(h->fds[i], (void *)&a, len);
	}
	usleep(20000);
}

static void
hole_close(struct hole *h)
{
	for (size_t i = 0; i < 8; i++)
		close(h->fds[i]);
}

/* ---- a name server ---- */

enum { IN_A = 1, IN_AAAA = 28, NXDOMAIN = 3, SERVFAIL = 2 };

static struct {
	int fd;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint asked;
	char text[32];
} dns;

static size_t
put_answer(unsigned char *p, const unsigned char *addr, size_t n)
{
	static const unsigned char head[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 9,
		0 };

	memcpy(p, head, sizeof(head));
	p[3] = n == 4 ? IN_A : IN_AAAA;
	p[11] = (unsigned char)n;
	memcpy(p + 12, addr, n);
	return 12 + n;
}

/* "both", "six", "four", "many", "none", "empty", "fail", "silent" .test */
static size_t
dns_answer(unsigned char *p, size_t n)
{
	static const unsigned char v4[] = { 127, 0, 0, 1 };
	unsigned char a[16] = { 0 };
	const char *name = (const char *)p + 13;
	unsigned type = p[n - 3];
	size_t end = n;

	p[2] |= 0x84;
	p[3] = 0x80;
	a[15] = 1;
	if (strncmp(name, "silent", 6) == 0)
		return 0;
	if (strncmp(name, "none", 4) == 0)
		p[3] |= NXDOMAIN;
	if (strncmp(name, "fail", 4) == 0)
		p[3] |= SERVFAIL;
	if (type == IN_A &&
	    (strncmp(name, "both", 4) == 0 || strncmp(name, "four", 4) == 0)) {
		end += put_answer(p + end, v4, 4);
		p[7]++;
	}
	if (type == IN_AAAA &&
	    (strncmp(name, "both", 4) == 0 || strncmp(name, "six", 3) == 0)) {
		end += put_answer(p + end, a, 16);
		p[7]++;
	}
	for (int i = 0; type == IN_A && i < 20; i++) {
		unsigned char v[] = { 127, 0, 0, (unsigned char)(100 + i) };

		if (strncmp(name, "many", 4) != 0)
			break;
		end += put_answer(p + end, v, 4);
		p[7]++;
	}
	return end;
}

static void *
dns_main(void *arg)
{
	unsigned char buf[1024];
	struct sockaddr_storage from;
	struct pollfd pfd = { .fd = dns.fd, .events = POLLIN };

	(void)arg;
	while (!atomic_load(&dns.stop)) {
		socklen_t len = sizeof(from);
		ssize_t n;

		if (poll(&pfd, 1, 20) != 1)
			continue;
		n = recvfrom(dns.fd, buf, 512, 0, (void *)&from, &len);
		if (n < 17)
			continue;
		atomic_fetch_add(&dns.asked, 1);
		buf[10] = buf[11] = 0; /* no EDNS in the answer */
		n = (ssize_t)dns_answer(buf, (size_t)n);
		if (n > 0)
			sendto(dns.fd, buf, (size_t)n, 0, (void *)&from, len);
	}
	return NULL;
}

static void
dns_open(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	dns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(dns.fd, (void *)&a, len), 0);
	getsockname(dns.fd, (void *)&a, &len);
	snprintf(dns.text, sizeof(dns.text), "127.0.0.1:%u", ntohs(a.sin_port));
	pthread_create(&dns.thread, NULL, dns_main, NULL);
}

/* ---- a call ---- */

static void
on_guard(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void
on_done(void *arg, enum err e, int fd, const char *words)
{
	assert_ptr_equal(arg, &t);
	t.calls++;
	t.e = e;
	t.fd = fd;
	snprintf(t.words, sizeof(t.words), "%s", words);
	ev_break(t.loop, EVBREAK_ALL);
}

static void
run_for(double seconds)
{
	ev_now_update(t.loop);
	ev_timer_init(&t.guard, on_guard, seconds, 0.);
	ev_timer_start(t.loop, &t.guard);
	ev_run(t.loop, 0);
	ev_timer_stop(t.loop, &t.guard);
}

static void
start(const char *host, uint16_t port, const char *proxy, double timeout)
{
	struct dial_conf conf = {
		.host = host, .port = port, .proxy = proxy, .timeout = timeout
	};

	t.calls = 0;
	t.fd = -1;
	assert_int_equal(
	    dial_start(&t.dial, t.dialer, &conf, on_done, &t, NULL), E_OK);
	assert_int_equal(t.calls, 0);
}

static enum err
dial(const char *host, uint16_t port, const char *proxy, double timeout)
{
	uint64_t from = clock_ms();

	start(host, port, proxy, timeout);
	run_for(10);
	t.took = (double)(clock_ms() - from) / 1e3;
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.e == E_OK, t.fd >= 0);
	return t.e;
}

static void
words_have(const char *a, unsigned port, const char *b)
{
	char text[16];

	snprintf(text, sizeof(text), "port %u", port);
	if (strstr(t.words, a) == NULL || strstr(t.words, text) == NULL ||
	    strstr(t.words, b) == NULL)
		fail_msg("\"%s\"", t.words);
}

static void
close_fd(void)
{
	close(t.fd);
	t.fd = -1;
}

/* ---- addresses ---- */

static int
option(int level, int name)
{
	socklen_t len = sizeof(int);
	int v = -1;

	getsockopt(t.fd, level, name, &v, &len);
	return v;
}

static void
an_address_is_connected_to(void **state)
{
	uint16_t port4 = 0, port6 = 0;
	int l4 = listening(AF_INET, &port4), l6 = listening(AF_INET6, &port6);

	(void)state;
	assert_int_equal(dial("127.0.0.1", port4, NULL, 5), E_OK);
	assert_string_equal(t.words, "127.0.0.1");
	assert_true(fcntl(t.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(t.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(option(IPPROTO_TCP, TCP_NODELAY) > 0);
	assert_true(option(SOL_SOCKET, SO_KEEPALIVE) > 0);
	close_fd();
	assert_int_equal(dial("::1", port6, NULL, 5), E_OK);
	assert_string_equal(t.words, "::1");
	close_fd();
	assert_int_equal(atomic_load(&dns.asked), 0);
	close(l4);
	close(l6);
}

static void
failures_are_told_in_words(void **state)
{
	uint16_t port = 0, silent = 0;
	int b = bound(AF_INET, &port);
	struct hole h;

	(void)state;
	assert_int_equal(dial("127.0.0.1", port, NULL, 5), E_CLOSED);
	words_have("127.0.0.1", port, "refused");
	hole_open(&h, AF_INET, &silent);
	assert_int_equal(dial("127.0.0.1", silent, NULL, 0.3), E_AGAIN);
	words_have("127.0.0.1", silent, "no answer within 0.3 s");
	assert_true(t.took > 0.25 && t.took < 2);
	hole_close(&h);
	close(b);
}

static void
what_makes_no_sense_is_not_begun(void **state)
{
	struct dial_conf conf = { .host = "a b", .port = 1, .timeout = 1 };
	struct errbuf eb;

	(void)state;
	assert_int_equal(
	    dial_start(&t.dial, t.dialer, &conf, on_done, &t, &eb), E_CONFIG);
	assert_null(t.dial);
	assert_non_null(strstr(eb.text, "\"a b\""));
	conf.host = "localhost";
	conf.proxy = "http://x";
	assert_int_equal(
	    dial_start(&t.dial, t.dialer, &conf, on_done, &t, &eb), E_CONFIG);
	assert_non_null(strstr(eb.text, "proxy"));
	assert_int_equal(dial_check_proxy("http://x", &eb), E_CONFIG);
	assert_int_equal(dial_check_proxy("a:b@localhost:9050", &eb), E_OK);
	dial_cancel(NULL);
}

/* ---- names ---- */

static void
names_are_looked_up(void **state)
{
	uint16_t port = 0;
	int l = listening(AF_INET, &port);

	(void)state;
	assert_int_equal(dial("four.test", port, NULL, 5), E_OK);
	assert_string_equal(t.words, "127.0.0.1");
	close_fd();
	assert_int_equal(dial("four.test.", port, NULL, 5), E_OK);
	close_fd();
	assert_int_equal(dial("localhost", port, NULL, 5), E_OK);
	close_fd();
	close(l);
}

static void
names_that_fail(void **state)
{
	(void)state;
	assert_int_equal(dial("none.test", 995, NULL, 5), E_NOENT);
	words_have("none.test", 995, "there is no computer of that name");
	assert_int_equal(dial("empty.test", 995, NULL, 5), E_NOENT);
	words_have("empty.test", 995, "that name has no address");
	assert_int_equal(dial("fail.test", 995, NULL, 5), E_IO);
	words_have("fail.test", 995, "name server");
	assert_int_equal(dial("silent.test", 995, NULL, 0.3), E_AGAIN);
	words_have("silent.test", 995, "not found within 0.3 s");
	assert_true(t.took > 0.25 && t.took < 2);
}

/* C-ENG-37, RFC 8305 */
static void
the_other_family_is_tried(void **state)
{
	uint16_t port = 0;
	int l4 = listening(AF_INET, &port), b6 = bound(AF_INET6, &port);
	double best = 9;
	struct hole h;

	(void)state;
	for (size_t i = 0; i < 3; i++) { /* a busy machine is not our fault */
		assert_int_equal(dial("both.test", port, NULL, 5), E_OK);
		assert_string_equal(t.words, "127.0.0.1");
		close_fd();
		best = t.took < best ? t.took : best;
	}
	assert_true(best < 0.2);
	close(b6);
	hole_open(&h, AF_INET6, &port);
	assert_int_equal(dial("both.test", port, NULL, 5), E_OK);
	assert_string_equal(t.words, "127.0.0.1");
	assert_true(t.took > 0.2 && t.took < 2);
	close_fd();
	hole_close(&h);
	b6 = listening(AF_INET6, &port);
	assert_int_equal(dial("both.test", port, NULL, 5), E_OK);
	assert_string_equal(t.words, "::1");
	close_fd();
	close(b6);
	close(l4);
}

static void
the_most_telling_failure_is_told(void **state)
{
	uint16_t port = 0;
	int b4 = bound(AF_INET, &port);
	struct hole h;

	(void)state;
	hole_open(&h, AF_INET6, &port);
	assert_int_equal(dial("both.test", port, NULL, 0.6), E_AGAIN);
	words_have("both.test", port, "no answer within");
	hole_close(&h);
	b4 = (close(b4), bound(AF_INET, &port));
	assert_int_equal(dial("both.test", port, NULL, 5), E_CLOSED);
	words_have("both.test", port, "refused");
	/* Twenty addresses, sixteen are tried. */
	assert_int_equal(dial("many.test", port, NULL, 5), E_CLOSED);
	words_have("many.test", port, "refused");
	close(b4);
}

/* ---- cancelling ---- */

static void
cancel_after(double seconds)
{
	if (seconds > 0)
		run_for(seconds);
	dial_cancel(t.dial);
	run_for(0.05);
	assert_int_equal(t.calls, 0);
}

static void
it_can_be_cancelled_at_any_time(void **state)
{
	unsigned fds = open_fds(), quiet;
	uint16_t port = 0, silent = 0;
	int l = listening(AF_INET, &port);
	char proxy[64];
	struct hole h;

	(void)state;
	hole_open(&h, AF_INET, &silent);
	quiet = open_fds();
	snprintf(proxy, sizeof(proxy), "127.0.0.1:%u", port);
	start("127.0.0.1", port, NULL, 5);
	cancel_after(0);
	start("silent.test", port, NULL, 5);
	cancel_after(0.05);
	start("127.0.0.1", silent, NULL, 5);
	cancel_after(0.05);
	start("both.test", silent, NULL, 5);
	cancel_after(0.05);
	start("pop.example.org", 995, proxy, 5); /* nobody answers there */
	cancel_after(0.1);
	assert_int_equal(open_fds(), quiet);
	hole_close(&h);
	assert_int_equal(open_fds(), fds + 1);
	/* While the proxy is talked to, the other attempts are over. */
	hole_open(&h, AF_INET6, &port);
	snprintf(proxy, sizeof(proxy), "both.test:%u", port);
	quiet = open_fds();
	start("pop.example.org", 995, proxy, 5);
	run_for(0.5);
	assert_int_equal(open_fds(), quiet + 1);
	cancel_after(0);
	hole_close(&h);
	close(l);
	assert_int_equal(open_fds(), fds);
}

static void
many_at_the_same_time(void **state)
{
	struct dial_conf conf = { .host = "four.test", .timeout = 5 };
	struct dial *dials[50];
	uint16_t port = 0;
	int l = listening(AF_INET, &port);
	unsigned fds = open_fds();

	(void)state;
	t.calls = 0;
	conf.port = port;
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(
		    dial_start(&dials[i], t.dialer, &conf, on_done, &t, NULL),
		    E_OK);
	for (size_t i = 0; i < 50; i += 2)
		dial_cancel(dials[i]);
	for (size_t i = 0; i < 25 && t.calls < 25; i++) {
		run_for(5);
		if (t.e != E_OK)
			fail_msg("%s", t.words);
	}
	assert_int_equal(t.calls, 25);
	assert_int_equal(open_fds(), fds + 25);
	close(l);
	/* on_done() keeps the last only. */
	for (int fd = 3; fd < 1024; fd++) {
		struct sockaddr_in a;
		socklen_t len = sizeof(a);

		if (getpeername(fd, (void *)&a, &len) == 0 &&
		    a.sin_port == htons(port))
			close(fd);
	}
}

/* ---- the proxy ---- */

struct script {
	const char *say[3];
	size_t n[3];
	size_t cut; /* ends the connection after that many octets */
	bool slowly;
	int listener;
	pthread_t thread;
};

static bool
say(int fd, struct script *s, size_t part, size_t *said)
{
	for (size_t i = 0; i < s->n[part]; i++) {
		if (*said == s->cut)
			return false;
		if (send(fd, s->say[part] + i, 1, MSG_NOSIGNAL) != 1)
			return false;
		++*said;
		if (s->slowly)
			usleep(1000);
	}
	return *said != s->cut;
}

/* Answers each message with the next of its replies. */
static void *
proxy_main(void *arg)
{
	struct script *s = arg;
	struct timeval tv = { .tv_sec = 5 };
	int fd = accept(s->listener, NULL, NULL), one = 1;
	size_t said = 0;
	char buf[600];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (size_t i = 0; i < 3 && s->say[i] != NULL; i++) {
		if (recv(fd, buf, sizeof(buf), 0) <= 0 || !say(fd, s, i, &said))
			goto out;
	}
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
out:
	/* What is unread would make a reset of the end. */
	shutdown(fd, SHUT_WR);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	close(fd);
	return NULL;
}

static enum err
dial_by_proxy(struct script *s, const char *user)
{
	uint16_t port = 0;
	char proxy[64];
	enum err e;

	s->listener = listening(AF_INET, &port);
	snprintf(proxy, sizeof(proxy), "%s127.0.0.1:%u", user, port);
	pthread_create(&s->thread, NULL, proxy_main, s);
	e = dial("pop.example.org", 995, proxy, 5);
	if (e == E_OK) {
		char greeting[16];
		struct pollfd pfd = { .fd = t.fd, .events = POLLIN };
		size_t n = 0;

		while (n < 5 && poll(&pfd, 1, 1000) == 1) {
			ssize_t r = recv(t.fd, greeting + n, 5 - n, 0);

			assert_true(r > 0);
			n += (size_t)r;
		}
		assert_memory_equal(greeting, "+OK\r\n", 5);
		close_fd();
	}
	pthread_join(s->thread, NULL);
	close(s->listener);
	return e;
}

static void
a_proxy_connects(void **state)
{
	struct script plain = {
		.say = { "\5\0", "\5\0\0\1\1\2\3\4\5\6+OK\r\n" },
		.n = { 2, 15 },
		.cut = 99,
	};
	struct script signs_in = {
		.say = { "\5\2", "\1\0", "\5\0\0\3\2ab\5\6+OK\r\n" },
		.n = { 2, 2, 14 },
		.cut = 99,
	};

	(void)state;
	assert_int_equal(dial_by_proxy(&plain, ""), E_OK);
	assert_string_equal(t.words, "127.0.0.1");
	plain.slowly = true;
	assert_int_equal(dial_by_proxy(&plain, "socks5://"), E_OK);
	assert_int_equal(dial_by_proxy(&signs_in, "ana:secret@"), E_OK);
	signs_in.slowly = true;
	assert_int_equal(dial_by_proxy(&signs_in, "ana:secret@"), E_OK);
}

static void
a_proxy_that_is_cut_off(void **state)
{
	struct script s = {
		.say = { "\5\2", "\1\0", "\5\0\0\3\2ab\5\6+OK\r\n" },
		.n = { 2, 2, 14 },
	};

	(void)state;
	for (s.cut = 0; s.cut < 4 + 9; s.cut++) {
		assert_int_equal(dial_by_proxy(&s, "ana:secret@"), E_IO);
		words_have(
		    "pop.example.org", 995, "proxy closed the connection");
	}
	assert_int_equal(
	    dial_by_proxy(&(struct script){ .cut = 0 }, ""), E_AGAIN);
}

static void
a_proxy_refuses(void **state)
{
	struct script rules = { .say = { "\5\0", "\5\2\0\1\0\0\0\0\0\0" },
		.n = { 2, 10 },
		.cut = 99 };
	struct script wrong = {
		.say = { "\5\2", "\1\1" }, .n = { 2, 2 }, .cut = 99
	};
	struct script http = {
		.say = { "HTTP/1.0 400 Bad\r\n" }, .n = { 18 }, .cut = 99
	};
	uint16_t port = 0;
	int b = bound(AF_INET, &port);
	char proxy[64];

	(void)state;
	assert_int_equal(dial_by_proxy(&rules, ""), E_DENIED);
	words_have("pop.example.org", 995, "the proxy refused: its rules");
	assert_int_equal(dial_by_proxy(&wrong, "ana:secret@"), E_DENIED);
	words_have("pop.example.org", 995, "wrong user or password");
	assert_null(strstr(t.words, "secret"));
	assert_int_equal(dial_by_proxy(&http, ""), E_FORMAT);
	words_have("pop.example.org", 995, "does not speak SOCKS5");
	snprintf(proxy, sizeof(proxy), "127.0.0.1:%u", port);
	assert_int_equal(dial("pop.example.org", 995, proxy, 5), E_CLOSED);
	words_have("proxy 127.0.0.1", port, "refused");
	assert_int_equal(dial("pop.example.org", 995, "none.test", 5), E_NOENT);
	words_have("proxy none.test", 1080, "no computer of that name");
	close(b);
}

static void
a_proxy_that_is_silent(void **state)
{
	uint16_t port = 0;
	int l = listening(AF_INET, &port);
	char proxy[64];

	(void)state;
	snprintf(proxy, sizeof(proxy), "127.0.0.1:%u", port);
	assert_int_equal(dial("pop.example.org", 995, proxy, 0.3), E_AGAIN);
	words_have("pop.example.org", 995, "proxy did not connect within 0.3");
	close(l);
}

static int
setup(void **state)
{
	(void)state;
	dns_open();
	t.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (dialer_new(&t.dialer, t.loop, NULL) != E_OK)
		return -1;
	dialer_set_servers(t.dialer, dns.text);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dialer_free(t.dialer);
	ev_loop_destroy(t.loop);
	atomic_store(&dns.stop, true);
	pthread_join(dns.thread, NULL);
	close(dns.fd);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_connected_to),
		cmocka_unit_test(failures_are_told_in_words),
		cmocka_unit_test(what_makes_no_sense_is_not_begun),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(names_that_fail),
		cmocka_unit_test(the_other_family_is_tried),
		cmocka_unit_test(the_most_telling_failure_is_told),
		cmocka_unit_test(it_can_be_cancelled_at_any_time),
		cmocka_unit_test(many_at_the_same_time),
		cmocka_unit_test(a_proxy_connects),
		cmocka_unit_test(a_proxy_that_is_cut_off),
		cmocka_unit_test(a_proxy_refuses),
		cmocka_unit_test(a_proxy_that_is_silent),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

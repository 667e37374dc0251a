/*
 * LMTP: a server that plays a script, right or wrong (RFC 2033, C-ENG-31).
 */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "deliver.h"

/* Rows: "C:" a line that must begin so, "S:" what is sent as it is, "R" takes
 * what comes up to the dot, "X" ends the connection, "Z" is silent for ever.
 * At the end of the rows the other end must have closed it. */
struct server {
	int listener;
	const char *const *rows;
	pthread_t thread;
	char wrong[512]; /* what was, empty if nothing */
	unsigned connections;
};

static bool
read_line(FILE *f, struct buf *b)
{
	int c;

	buf_consume(b, b->len);
	do {
		char octet;

		if ((c = getc(f)) == EOF)
			return false;
		octet = (char)c;
		assert_int_equal(buf_put(b, &octet, 1), E_OK);
	} while (c != '\n');
	return true;
}

static bool
take_row(struct server *s, FILE *f, const char *row, struct buf *b)
{
	size_t n = strlen(row) - (row[1] == ':' ? 2 : 0);

	if (row[0] == 'S')
		return send(fileno(f), row + 2, n, MSG_NOSIGNAL) == (ssize_t)n;
	if (row[0] == 'R') {
		while (read_line(f, b) && memcmp(buf_data(b), ".\r\n", 3) != 0)
			;
		return true;
	}
	if (row[0] != 'C')
		return false;
	if (!read_line(f, b) || b->len < 2 || b->len < n ||
	    memcmp(buf_data(b), row + 2, n) != 0 ||
	    memcmp(buf_data(b) + b->len - 2, "\r\n", 2) != 0) {
		snprintf(s->wrong, sizeof(s->wrong), "%.200s, not %.200s",
		    b->len > 0 ? buf_data(b) : "the end", row + 2);
		return false;
	}
	return true;
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	struct buf b;

	buf_init(&b, 1 << 20, false);
	while (*s->rows != NULL && s->wrong[0] == '\0') {
		struct pollfd p = { s->listener, POLLIN, 0 };
		FILE *f;

		if (poll(&p, 1, 10000) != 1) {
			snprintf(s->wrong, sizeof(s->wrong), "no connection");
			break;
		}
		f = fdopen(accept(s->listener, NULL, NULL), "r+");
		s->connections++;
		while (*s->rows != NULL && take_row(s, f, *s->rows, &b))
			s->rows++;
		if (s->wrong[0] == '\0' &&
		    (*s->rows == NULL || **s->rows == 'Z') && getc(f) != EOF)
			snprintf(s->wrong, sizeof(s->wrong), "more came");
		if (*s->rows != NULL)
			s->rows++;
		fclose(f);
	}
	buf_free(&b);
	return NULL;
}

static void
start(struct place *p, struct server *s, const char *const *rows)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	*s = (struct server){ .rows = rows };
	snprintf(to.sun_path, sizeof(to.sun_path), "%s/lmtp", p->base);
	unlink(to.sun_path);
	s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    bind(s->listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(s->listener, 5), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
finish(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	if (s->wrong[0] != '\0')
		fail_msg("%s", s->wrong);
}

static int
setup(void **state)
{
	static struct place p;

	place_init(&p, DEST_LMTP, "lmtp");
	p.env.timeout = 20;
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	place_clear(*state);
	return 0;
}

/* Delivers the messages while the script is played. */
static void
play(struct place *p, const char *const *rows, const char *const *text,
    const enum err *result)
{
	struct parcel *v[DELIVER_MAX];
	struct server s;
	size_t n = 0;

	start(p, &s, rows);
	place_open(p);
	for (; text[n] != NULL; n++)
		v[n] = place_parcel(p, text[n], strlen(text[n]), NULL);
	assert_int_equal(delivery_prepare(p->d, v, n, &p->eb), E_OK);
	delivery_publish(p->d, v, n);
	delivery_release(p->d, v, n);
	finish(&s);
	for (size_t i = 0; i < n; i++) {
		if (v[i]->result != result[i])
			fail_msg(
			    "%zu: %s: %s", i, err_str(v[i]->result), v[i]->why);
		if (v[i]->result != E_OK)
			snprintf(
			    p->eb.text, sizeof(p->eb.text), "%s", v[i]->why);
	}
	/* Only what was stored has gone. */
	for (size_t i = 0; i < n; i++) {
		char path[1024];

		snprintf(path, sizeof(path), "state/spool/%s", v[i]->tmp);
		assert_int_equal(place_has(p, path), result[i] != E_OK);
		parcel_drop(v[i]);
	}
}

#define ROWS(...)    ((const char *const[]){ __VA_ARGS__, NULL })
#define RESULTS(...) ((const enum err[]){ __VA_ARGS__ })
#define HELLO        "S:220 x LMTP\r\n", "C:LHLO ", "S:250-x\r\n250 SIZE\r\n"
#define ENVELOPE \
	"C:MAIL FROM:<>\r\n", "S:250 ok\r\n", \
	    "C:RCPT TO:<ana@example.org>\r\n", "S:250 ok\r\n", "C:DATA\r\n", \
	    "S:354 go\r\n"
#define MESSAGE "C:A: b\r\n", "C:.\r\n"
#define RSET    "C:RSET\r\n", "S:250 ok\r\n"
/* Is the recipient one of the server's? */
#define ASK \
	"C:MAIL FROM:<>\r\n", "S:250 ok\r\n", "C:RCPT TO:<ana@example.org>\r\n"
#define BYE "C:QUIT\r\n", "S:221 bye\r\n"

static void
test_batch(void **state)
{
	struct place *p = *state;

	play(p,
	    ROWS("S:220 x LMTP\r\n", "C:LHLO ",
		"S:250-x\r\n250-SIZE\r\n250 8bitmime\r\n",
		"C:MAIL FROM:<a@b> BODY=8BITMIME\r\n", "S:250 ok\r\n",
		"C:RCPT TO:<ana@example.org>\r\n", "S:250 ok\r\n", "C:DATA\r\n",
		"S:354 go\r\n", "C:Return-Path: <a@b>\r\n", "C:\r\n",
		"C:..\r\n", "C:...x\r\n", "C:x.\r\n", "C:end\r\n", "C:.\r\n",
		"S:250-stored\r\n", "S:250 indeed\r\n",
		"C:MAIL FROM:<> BODY=8BITMIME\r\n", "S:250\r\n", "C:RCPT",
		"S:251 ok\r\n", "C:DATA", "S:354 go\r\n", MESSAGE,
		"S:250 ok\r\n", BYE),
	    ROWS("Return-Path: <a@b>\n\n.\n..x\nx.\nend", "A: b\n"),
	    RESULTS(E_OK, E_OK));
}

/* A refusal concerns its message, and is read as it is meant. */
static void
test_refusals(void **state)
{
	struct place *p = *state;

	play(p,
	    ROWS(HELLO, "C:MAIL FROM:<a@b>", "S:552 not you\r\n", RSET, ASK,
		"S:250 ok\r\n", RSET, "C:MAIL FROM:<c@d>", "S:250 ok\r\n",
		"C:RCPT", "S:450 later\r\n", RSET, ASK, "S:250 ok\r\n", RSET,
		ENVELOPE, MESSAGE, "S:452 full\r\n", "C:RSET", "S:250 ok\r\n",
		ENVELOPE, MESSAGE, "S:554 \x1b[2Jno\r\n", "C:RSET",
		"S:250 ok\r\n", "C:MAIL", "S:250 ok\r\n", "C:RCPT",
		"S:250 ok\r\n", "C:DATA", "S:451 not now\r\n", RSET, ASK,
		"S:250 ok\r\n", RSET, ENVELOPE, MESSAGE, "S:250 ok\r\n", BYE),
	    ROWS("Return-Path: <a@b>\n\n", "Return-Path: <c@d>\n\n", "A: b\n",
		"A: b\n", "A: b\n", "A: b\n"),
	    RESULTS(E_DENIED, E_AGAIN, E_AGAIN, E_DENIED, E_AGAIN, E_OK));
	play(p,
	    ROWS(HELLO, ENVELOPE, MESSAGE, "S:550 \x1b[2Jno\r\n", "C:RSET",
		"S:500 what\r\n", BYE),
	    ROWS("A: b\n"), RESULTS(E_DENIED));
	assert_non_null(strstr(p->eb.text, "550 \\x1b[2Jno"));
}

/* A lost connection is made anew, but not for ever. */
static void
test_lost(void **state)
{
	struct place *p = *state;

	play(p,
	    ROWS(HELLO, ENVELOPE, MESSAGE, "X", HELLO, ENVELOPE, MESSAGE,
		"S:250 ok\r\n", "C:MAIL", "X", HELLO, "X"),
	    ROWS("A: b\n", "A: b\n", "A: b\n", "A: b\n", "A: b\n"),
	    RESULTS(E_AGAIN, E_OK, E_AGAIN, E_AGAIN, E_CLOSED));
	assert_non_null(strstr(p->eb.text, "connection was lost"));
	assert_int_equal(delivery_failed(p->d, &p->eb), E_CLOSED);
	/* It is lost with each message, though it can be made. */
	play(p,
	    ROWS(HELLO, ENVELOPE, MESSAGE, "X", HELLO, ENVELOPE, MESSAGE, "X"),
	    ROWS("A: b\n", "A: b\n", "A: b\n"),
	    RESULTS(E_AGAIN, E_AGAIN, E_CLOSED));
}

/* It has no such user, or no room for him: no other message is tried. */
static void
test_recipient(void **state)
{
	static const char *const said[] = { "S:550 no such user\r\n",
		"S:452 full\r\n" };
	struct place *p = *state;

	for (unsigned i = 0; i < 2; i++) {
		play(p,
		    ROWS(HELLO, "C:MAIL", "S:250 ok\r\n", "C:RCPT", said[i],
			RSET, ASK, said[i], RSET, BYE),
		    ROWS("A: b\n", "A: b\n"), RESULTS(E_AGAIN, E_CLOSED));
		assert_int_equal(
		    delivery_failed(p->d, &p->eb), i == 0 ? E_DENIED : E_AGAIN);
		assert_non_null(strstr(p->eb.text, i == 0 ? "550" : "452"));
	}
}

static void
expect_tried(struct place *p, const char *const *rows, enum err e)
{
	struct server s;

	start(p, &s, rows);
	place_open(p);
	if (delivery_try(p->d, &p->eb) != e)
		fail_msg("%s", p->eb.text);
	finish(&s);
}

/* Before a message. */
static void
test_try(void **state)
{
	struct place *p = *state;

	expect_tried(p, ROWS(HELLO, ASK, "S:250 ok\r\n", RSET, BYE), E_OK);
	expect_tried(p, ROWS(HELLO, ASK, "S:550 who\r\n", RSET, BYE), E_DENIED);
	assert_non_null(strstr(p->eb.text, "550 who"));
	expect_tried(
	    p, ROWS(HELLO, "C:MAIL", "S:451 later\r\n", RSET, BYE), E_AGAIN);
	expect_tried(
	    p, ROWS("S:220 x\r\n", "C:LHLO", "S:502 no\r\n", "X"), E_DENIED);
	expect_tried(p, ROWS("X"), E_CLOSED);
	unlink(p->path);
	place_open(p);
	assert_int_equal(delivery_try(p->d, &p->eb), E_CLOSED);
	assert_non_null(strstr(p->eb.text, "cannot reach the LMTP server"));
}

/* Nothing of this is a promise that the message is stored. */
static void
test_hostile(void **state)
{
	static char endless[3000];
	struct place *p = *state;

	memset(endless, 'x', sizeof(endless) - 1);
	memcpy(endless, "S:250 ", 6);
	{
		const char *const *const scripts[] = {
			ROWS("S:554 go away\r\n"),
			ROWS("S:hello\r\n"),
			ROWS("S:\r\n"),
			ROWS("S:220 x\r\n", "C:LHLO", "S:500 no\r\n"),
			ROWS("S:220 x\r\n", "C:LHLO", "S:250-x\r\n220 y\r\n"),
			ROWS("S:220 x\r\n220 y\r\n250 x\r\n"),
			ROWS("S:220 x\r\n", "C:LHLO", "S:250 x\r\n250 y\r\n"),
			ROWS(HELLO, "C:MAIL", "S:250 x\r\n250 x\r\n"),
			ROWS(HELLO, "C:MAIL", "S:199 x\r\n"),
			ROWS(HELLO, "C:MAIL", "S:2500 x\r\n"),
			ROWS(HELLO, "C:MAIL", endless),
			ROWS(HELLO, "C:MAIL", "S:250 ok\r\n", "C:RCPT",
			    "S:250 ok\r\n", "C:DATA", "S:250 ok\r\n"),
			ROWS(HELLO, "C:MAIL", "S:250 ok\r\n", "C:RCPT",
			    "S:250 ok\r\n", "C:DATA",
			    "S:354 go\r\n250 stored\r\n", "R"),
			ROWS(HELLO, ENVELOPE, MESSAGE, "S:250"),
			ROWS(HELLO, ENVELOPE, MESSAGE, "S:250 ok"),
			ROWS(HELLO, ENVELOPE, MESSAGE, "S:250-ok\r\n"),
			ROWS(HELLO, ENVELOPE, MESSAGE, "S:-250 ok\r\n"),
		};

		for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]);
		     i++) {
			const char *rows[32];
			unsigned n = 0;

			while (scripts[i][n] != NULL) {
				rows[n] = scripts[i][n];
				n++;
			}
			rows[n++] = "X";
			rows[n] = NULL;
			/* Before the message has its turn it is not tried. */
			play(p, rows, ROWS("A: b\n"),
			    RESULTS(i < 6 ? E_CLOSED : E_AGAIN));
		}
	}
}

/* A reply of any number of lines is none. */
static void
test_many_lines(void **state)
{
	static char many[200 * 10 + 3] = "S:";

	for (unsigned i = 0; i < 200; i++)
		strcat(many, "250-x\r\n");
	play(*state, ROWS("S:220 x\r\n", "C:LHLO", many, "X"), ROWS("A: b\n"),
	    RESULTS(E_CLOSED));
}

static void
expect_late(struct place *p, const char *const *rows, enum err result)
{
	uint64_t begun = clock_ms();

	p->env.timeout = 1;
	play(p, rows, ROWS("A: b\n"), RESULTS(result));
	assert_in_range(clock_ms() - begun, 1000, 9000);
	assert_non_null(strstr(p->eb.text, "did not answer within 1 s"));
}

static void
test_silent(void **state)
{
	struct place *p = *state;

	expect_late(p, ROWS("Z"), E_CLOSED);
	expect_late(
	    p, ROWS("S:220 x\r\n", "C:LHLO", "S:250-x\r\n", "Z"), E_CLOSED);
	expect_late(p, ROWS(HELLO, ENVELOPE, MESSAGE, "Z"), E_AGAIN);
}

/* It does not take the message. */
static void
test_stalled(void **state)
{
	enum { SIZE = 8 << 20 };
	struct place *p = *state;
	char *text = malloc(SIZE);
	uint64_t begun = clock_ms();
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	static const char all[] = "220 x\r\n", more[] = "250 x\r\n";
	struct parcel *q;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	char line[64];
	pid_t pid;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/lmtp", p->base);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listener, 1), 0);
	memset(text, 'x', SIZE);
	text[0] = '\n';
	p->env.timeout = 1;
	place_open(p);
	q = place_parcel(p, text, SIZE, NULL);
	free(text);
	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	if ((pid = fork()) == 0) {
		fd = accept(listener, NULL, NULL);
		(void)!write(fd, all, sizeof(all) - 1);
		for (unsigned i = 0; i < 4; i++) {
			(void)!read(fd, line, sizeof(line));
			(void)!write(fd, i == 3 ? "354 go\r\n" : more,
			    i == 3 ? 8 : sizeof(more) - 1);
		}
		sleep(10);
		_exit(0);
	}
	delivery_publish(p->d, &q, 1);
	assert_int_equal(q->result, E_AGAIN);
	assert_in_range(clock_ms() - begun, 1000, 9000);
	parcel_drop(q);
	close(listener);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_no_server(void **state)
{
	struct place *p = *state;

	place_open(p);
	place_deliver(p, ROWS("A: b\n", "A: b\n", "A: b\n"), E_CLOSED);
	assert_non_null(strstr(p->eb.text, "cannot reach the LMTP server"));
}

static void
test_tcp(void **state)
{
	struct place *p = *state;
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	struct server s = {
		.rows = ROWS(HELLO, "C:MAIL FROM:<>", "S:250 ok\r\n",
		    "C:RCPT TO:<rui@example.net>\r\n", "S:250 ok\r\n", "C:DATA",
		    "S:354 go\r\n", MESSAGE, "S:250 ok\r\n", BYE)
	};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s.listener, (struct sockaddr *)&at, n), 0);
	assert_int_equal(
	    getsockname(s.listener, (struct sockaddr *)&at, &n), 0);
	assert_int_equal(listen(s.listener, 1), 0);
	assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
	p->dest.path = NULL;
	p->dest.host = "127.0.0.1";
	p->dest.port = ntohs(at.sin_port);
	p->dest.recipient = "rui@example.net";
	place_open(p);
	place_deliver(p, ROWS("A: b\n"), E_OK);
	finish(&s);
}

static void
test_bad_settings(void **state)
{
	static char *const bad[] = { "", "a b", "a>b", "a\r\nDATA",
		"\xc3\xa3@b" };
	struct place *p = *state;

	for (unsigned i = 0; i < 5; i++) {
		p->dest.recipient = bad[i];
		assert_int_equal(
		    delivery_open(&p->d, &p->dest, &p->env, &p->eb), E_CONFIG);
		assert_null(strpbrk(p->eb.text, "\r\n"));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(test_batch),
		TEST(test_refusals),
		TEST(test_lost),
		TEST(test_recipient),
		TEST(test_try),
		TEST(test_hostile),
		TEST(test_many_lines),
		TEST(test_silent),
		TEST(test_stalled),
		TEST(test_no_server),
		TEST(test_tcp),
		TEST(test_bad_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

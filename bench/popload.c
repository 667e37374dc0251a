/*
 * popload - loads a POP3 server on 127.0.0.1 and says what it gave.
 *
 *	popload [-c CONNECTIONS] [-n SESSIONS] [-d DEPTH] [-u USERS]
 *	        [-f FIRST] [-p PASSWORD] [-T] PORT WORD...
 *
 * Keeps CONNECTIONS sessions going at the same time until SESSIONS have been
 * had.  Each does the WORDs in order:
 *
 *	login stat list uidl noop capa quit	one command (login: two)
 *	retr top dele				for every message
 *	hold					waits until all connections hold,
 *						says "held" and waits for a line
 *						on standard input
 *
 * Within a word, DEPTH commands are under way at a time.  The users are
 * "userN@example.com", USERS of them from FIRST on; no two sessions have the
 * same one at the same time, so there must be as many as connections.  -T: TLS
 * from the first octet, a full handshake each.
 *
 * Prints one line of key=value; the exit code is 1 if anything went wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OUT_MAX = 64 * 1024, COMMAND_MAX = 600, CHUNK = 256 * 1024 };

enum kind { ONCE, EACH, LOGIN, HOLD };

struct word {
	const char *name, *verb, *rest;
	enum kind kind;
	bool lines; /* the reply has many */
};

static const struct word all_words[] = {
	{ "login", "", "", LOGIN, false },
	{ "stat", "STAT", "", ONCE, false },
	{ "list", "LIST", "", ONCE, true },
	{ "uidl", "UIDL", "", ONCE, true },
	{ "noop", "NOOP", "", ONCE, false },
	{ "capa", "CAPA", "", ONCE, true },
	{ "retr", "RETR", "", EACH, true },
	{ "top", "TOP", " 0", EACH, true },
	{ "dele", "DELE", "", EACH, false },
	{ "hold", "", "", HOLD, false },
	{ "quit", "QUIT", "", ONCE, false },
};

enum reading { GREETING, FIRST_LINE, DATA };

struct conn {
	int fd;
	SSL *ssl;
	unsigned slot, round; /* which user it is */
	size_t word;          /* index into words */
	uint32_t sent;        /* commands of this word */
	uint32_t waiting;     /* replies that are to come */
	uint32_t count;       /* messages, after STAT */
	enum reading reading;
	char line[512]; /* the first line so far */
	size_t line_len;
	char carry[5]; /* the last octets of data */
	size_t carry_len;
	char out[OUT_MAX];
	size_t out_off, out_len;
	uint64_t start; /* microseconds */
	bool connected, want_write;
};

static const struct word *words[32];
static size_t n_words;
static unsigned connections = 8, users = 50, first_user, depth = 1;
static unsigned long sessions = 1000;
static const char *password = "secret";
static uint16_t port;
static SSL_CTX *tls;

static int ep;
static unsigned long started, finished, failed;
static uint64_t octets, messages;
static unsigned holding;
static uint32_t *took; /* microseconds of each session */

static void conn_advance(struct conn *c);
static void conn_start(struct conn *c);

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static void
conn_watch(struct conn *c, bool write)
{
	struct epoll_event ev = { .data.ptr = c };

	if (c->want_write == write)
		return;
	c->want_write = write;
	ev.events = EPOLLIN | (write ? EPOLLOUT : 0);
	if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) < 0)
		die("epoll_ctl");
}

static unsigned
conn_user(const struct conn *c)
{
	return first_user + c->slot + connections * c->round;
}

/* The session is over; begins the next one if there is to be one. */
static void
conn_end(struct conn *c, const char *error)
{
	struct linger abort_now = { 1, 0 };

	if (error != NULL) {
		if (failed++ < 3)
			fprintf(stderr, "popload: user%u: %s\n", conn_user(c),
			    error);
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort_now,
		    sizeof(abort_now));
	}
	if (finished < sessions)
		took[finished] = (uint32_t)(now() - c->start);
	finished++;
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	if (started < sessions && failed < 100) {
		c->round = (c->round + 1) % (users / connections);
		conn_start(c);
	}
}

/* Octets written; 0 if it would wait; -1 on error. */
static ssize_t
conn_write(struct conn *c, const char *p, size_t n)
{
	int r;

	if (c->ssl == NULL) {
		ssize_t w = send(c->fd, p, n, MSG_NOSIGNAL);
		return w < 0 && errno == EAGAIN ? 0 : w;
	}
	r = SSL_write(c->ssl, p, (int)n);
	if (r > 0)
		return r;
	r = SSL_get_error(c->ssl, r);
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Octets read; 0 if it would wait; -1 at the end or on error. */
static ssize_t
conn_read(struct conn *c, char *p, size_t n)
{
	int r;

	if (c->ssl == NULL) {
		ssize_t got = recv(c->fd, p, n, 0);
		if (got < 0 && errno == EAGAIN)
			return 0;
		return got == 0 ? -1 : got;
	}
	r = SSL_read(c->ssl, p, (int)n);
	if (r > 0)
		return r;
	r = SSL_get_error(c->ssl, r);
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Returns false if the connection broke. */
static bool
conn_flush(struct conn *c)
{
	ssize_t n;

	while (c->out_len > 0) {
		n = conn_write(c, c->out + c->out_off, c->out_len);
		if (n < 0)
			return false;
		if (n == 0)
			break;
		c->out_off += (size_t)n;
		c->out_len -= (size_t)n;
	}
	if (c->out_len == 0)
		c->out_off = 0;
	conn_watch(c, c->out_len > 0);
	return true;
}

/* Appends a command; there is room. */
static void __attribute__((format(printf, 2, 3)))
conn_put(struct conn *c, const char *format, ...)
{
	char *to = c->out + c->out_off + c->out_len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(to, COMMAND_MAX, format, ap);
	va_end(ap);
	c->out_len += (size_t)n;
	c->sent++;
	c->waiting++;
}

static bool
conn_has_room(const struct conn *c)
{
	return c->out_off + c->out_len + COMMAND_MAX < OUT_MAX;
}

/* Puts the next command of the word, if there is one and it is its turn. */
static bool
conn_next_command(struct conn *c, const struct word *w)
{
	if (c->waiting >= (w->kind == EACH ? depth : 1) || !conn_has_room(c))
		return false;
	switch (w->kind) {
	case LOGIN:
		if (c->sent == 0)
			conn_put(
			    c, "USER user%u@example.com\r\n", conn_user(c));
		else if (c->sent == 1)
			conn_put(c, "PASS %s\r\n", password);
		else
			return false;
		return true;
	case ONCE:
		if (c->sent > 0)
			return false;
		conn_put(c, "%s\r\n", w->verb);
		return true;
	case EACH:
		if (c->sent >= c->count)
			return false;
		conn_put(c, "%s %u%s\r\n", w->verb, c->sent + 1, w->rest);
		return true;
	case HOLD: break;
	}
	return false;
}

static void
hold_one(void)
{
	if (++holding < connections)
		return;
	puts("held");
	fflush(stdout);
}

/* Sends what is to be sent now. */
static void
conn_advance(struct conn *c)
{
	const struct word *w;

	while (c->word < n_words) {
		w = words[c->word];
		if (w->kind == HOLD) {
			if (c->sent++ == 0)
				hold_one();
			return;
		}
		while (conn_next_command(c, w))
			;
		if (c->waiting > 0)
			break;
		c->word++;
		c->sent = 0;
	}
	if (c->word == n_words)
		conn_end(c, NULL);
	else if (!conn_flush(c))
		conn_end(c, "the connection broke");
}

/* A reply is whole.  False if the session is over. */
static bool
conn_reply_done(struct conn *c)
{
	unsigned long ended = finished;

	if (c->reading == DATA && words[c->word]->kind == EACH)
		messages++;
	c->reading = FIRST_LINE;
	c->line_len = 0;
	c->waiting--;
	if (c->waiting <= depth / 2)
		conn_advance(c);
	return finished == ended;
}

/* Takes octets of a first line; returns how many. */
static size_t
take_line(struct conn *c, const char *p, size_t n, bool *whole)
{
	const char *end = memchr(p, '\n', n);
	size_t used = end == NULL ? n : (size_t)(end - p) + 1;
	size_t keep = used;

	if (c->line_len + keep > sizeof(c->line) - 1)
		keep = sizeof(c->line) - 1 - c->line_len;
	memcpy(c->line + c->line_len, p, keep);
	c->line_len += keep;
	c->line[c->line_len] = '\0';
	*whole = end != NULL;
	return used;
}

/* Takes octets of data, looks for CRLF.CRLF; returns how many. */
static size_t
take_data(struct conn *c, const char *p, size_t n, bool *whole)
{
	static const char mark[] = "\r\n.\r\n";
	char border[10];
	size_t head = n < 5 ? n : 5, len = c->carry_len + head;
	const char *at;

	memcpy(border, c->carry, c->carry_len);
	memcpy(border + c->carry_len, p, head);
	at = memmem(border, len, mark, 5);
	*whole = true;
	if (at != NULL)
		return (size_t)(at - border) + 5 - c->carry_len;
	at = memmem(p, n, mark, 5);
	if (at != NULL)
		return (size_t)(at - p) + 5;
	*whole = false;
	if (n >= 4) {
		memcpy(c->carry, p + n - 4, 4);
		c->carry_len = 4;
	} else {
		c->carry_len = len < 4 ? len : 4;
		memcpy(c->carry, border + len - c->carry_len, c->carry_len);
	}
	return n;
}

/* A first line is there.  False if the session is over. */
static bool
conn_first_line(struct conn *c)
{
	if (c->line[0] != '+') {
		c->line[strcspn(c->line, "\r\n")] = '\0';
		conn_end(c, c->line);
		return false;
	}
	if (c->reading == GREETING) {
		c->waiting = 1;
		return conn_reply_done(c);
	}
	if (strcmp(words[c->word]->verb, "STAT") == 0)
		c->count = (uint32_t)strtoul(c->line + 3, NULL, 10);
	if (words[c->word]->lines) {
		c->reading = DATA;
		memcpy(c->carry, "\r\n", 2);
		c->carry_len = 2;
		return true;
	}
	return conn_reply_done(c);
}

/* False if the session is over. */
static bool
conn_take(struct conn *c, const char *p, size_t n)
{
	bool whole;
	size_t used;

	octets += n;
	while (n > 0) {
		if (c->word == n_words) {
			conn_end(c, "octets that nobody asked for");
			return false;
		}
		if (c->reading == DATA)
			used = take_data(c, p, n, &whole);
		else
			used = take_line(c, p, n, &whole);
		p += used;
		n -= used;
		if (!whole)
			continue;
		if (c->reading == DATA ? !conn_reply_done(c)
				       : !conn_first_line(c))
			return false;
	}
	return true;
}

static void
conn_start(struct conn *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
	int on = 1;

	started++;
	c->word = c->sent = c->waiting = c->count = 0;
	c->reading = GREETING;
	c->line_len = c->out_off = c->out_len = 0;
	c->connected = false;
	c->want_write = true;
	c->start = now();
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	if (tls != NULL) {
		if ((c->ssl = SSL_new(tls)) == NULL)
			die("SSL_new");
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_connect_state(c->ssl);
	}
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl");
}

static void
conn_ready(struct conn *c, char *chunk)
{
	ssize_t n;

	if (!c->connected) {
		c->connected = true;
		conn_watch(c, false);
		if (c->ssl != NULL)
			SSL_do_handshake(c->ssl);
	}
	if (c->out_len > 0 && !conn_flush(c)) {
		conn_end(c, "the connection broke");
		return;
	}
	do {
		n = conn_read(c, chunk, CHUNK);
		if (n < 0) {
			conn_end(c, "the server closed");
			return;
		}
		if (n > 0 && !conn_take(c, chunk, (size_t)n))
			return;
	} while (n > 0 && c->ssl != NULL);
}

/* Somebody wants the held ones to go on. */
static void
release(struct conn *all)
{
	char line[64];
	unsigned i;

	if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
		exit(0);
	for (i = 0; i < connections; i++) {
		all[i].word++;
		all[i].sent = 0;
		conn_advance(&all[i]);
	}
	holding = 0;
}

static void
run(void)
{
	struct conn *all = calloc(connections, sizeof(*all));
	char *chunk = malloc(CHUNK);
	struct epoll_event ev = { .events = EPOLLIN }, evs[256];
	unsigned i;
	int n;

	took = calloc(sessions + connections, sizeof(*took));
	if (all == NULL || chunk == NULL || took == NULL)
		die("memory");
	if ((ep = epoll_create1(0)) < 0)
		die("epoll_create1");
	epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev);
	for (i = 0; i < connections && started < sessions; i++) {
		all[i].slot = i;
		conn_start(&all[i]);
	}
	while (finished < started) {
		n = epoll_wait(ep, evs, 256, 60000);
		if (n == 0 && holding == 0) {
			fprintf(stderr, "popload: nothing for a minute\n");
			exit(1);
		}
		for (i = 0; n > 0 && i < (unsigned)n; i++) {
			if (evs[i].data.ptr != NULL)
				conn_ready(evs[i].data.ptr, chunk);
			else if (holding == connections)
				release(all);
			else
				epoll_ctl(
				    ep, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		}
	}
	free(chunk);
	free(all);
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
report(uint64_t micros)
{
	unsigned long n = finished < sessions ? finished : sessions;

	qsort(took, n, sizeof(*took), by_size);
	printf("sessions=%lu failed=%lu seconds=%.3f octets=%llu "
	       "messages=%llu p50_us=%u p99_us=%u\n",
	    finished, failed, (double)micros / 1e6, (unsigned long long)octets,
	    (unsigned long long)messages, took[n / 2], took[n * 99 / 100]);
}

static void
take_words(char **names)
{
	size_t i, n = sizeof(all_words) / sizeof(all_words[0]);

	for (; *names != NULL; names++) {
		for (i = 0; i < n; i++)
			if (strcmp(*names, all_words[i].name) == 0)
				break;
		if (i == n || n_words == 32) {
			fprintf(stderr, "popload: no word %s\n", *names);
			exit(2);
		}
		words[n_words++] = &all_words[i];
	}
}

static void
take_options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "c:n:d:u:f:p:T")) != -1) {
		switch (o) {
		case 'c':
			connections = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n': sessions = strtoul(optarg, NULL, 10); break;
		case 'd': depth = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'u': users = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'f':
			first_user = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p': password = optarg; break;
		case 'T': tls = SSL_CTX_new(TLS_client_method()); break;
		default: exit(2);
		}
	}
	if (argc - optind < 2 || connections == 0 || depth == 0 ||
	    users < connections || sessions < connections) {
		fprintf(stderr, "usage: see the head of popload.c\n");
		exit(2);
	}
	port = (uint16_t)strtoul(argv[optind], NULL, 10);
	take_words(argv + optind + 1);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	uint64_t start;

	signal(SIGPIPE, SIG_IGN);
	take_options(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	start = now();
	run();
	report(now() - start);
	SSL_CTX_free(tls);
	return failed > 0;
}

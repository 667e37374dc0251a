/*
 * popload - loads a POP3 server on 127.0.0.1 and says what it gave.
 *
 *	popload [-c CONNECTIONS] [-n SESSIONS] [-d DEPTH] [-u USERS]
 *	        [-f FIRST] [-p PASSWORD] [-l LINES] [-T] [-R] PORT STEP...
 *
 * Keeps CONNECTIONS sessions going at the same time until SESSIONS have been
 * had: a closed loop.  Each does the STEPs in order:
 *
 *	login stat list uidl noop capa rset quit
 *				one command (login: two)
 *	stls			and TLS from there on
 *	retr top dele		for every message, after stat;
 *				NAME=N: for the first N messages
 *	hold			waits until all connections hold, says "held" and
 *				waits for a line on standard input; connects
 *				from 127.0.0.2
 *	stall			like hold, but in the middle of RETR 1, of which
 *				nothing more is read
 *
 * Within a step, DEPTH commands are under way at a time.  The users are
 * "userN@example.com", USERS of them from FIRST on; no two sessions have the
 * same one at the same time, so there must be as many as connections.
 *
 *	-l	lines of the body that TOP asks for: 0
 *	-T	TLS from the first octet
 *	-R	TLS sessions are resumed: the first has a full handshake, and the
 *		others begin when it is over
 *
 * Prints one line of key=value; p50_us and p99_us are of whole sessions, from
 * connect() to the answer to the last command.  The exit code is 1 if anything
 * went wrong.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "popload.h"

enum {
	OPENING_MAX = 512,   /* fits into any server's backlog */
	SILENCE_MAX = 60000, /* milliseconds */
	READY_MAX = 256,
};

struct options opt = {
	.connections = 8,
	.users = 50,
	.depth = 1,
	.sessions = 1000,
	.password = "secret",
};
struct totals sum;

uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
die(const char *what)
{
	perror(what);
	exit(2);
}

/* Whoever holds goes on; at the end of the input all is over. */
static void
release(struct conn *all)
{
	char line[64];

	if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
		exit(0);
	sum.holding = 0;
	for (unsigned i = 0; i < opt.connections; i++)
		session_release(&all[i]);
}

static bool
may_open(unsigned begun)
{
	if (begun == opt.connections || sum.started == opt.sessions)
		return false;
	if (opt.resume && !conn_has_ticket() && sum.finished == 0)
		return begun == 0;
	return sum.opening < OPENING_MAX;
}

static void
run(void)
{
	struct conn *all = calloc(opt.connections, sizeof(*all));
	struct conn *ready[READY_MAX];
	char *chunk = malloc(CHUNK);
	unsigned begun = 0;
	int n;

	sum.took = calloc(opt.sessions, sizeof(*sum.took));
	if (all == NULL || chunk == NULL || sum.took == NULL)
		die("memory");
	conn_watch_input(STDIN_FILENO);
	do {
		for (; may_open(begun); begun++) {
			all[begun].slot = begun;
			session_start(&all[begun]);
		}
		n = conn_wait(ready, READY_MAX, SILENCE_MAX);
		if (n == 0 && sum.holding == 0) {
			fprintf(stderr, "popload: nothing for a minute\n");
			exit(1);
		}
		for (int i = 0; i < n; i++) {
			if (ready[i] != NULL)
				session_ready(ready[i], chunk);
			else if (sum.holding == opt.connections)
				release(all);
			else
				conn_unwatch_input(STDIN_FILENO);
		}
	} while (sum.finished < sum.started || may_open(begun));
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
	unsigned long n = sum.finished;

	qsort(sum.took, n, sizeof(*sum.took), by_size);
	printf("sessions=%lu failed=%lu resumed=%lu seconds=%.6f octets=%llu "
	       "messages=%llu p50_us=%u p99_us=%u\n",
	    n, sum.failed, sum.resumed, (double)micros / 1e6,
	    (unsigned long long)sum.octets, (unsigned long long)sum.messages,
	    sum.took[n / 2], sum.took[n * 99 / 100]);
}

static void
usage(void)
{
	fprintf(stderr, "usage: see the head of popload/main.c\n");
	exit(2);
}

static void
take_steps(char **texts)
{
	for (; *texts != NULL; texts++) {
		if (opt.n_steps == STEPS_MAX ||
		    !step_parse(&opt.steps[opt.n_steps++], *texts)) {
			fprintf(stderr, "popload: no step %s\n", *texts);
			exit(2);
		}
	}
}

static unsigned
number(void)
{
	return (unsigned)strtoul(optarg, NULL, 10);
}

static void
take_options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "c:n:d:u:f:p:l:TR")) != -1) {
		switch (o) {
		case 'c': opt.connections = number(); break;
		case 'n': opt.sessions = number(); break;
		case 'd': opt.depth = number(); break;
		case 'u': opt.users = number(); break;
		case 'f': opt.first_user = number(); break;
		case 'p': opt.password = optarg; break;
		case 'l': opt.top_lines = number(); break;
		case 'T': opt.tls = true; break;
		case 'R': opt.resume = true; break;
		default: usage();
		}
	}
	if (argc - optind < 2 || opt.connections == 0 || opt.depth == 0 ||
	    opt.users < opt.connections || opt.sessions < opt.connections)
		usage();
	opt.port = (uint16_t)strtoul(argv[optind], NULL, 10);
	take_steps(argv + optind + 1);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	uint64_t start;

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes */
	take_options(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	conn_init();
	start = now();
	run();
	report(now() - start);
	return sum.failed > 0;
}

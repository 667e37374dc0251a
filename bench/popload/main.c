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
 *	plain scram		AUTH PLAIN, and AUTH SCRAM-SHA-256, instead of login
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
 *
 * options.c is this command line, session.c what a session says and hears,
 * scram.c what SCRAM says, conn.c its octets, totals.c what all of them came to; here is the loop.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conn.h"
#include "options.h"
#include "session.h"
#include "totals.h"

enum {
	OPENING_MAX = 512,   /* fits into any server's backlog */
	SILENCE_MAX = 60000, /* milliseconds */
	READY_MAX = 256,
};

/* Those that hold go on; at the end of the input all is over. */
static void
release(struct session *all)
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
	struct session *all = calloc(opt.connections, sizeof(*all));
	void *ready[READY_MAX];
	char *chunk = malloc(CHUNK);
	unsigned begun = 0;
	int n;

	if (all == NULL || chunk == NULL)
		err(2, "memory");
	conn_watch_input(STDIN_FILENO);
	do {
		for (; may_open(begun); begun++)
			session_start(&all[begun], begun);
		n = conn_wait(ready, READY_MAX, SILENCE_MAX);
		if (n == 0 && sum.holding == 0)
			errx(1, "nothing for a minute");
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

static void
all_descriptors(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int
main(int argc, char **argv)
{
	uint64_t start;

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes */
	options_take(argc, argv);
	all_descriptors();
	totals_init(opt.sessions);
	conn_init(&(struct conn_way){
	    .port = opt.port,
	    .resume = opt.resume,
	    .small_buffer = options_have(KIND_STALL),
	    .other_address =
		options_have(KIND_STALL) || options_have(KIND_HOLD),
	});
	start = now();
	run();
	totals_report(now() - start);
	return sum.failed > 0;
}

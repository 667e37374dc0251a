/* How far a trial goes, what it sends, and that it can be ended at any moment. */
#include <arpa/inet.h>
#include <ev.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/setup/trial.h"
#include "net/dial.h"

/* ---- a server ---- */

static struct {
	int listener;
	uint16_t port;
	pthread_t thread;
	atomic_int client; /* a test that has failed leaves it open */
	char said[1024];   /* by the client: the first words of its lines */
} server;

static const char *
reply_to(const char *line)
{
	if (strncmp(line, "CAPA", 4) == 0)
		return "+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN\r\n.\r\n";
	if (strncmp(line, "STAT", 4) == 0)
		return "+OK 2 320\r\n";
	if (strncmp(line, "UIDL", 4) == 0)
		return "+OK 1 a\r\n";
	if (strncmp(line, "TOP", 3) == 0)
		return "+OK\r\nSubject: x\r\n\r\n.\r\n";
	return "+OK\r\n";
}

static void
talk(int fd)
{
	FILE *in = fdopen(fd, "r");
	char line[512];

	if (write(fd, "+OK hello\r\n", 11) != 11) {
		fclose(in);
		return;
	}
	while (fgets(line, sizeof(line), in) != NULL) {
		const char *reply = reply_to(line);

		strncat(server.said, line, strcspn(line, " \r"));
		strcat(server.said, " ");
		if (write(fd, reply, strlen(reply)) < 0)
			break;
	}
	fclose(in);
}

static void *
serve(void *arg)
{
	int fd;

	while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
		server.client = fd;
		talk(fd);
		server.client = -1;
	}
	return NULL;
}

static int
server_start(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	server.said[0] = '\0';
	server.client = -1;
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server.listener, (struct sockaddr *)&a, n) != 0 ||
	    listen(server.listener, 8) != 0 ||
	    getsockname(server.listener, (struct sockaddr *)&a, &n) != 0)
		return -1;
	server.port = ntohs(a.sin_port);
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static int
server_stop(void **state)
{
	shutdown(server.listener, SHUT_RDWR);
	if (server.client >= 0)
		shutdown(server.client, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	return 0;
}

/* ---- a trial ---- */

struct watch {
	struct ev_loop *loop;
	unsigned passed; /* steps, a bit each */
	enum trial_step stop_at;
	enum trial_step failed;
	enum cause cause;
	enum outcome outcome;
	bool over;
	struct facts facts;
};

static void
on_step(void *arg, const struct trial_report *r)
{
	struct watch *w = arg;

	w->facts = *r->facts;
	if (r->verdict == TRIAL_FAILED) {
		w->failed = r->step;
		w->cause = r->cause;
	} else {
		w->passed |= 1u << r->step;
	}
	if (r->step == w->stop_at)
		ev_break(w->loop, EVBREAK_ALL);
}

static void
on_over(void *arg, enum outcome o)
{
	struct watch *w = arg;

	w->outcome = o;
	w->over = true;
	ev_break(w->loop, EVBREAK_ALL);
}

static const char *host = "127.0.0.1", *name_servers;

/* password: NULL: there is none, nor a way to get one. */
static struct watch
try(enum trial_step until, char *password, enum trial_step stop_at)
{
	static const struct trial_hooks hooks = { on_step, NULL, on_over };
	struct account a = {
		.name = "casa",
		.email = "ana@example.org",
		.server = (char *)host,
		.user = "ana",
		.port = server.port,
		.security = SECURITY_NONE,
		.auth = "auto",
		.password = password,
		.timeout = 20,
		.session_timeout = 20,
	};
	struct watch w = { .loop = ev_default_loop(0),
		.stop_at = stop_at,
		.failed = TRIAL_STEPS };
	struct trial_conf conf = {
		.loop = w.loop,
		.account = &a,
		.until = until,
		.hooks = &hooks,
		.arg = &w,
	};
	struct trial *t;

	assert_int_equal(dialer_new(&conf.dialer, w.loop, NULL), E_OK);
	if (name_servers != NULL)
		dialer_set_servers(conf.dialer, name_servers);
	t = trial_start(&conf);
	assert_non_null(t);
	ev_run(w.loop, 0);
	trial_free(t);
	dialer_free(conf.dialer);
	return w;
}

#define PASSED(w, step) (((w).passed & 1u << (step)) != 0)

static void
no_secret_is_asked_for_before_the_sign_in(void **state)
{
	struct watch w = try(TRIAL_CAPA, NULL, TRIAL_STEPS);

	assert_int_equal(w.outcome, OUTCOME_OK);
	assert_string_equal(server.said, "CAPA QUIT ");
	assert_true(PASSED(w, TRIAL_NAMES) && PASSED(w, TRIAL_CAPA));
	assert_false(PASSED(w, TRIAL_SECRET));
	assert_true(w.facts.capa.top);
	assert_string_equal(w.facts.peer, "127.0.0.1");
}

static void
it_ends_where_it_is_told_to(void **state)
{
	struct watch w = try(TRIAL_SIGN_IN, "secret", TRIAL_STEPS);

	assert_int_equal(w.outcome, OUTCOME_OK);
	assert_string_equal(server.said, "CAPA AUTH QUIT ");
	assert_string_equal(w.facts.sign_in, "PLAIN");
	server.said[0] = '\0';
	w = try(TRIAL_SPACE, "secret", TRIAL_STEPS);
	assert_string_equal(server.said, "CAPA AUTH STAT UIDL TOP QUIT ");
	assert_int_equal(w.facts.count, 2);
	assert_true(w.facts.has_uidl && w.facts.has_top);
	assert_false(PASSED(w, TRIAL_DESTINATION)); /* no state_dir */
}

static void
without_a_secret_it_fails_before_it_calls(void **state)
{
	struct watch w = try(TRIAL_TOP, NULL, TRIAL_STEPS);

	assert_int_equal(w.failed, TRIAL_SECRET);
	assert_int_equal(w.cause, CAUSE_SECRET);
	assert_int_equal(w.outcome, OUTCOME_CONFIG);
	assert_string_equal(server.said, "");
}

/* It is no mistake in the server's name that nobody can be asked for it. */
static void
a_name_that_nobody_knows_is_told_from_one_that_is_not(void **state)
{
	struct watch w;
	char servers[32];

	/* Nobody listens there by UDP. */
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", server.port);
	host = "pop.example.org";
	name_servers = servers;
	w = try(TRIAL_CAPA, NULL, TRIAL_STEPS);
	host = "127.0.0.1";
	name_servers = NULL;
	assert_int_equal(w.failed, TRIAL_NAMES);
	assert_int_equal(w.cause, CAUSE_NO_NAME_SERVICE);
}

/* The owner has gone away. */
static void
it_can_be_ended_at_each_step(void **state)
{
	for (enum trial_step s = TRIAL_CONFIGURATION; s <= TRIAL_TOP; s++)
		if (s != TRIAL_TLS)
			assert_false(try(TRIAL_TOP, "secret", s).over);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    no_secret_is_asked_for_before_the_sign_in, server_start,
		    server_stop),
		cmocka_unit_test_setup_teardown(
		    it_ends_where_it_is_told_to, server_start, server_stop),
		cmocka_unit_test_setup_teardown(
		    without_a_secret_it_fails_before_it_calls, server_start,
		    server_stop),
		cmocka_unit_test_setup_teardown(
		    a_name_that_nobody_knows_is_told_from_one_that_is_not,
		    server_start, server_stop),
		cmocka_unit_test_setup_teardown(
		    it_can_be_ended_at_each_step, server_start, server_stop),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

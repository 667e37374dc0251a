/* Passwords and tokens: what commands, the keyring and the terminal may do, and
 * that none of them can hold up the loop. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/secret/secret.h"

enum { PATIENCE = 30 }; /* seconds for a test, on a busy machine */

static const struct account nobody = { .name = "casa",
	.email = "ana@example.org",
	.user = "ana",
	.server = "pop.example.org" };

static struct answer {
	unsigned calls;
	enum err e;
	char value[70000];
	size_t n;
	char words[1024];
	double seconds;
} got;
static uint64_t since;

static void
done(void *arg, enum err e, const char *value, const char *words)
{
	struct answer *a = arg;

	a->calls++;
	a->e = e;
	a->seconds = (double)(clock_ms() - since) / 1000;
	assert_true((e == E_OK) == (value != NULL));
	a->n = value != NULL ? strlen(value) : 0;
	assert_true(a->n < sizeof(a->value));
	memcpy(a->value, value != NULL ? value : "", a->n + 1);
	snprintf(a->words, sizeof(a->words), "%s", words);
	ev_break(EV_DEFAULT, EVBREAK_ONE);
}

static void
too_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	fail_msg("nothing came in %d seconds", PATIENCE);
}

static void
run_loop(void)
{
	ev_timer patience;

	ev_now_update(EV_DEFAULT);
	ev_timer_init(&patience, too_late, PATIENCE, 0);
	ev_timer_start(EV_DEFAULT, &patience);
	ev_run(EV_DEFAULT, 0);
	ev_timer_stop(EV_DEFAULT, &patience);
}

static struct secret *
ask_for(struct secret_question q)
{
	struct errbuf eb;
	struct secret *s;

	q.loop = EV_DEFAULT;
	assert_int_equal(secret_ask(&s, &q, &eb), E_OK);
	return s;
}

static void
ask(const struct account *a, enum secret_kind kind, double timeout)
{
	memset(&got, 0, sizeof(got));
	ev_now_update(EV_DEFAULT);
	since = clock_ms();
	ask_for((struct secret_question){ .account = a,
	    .kind = kind,
	    .timeout = timeout,
	    .done = done,
	    .arg = &got });
	assert_int_equal(got.calls, 0);
	run_loop();
	assert_int_equal(got.calls, 1);
}

static void
run(const char *command, double timeout)
{
	struct account a = nobody;

	a.password_command = (char *)command;
	ask(&a, SECRET_PASSWORD, timeout);
}

static void
expect_line(const char *command, const char *value)
{
	run(command, PATIENCE);
	if (got.e != E_OK || strcmp(got.value, value) != 0)
		fail_msg("%s: \"%s\" %s", command, got.value, got.words);
}

static void
expect_said(const char *command, enum err e, const char *words)
{
	run(command, PATIENCE);
	if (got.e != e || strcmp(got.words, words) != 0)
		fail_msg("%s: %d %s", command, got.e, got.words);
}

/* ---- what is in the file, or nowhere ---- */

static void
a_password_of_the_file_is_given(void **state)
{
	struct account a = nobody;

	(void)state;
	a.password = (char *)" a b\tc ";
	ask(&a, SECRET_PASSWORD, 1);
	assert_int_equal(got.e, E_OK);
	assert_string_equal(got.value, " a b\tc ");
	assert_string_equal(got.words, "");
}

static void
what_is_nowhere_is_said(void **state)
{
	struct account a = nobody;

	(void)state;
	ask(&a, SECRET_PASSWORD, 1);
	assert_int_equal(got.e, E_NOENT);
	assert_string_equal(got.words,
	    "no password is configured (password_command, keyring or "
	    "password), and there is no terminal to ask on");
	a.password = (char *)"x";
	ask(&a, SECRET_TOKEN, 1);
	assert_int_equal(got.e, E_NOENT);
	assert_string_equal(got.words, "no token is configured: token_command");
}

static void
tokens_have_a_command_of_their_own(void **state)
{
	struct account a = nobody;

	(void)state;
	a.password = (char *)"x";
	a.token_command = (char *)"echo token";
	ask(&a, SECRET_TOKEN, PATIENCE);
	assert_string_equal(got.value, "token");
	a.token_command = (char *)"exit 4";
	ask(&a, SECRET_TOKEN, PATIENCE);
	assert_string_equal(got.words, "token_command failed with exit code 4");
}

/* ---- commands ---- */

/* C-ENG-22, M-16 */
static void
the_first_line_is_the_password(void **state)
{
	(void)state;
	expect_line("echo abc", "abc");
	expect_line("printf abc", "abc");
	expect_line("printf 'abc\\r\\n'", "abc");
	expect_line("printf 'abc\\ndef\\n'", "abc");
	expect_line("printf ' a  b \\t\\n'", " a  b \t");
	expect_line("printf 'caf\\303\\251 %%s\\n'", "caf\xc3\xa9 %s");
	expect_line("printf 'caf\\351\\n'", "caf\xe9");
	expect_line("printf ab; sleep 0.1; printf 'c\\nd'", "abc");
	expect_line("echo abc; echo oh >&2", "abc");
}

static void
what_is_no_password_is_refused(void **state)
{
	(void)state;
	expect_said("true", E_DENIED, "password_command printed nothing");
	expect_said(
	    "echo no >&2", E_DENIED, "password_command printed nothing: no");
	expect_said(
	    "echo; echo x", E_DENIED, "password_command printed nothing");
	expect_said(
	    "printf '\\r\\n'", E_DENIED, "password_command gave nothing");
	expect_said("printf 'a\\000b\\n'", E_DENIED,
	    "password_command gave a control character that cannot be sent");
	expect_said("printf 'a\\rb\\n'", E_DENIED,
	    "password_command gave a control character that cannot be sent");
}

static void
failures_are_told_with_what_was_said(void **state)
{
	(void)state;
	expect_said("echo abc; exit 3", E_DENIED,
	    "password_command failed with exit code 3");
	expect_said("printf 'gpg:\\tno key\\nfailed\\033[2J\\n\\n' >&2; false",
	    E_DENIED,
	    "password_command failed with exit code 1: gpg: no key "
	    "failed\\x1b[2J");
	expect_said(
	    "kill -9 $$", E_DENIED, "password_command was ended by signal 9");
	run("malote-no-such-program", PATIENCE);
	assert_int_equal(got.e, E_DENIED);
	assert_non_null(
	    strstr(got.words, "password_command names a command that is not "
			      "there: "));
	assert_non_null(strstr(got.words, "malote-no-such-program"));
	run("/etc/passwd", PATIENCE);
	assert_non_null(
	    strstr(got.words, "password_command names a command that cannot be "
			      "run: "));
	run("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1", PATIENCE);
	assert_int_equal(
	    strncmp(
		got.words, "password_command failed with exit code 1: xxx", 45),
	    0);
	assert_true(strlen(got.words) < 500);
}

static void
a_line_has_a_greatest_length(void **state)
{
	(void)state;
	run("head -c 65536 /dev/zero | tr '\\0' x; echo", PATIENCE);
	assert_int_equal(got.e, E_OK);
	assert_int_equal(got.n, 65536);
	assert_int_equal(strspn(got.value, "x"), 65536);
	expect_said("head -c 65537 /dev/zero | tr '\\0' x", E_DENIED,
	    "password_command printed a first line that is too long");
}

static void
endless_output_is_ended(void **state)
{
	(void)state;
	expect_said("exec yes", E_DENIED,
	    "password_command prints without "
	    "end");
	expect_said("yes | tr -d '\\n'", E_DENIED,
	    "password_command printed a first line that is too long");
	run("yes >&2", PATIENCE);
	assert_int_equal(got.e, E_DENIED);
	assert_int_equal(strncmp(got.words,
			     "password_command prints without end: y y y", 42),
	    0);
}

static bool
has_ended(pid_t pid)
{
	for (int i = 0; i < PATIENCE * 100; i++) {
		char path[64], text[256] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		if ((f = fopen(path, "r")) == NULL)
			return true;
		if (fgets(text, sizeof(text), f) == NULL)
			text[0] = '\0';
		fclose(f);
		/* A zombie waits for whoever is init here. */
		if (strstr(text, ") Z") != NULL)
			return true;
		usleep(10000);
	}
	return false;
}

/* The pid that a command wrote to its standard error. */
static pid_t
pid_said(void)
{
	const char *p = strrchr(got.words, ' ');

	assert_non_null(p);
	assert_true(atoi(p) > 1);
	return atoi(p);
}

static void
a_slow_command_is_ended_with_all_it_began(void **state)
{
	(void)state;
	run("sleep 100 & echo $! >&2; wait", 0.3);
	assert_int_equal(got.e, E_IO);
	assert_non_null(
	    strstr(got.words, "password_command did not end within 0 s: "));
	assert_true(got.seconds >= 0.3);
	assert_true(has_ended(pid_said()));

	run("(trap '' TERM; exec sleep 100) & echo $! >&2; wait", 0.3);
	assert_int_equal(got.e, E_IO);
	assert_true(has_ended(pid_said()));

	run("trap '' TERM; echo abc; sleep 100 & echo $! >&2; while :; do "
	    "sleep 1; done",
	    0.3);
	assert_int_equal(got.e, E_IO);
	assert_true(got.seconds >= 1.3);
	assert_true(has_ended(pid_said()));
}

static void
what_it_leaves_running_is_not_waited_for(void **state)
{
	pid_t pid;

	(void)state;
	run("sleep 100 & echo $!", PATIENCE);
	assert_int_equal(got.e, E_OK);
	assert_true(got.seconds < PATIENCE / 2);
	pid = atoi(got.value);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

static void
fail_if_called(void *arg, enum err e, const char *value, const char *words)
{
	(void)arg;
	(void)e;
	(void)value;
	(void)words;
	fail_msg("called after it was cancelled");
}

static void
stop_loop(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

static void
run_for(double seconds)
{
	ev_timer t;

	ev_now_update(EV_DEFAULT);
	ev_timer_init(&t, stop_loop, seconds, 0);
	ev_timer_start(EV_DEFAULT, &t);
	ev_run(EV_DEFAULT, 0);
	ev_timer_stop(EV_DEFAULT, &t);
}

static void
a_cancelled_command_is_ended(void **state)
{
	struct account a = nobody;
	char command[128], path[] = "/tmp/malote-secret-XXXXXX", pid[32] = "";
	struct secret_question question = { .account = &a,
		.kind = SECRET_PASSWORD,
		.timeout = PATIENCE,
		.done = fail_if_called };
	struct secret *s;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	snprintf(command, sizeof(command),
	    "trap '' TERM; echo $$ > %s; sleep 100; sleep 100", path);
	a.password_command = command;
	s = ask_for(question);
	for (int i = 0; i < PATIENCE * 10 && strchr(pid, '\n') == NULL; i++) {
		run_for(0.1);
		assert_true(pread(fd, pid, sizeof(pid) - 1, 0) >= 0);
	}
	assert_true(atoi(pid) > 1);
	secret_cancel(s);
	run_for(0.1);
	assert_true(has_ended(atoi(pid)));
	/* One that never got a turn of the loop. */
	a.password_command = (char *)"echo x";
	s = ask_for(question);
	secret_cancel(s);
	secret_cancel(NULL);
	run_for(0.1);
	close(fd);
	unlink(path);
}

static void
a_command_inherits_nothing_but_the_environment(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* no O_CLOEXEC */
	sigset_t set, old;

	(void)state;
	assert_true(fd >= 0);
	setenv("MALOTE_TEST", "from outside", 1);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	expect_line("echo \"$MALOTE_TEST\"", "from outside");
	expect_line("for i in $(seq 0 99); do [ -e /proc/$$/fd/$i ] && "
		    "printf '%s ' $i; done; true",
	    "0 1 2 ");
	expect_line("cat; echo end", "end");
	/* Above are two that are the C library's. */
	expect_line("grep -c 'Sig\\(Ign\\|Blk\\).*[08]0000000$' "
		    "/proc/self/status",
	    "2");
	expect_line("read p n s pp g ss r < /proc/$$/stat; "
		    "[ $g = $$ ] && [ $ss = $$ ] && echo its own",
	    "its own");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR1, SIG_DFL);
	close(fd);
}

static void
commands_run_at_the_same_time(void **state)
{
	struct account a = nobody;
	struct answer one = { 0 }, two = { 0 };

	(void)state;
	a.password_command = (char *)"sleep 0.5; echo one";
	since = clock_ms();
	ask_for((struct secret_question){ .account = &a,
	    .kind = SECRET_PASSWORD,
	    .timeout = PATIENCE,
	    .done = done,
	    .arg = &one });
	a.token_command = (char *)"echo two";
	ask_for((struct secret_question){ .account = &a,
	    .kind = SECRET_TOKEN,
	    .timeout = PATIENCE,
	    .done = done,
	    .arg = &two });
	run_loop();
	assert_int_equal(one.calls, 0);
	assert_string_equal(two.value, "two");
	run_loop();
	assert_string_equal(one.value, "one");
}

/* ---- the keyring ---- */

/* False: it is not built in. */
static bool
ask_keyring(double timeout)
{
	struct account a = nobody;
	struct secret_question question = { .loop = EV_DEFAULT,
		.account = &a,
		.kind = SECRET_PASSWORD,
		.terminal = true,
		.timeout = timeout,
		.done = done,
		.arg = &got };
	struct errbuf eb;
	struct secret *s;
	enum err e;

	a.keyring = true;
	memset(&got, 0, sizeof(got));
	since = clock_ms();
	e = secret_ask(&s, &question, &eb);
	if (e == E_CONFIG) {
		assert_string_equal(eb.text,
		    "keyring: libsecret, or malote's module for it, is not "
		    "installed; use password_command");
		return false;
	}
	assert_int_equal(e, E_OK);
	assert_int_equal(got.calls, 0);
	run_loop();
	return true;
}

static void
a_keyring_without_a_bus_is_told(void **state)
{
	(void)state;
	setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent", 1);
	if (!ask_keyring(PATIENCE))
		skip();
	assert_int_equal(got.e, E_IO);
	assert_int_equal(
	    strncmp(got.words, "the keyring cannot be reached: ", 31), 0);
}

static void
a_keyring_that_does_not_answer_is_left(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char address[128], dir[] = "/tmp/malote-bus-XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/bus", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 5), 0);
	snprintf(address, sizeof(address), "unix:path=%s", at.sun_path);
	setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
	if (ask_keyring(0.3)) {
		assert_int_equal(got.e, E_IO);
		assert_string_equal(got.words,
		    "the keyring did not answer within 0 s; is it "
		    "locked?");
		assert_true(got.seconds < PATIENCE / 2);
	}
	close(fd); /* the thread hears of it */
	unlink(at.sun_path);
	rmdir(dir);
}

/* ---- the terminal ---- */

struct person {
	int pty;     /* where they sit */
	int results; /* what the process got, a line each */
	pid_t pid;
	char screen[4096];
	size_t n;
};

static int results_fd;

static void
tell(void *arg, enum err e, const char *value, const char *words)
{
	unsigned *left = arg;

	dprintf(
	    results_fd, "%d [%s] %s\n", e, value != NULL ? value : "", words);
	if (--*left == 0)
		ev_break(EV_DEFAULT, EVBREAK_ONE);
}

static void
restore_and_end(int sig)
{
	(void)sig;
	secret_restore_terminal();
	_exit(5);
}

static struct account other = { .line = 99 };

/* As one that might have been asked about, and need not be. */
static void
is_not_asked(struct ev_loop *loop, ev_check *w, int revents)
{
	(void)w, (void)revents;
	secret_expect(&other);
	secret_expect_not(&other, loop);
}

/* Asks about so many accounts; cancels the first one after a while. */
static void
be_asked(unsigned accounts, double cancel_after)
{
	static const char *const names[] = { "casa", "obra" };
	struct account a[2] = { nobody, nobody };
	struct secret *s[2];
	unsigned left = accounts;
	struct secret_question question = { .loop = EV_DEFAULT,
		.kind = SECRET_PASSWORD,
		.terminal = true,
		.timeout = 1,
		.done = tell,
		.arg = &left };
	struct errbuf eb;
	ev_check each_turn;

	ev_check_init(&each_turn, is_not_asked);
	ev_check_start(EV_DEFAULT, &each_turn);
	signal(SIGTERM, restore_and_end);
	for (unsigned i = 0; i < accounts; i++) {
		a[i].name = (char *)names[i];
		question.account = &a[i];
		if (secret_ask(&s[i], &question, &eb) != E_OK)
			_exit(9);
	}
	if (cancel_after != 0) {
		run_for(cancel_after);
		secret_cancel(s[0]);
		dprintf(results_fd, "cancelled\n");
		left--;
	}
	if (left != 0)
		ev_run(EV_DEFAULT, 0);
	/* The terminal is looked at before it goes. */
	dprintf(results_fd, "end\n");
	pause();
	_exit(0);
}

static struct person
sit_down(unsigned accounts, double cancel_after)
{
	struct person p = { 0 };
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_true((p.pid = forkpty(&p.pty, NULL, NULL, NULL)) >= 0);
	if (p.pid == 0) {
		results_fd = fd[1];
		ev_loop_fork(EV_DEFAULT);
		be_asked(accounts, cancel_after);
	}
	close(fd[1]);
	p.results = fd[0];
	return p;
}

/* Reads until the words are there. */
static void
await(struct person *p, int fd, const char *words)
{
	uint64_t end = clock_ms() + PATIENCE * 1000;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (strstr(p->screen, words) == NULL) {
		ssize_t n =
		    read(fd, p->screen + p->n, sizeof(p->screen) - 1 - p->n);

		if (n > 0)
			p->n += (size_t)n;
		else
			usleep(1000);
		if (clock_ms() > end)
			fail_msg("no \"%s\" in \"%s\"", words, p->screen);
	}
}

static void
forget(struct person *p)
{
	memset(p->screen, 0, sizeof(p->screen));
	p->n = 0;
}

static void
type(const struct person *p, const char *text)
{
	assert_int_equal(write(p->pty, text, strlen(text)), strlen(text));
}

static bool
echoes(const struct person *p)
{
	struct termios t;

	assert_int_equal(tcgetattr(p->pty, &t), 0);
	return (t.c_lflag & ECHO) != 0;
}

static void
leave(struct person *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->pty);
	close(p->results);
}

#define PROMPT(name) "Password for " name " (ana at pop.example.org): "

/* C-ENG-21 */
static void
a_person_is_asked_without_echo(void **state)
{
	struct person p = sit_down(1, 0);

	(void)state;
	await(&p, p.pty, PROMPT("casa"));
	assert_false(echoes(&p));
	type(&p, "caf\xc3\xa9 %s x\x7f \n");
	await(&p, p.pty, "\r\n");
	assert_string_equal(p.screen, PROMPT("casa") "\r\n");
	forget(&p);
	await(&p, p.results, "end\n");
	assert_string_equal(p.screen, "0 [caf\xc3\xa9 %s  ] \nend\n");
	assert_true(echoes(&p));
	leave(&p);
}

static void
accounts_are_asked_one_after_the_other(void **state)
{
	struct person p = sit_down(2, 0);

	(void)state;
	await(&p, p.pty, PROMPT("casa"));
	usleep(100000);
	type(&p, "one\n");
	await(&p, p.pty, PROMPT("obra"));
	assert_string_equal(p.screen, PROMPT("casa") "\r\n" PROMPT("obra"));
	assert_false(echoes(&p));
	type(&p, "two\n");
	forget(&p);
	await(&p, p.results, "end\n");
	assert_string_equal(p.screen, "0 [one] \n0 [two] \nend\n");
	assert_true(echoes(&p));
	leave(&p);
}

static void
no_answer_is_none(void **state)
{
	struct person p = sit_down(2, 0);

	(void)state;
	await(&p, p.pty, PROMPT("casa"));
	type(&p, "\004");
	await(&p, p.pty, PROMPT("obra"));
	type(&p, "\n");
	forget(&p);
	await(&p, p.results, "end\n");
	assert_string_equal(p.screen,
	    "7 [] no password was given\n7 [] no password was given\n"
	    "end\n");
	assert_true(echoes(&p));
	leave(&p);
}

static void
a_cancelled_question_goes(void **state)
{
	struct person p = sit_down(2, 0.5);

	(void)state;
	await(&p, p.pty, PROMPT("casa"));
	type(&p, "half");
	await(&p, p.pty, PROMPT("obra"));
	type(&p, "two\n");
	forget(&p);
	await(&p, p.results, "end\n");
	assert_string_equal(p.screen, "cancelled\n0 [two] \nend\n");
	assert_true(echoes(&p));
	leave(&p);
}

static void
a_signal_gives_the_echo_back(void **state)
{
	struct person p = sit_down(1, 0);
	int status;

	(void)state;
	await(&p, p.pty, PROMPT("casa"));
	assert_false(echoes(&p));
	kill(p.pid, SIGTERM);
	assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	assert_true(echoes(&p));
	close(p.pty);
	close(p.results);
}

#define NOWHERE \
	"no password is configured (password_command, keyring or password), " \
	"and there is no terminal to ask on"

static void
without_a_terminal_nobody_is_asked(void **state)
{
	char line[256] = "";
	int fd[2];
	pid_t pid;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	if ((pid = fork()) == 0) {
		results_fd = fd[1];
		setsid();
		ev_loop_fork(EV_DEFAULT);
		be_asked(1, 0);
	}
	n = read(fd[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	assert_int_equal(
	    strncmp(line, "4 [] " NOWHERE, strlen("4 [] " NOWHERE)), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd[0]);
	close(fd[1]);
}

static void
expect_masked(const char *text, const char *secret, const char *shown)
{
	char words[256];

	snprintf(words, sizeof(words), "%s", text);
	secret_mask(words, (struct slice){ secret, strlen(secret) });
	assert_string_equal(words, shown);
}

/* Whatever a server makes of what it was sent. */
static void
what_a_server_repeats_is_masked(void **state)
{
	(void)state;
	expect_masked("unknown: PASS S3nha!x, again S3nha!x", "S3nha!x",
	    "unknown: PASS ***, again ***");
	expect_masked("UNKNOWN: PASS S3NHA!X", "S3nha!x", "UNKNOWN: PASS ***");
	expect_masked("says \\x22a\\x5cb\\x22", "\"a\\b\"", "says ***");
	expect_masked("bad: UzNuaGEheA==", "S3nha!x", "bad: ***");
	expect_masked("too long: PASS S3nha", "S3nha!x", "too long: PASS ***");
	expect_masked("too long: S3nh...", "S3nha!x", "too long: ***");
	expect_masked("says \"PASS S3nh\"", "S3nha!x", "says \"PASS ***\"");
	expect_masked("mailbox in use", "secret", "mailbox in use");
	expect_masked("a mailbox, a: a", "a", "* mailbox, *: *");
	expect_masked("nothing", "", "nothing");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_of_the_file_is_given),
		cmocka_unit_test(what_is_nowhere_is_said),
		cmocka_unit_test(tokens_have_a_command_of_their_own),
		cmocka_unit_test(the_first_line_is_the_password),
		cmocka_unit_test(what_is_no_password_is_refused),
		cmocka_unit_test(failures_are_told_with_what_was_said),
		cmocka_unit_test(a_line_has_a_greatest_length),
		cmocka_unit_test(endless_output_is_ended),
		cmocka_unit_test(a_slow_command_is_ended_with_all_it_began),
		cmocka_unit_test(what_it_leaves_running_is_not_waited_for),
		cmocka_unit_test(a_cancelled_command_is_ended),
		cmocka_unit_test(
		    a_command_inherits_nothing_but_the_environment),
		cmocka_unit_test(commands_run_at_the_same_time),
		cmocka_unit_test(a_keyring_without_a_bus_is_told),
		cmocka_unit_test(a_keyring_that_does_not_answer_is_left),
		cmocka_unit_test(a_person_is_asked_without_echo),
		cmocka_unit_test(accounts_are_asked_one_after_the_other),
		cmocka_unit_test(no_answer_is_none),
		cmocka_unit_test(a_cancelled_question_goes),
		cmocka_unit_test(a_signal_gives_the_echo_back),
		cmocka_unit_test(without_a_terminal_nobody_is_asked),
		cmocka_unit_test(what_a_server_repeats_is_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

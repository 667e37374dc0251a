/*
 * A command: what it gets, what its end means (C-ENG-31), and that nothing
 * of it is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "deliver.h"

static char *argv_sh[] = { "sh", "-c", NULL, "arg zero", "two words", NULL };

static int
setup(void **state)
{
	static struct place p;

	place_init(&p, DEST_COMMAND, "out");
	p.dest.argv = argv_sh;
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

static void
run(struct place *p, const char *script, enum err result)
{
	char *copy = strdup(script);

	argv_sh[2] = copy;
	place_open(p);
	argv_sh[2] = NULL;
	free(copy); /* it was borrowed only to open */
	place_deliver(
	    p, (const char *const[]){ "A: b\n\n.x\r\n", NULL }, result);
	assert_int_equal(place_count(p, "state/spool"), 0);
}

static void
expect_out(struct place *p, const char *text)
{
	char *is = place_read(p, "out", NULL);

	assert_non_null(is);
	assert_string_equal(is, text);
	free(is);
}

static void
in_base(char script[512], const struct place *p, const char *fmt)
{
	snprintf(script, 512, "cd '%s' && %s", p->base, fmt);
}

static void
test_input(void **state)
{
	struct place *p = *state;
	char script[512];

	in_base(script, p, "cat > out; echo said; echo \"$#$1\" >> out");
	run(p, script, E_OK);
	expect_out(p, "A: b\n\n.x\r\n1two words\n");
}

/* Whose mail it is, whatever was said before; the rest is as it was. */
static void
test_environment(void **state)
{
	struct place *p = *state;
	char script[512];

	setenv("MALOTE_ACCOUNT", "another", 1);
	setenv("TEST_OTHER", "kept", 1);
	in_base(script, p,
	    "echo \"$MALOTE_ACCOUNT $MALOTE_EMAIL $TEST_OTHER\" > out; "
	    "env | grep -c ^MALOTE_ >> out");
	run(p, script, E_OK);
	unsetenv("MALOTE_ACCOUNT");
	unsetenv("TEST_OTHER");
	expect_out(p, "casa ana@example.org kept\n2\n");
}

static void
test_status(void **state)
{
	struct place *p = *state;

	run(p, "exit 75", E_AGAIN);
	run(p, "exit 67", E_DENIED);
	assert_non_null(strstr(p->eb.text, "status 67"));
	run(p, "exit 1", E_DENIED);
	run(p, "kill -9 $$", E_AGAIN);
	assert_non_null(strstr(p->eb.text, "signal 9"));
	run(p, "exit 0", E_OK); /* it need not read */
	run(p, "printf 'no \\033[2J such user\\nmore' >&2; exit 67", E_DENIED);
	assert_non_null(strstr(p->eb.text, "status 67: no \\x1b[2J such user"));
	assert_null(strstr(p->eb.text, "more"));
	/* More than any pipe holds. */
	run(p, "head -c 300000 /dev/zero | tr '\\0' x >&2; exit 67", E_DENIED);
	assert_non_null(strstr(p->eb.text, "status 67: xxx"));
	run(p, "head -c 300000 /dev/zero; exit 0", E_OK);
}

static void
test_cannot_run(void **state)
{
	static char *none[] = { "/nonexistent/command", NULL };
	struct place *p = *state;

	p->dest.argv = none;
	place_open(p);
	place_deliver(p, (const char *const[]){ "x\n", NULL }, E_AGAIN);
	assert_non_null(strstr(p->eb.text,
	    "cannot run /nonexistent/command: No such file or directory"));
}

/* Of these another message would have the same end: after the first no other is
 * tried. */
static void
test_for_all(void **state)
{
	static const char *const all[] = { "exit 64", "exit 69", "exit 71",
		"exit 72", "exit 73", "exit 74", "exit 75", "exit 77",
		"exit 78", "exit 126", "exit 127", "kill -9 $$" };
	static const char *const one[] = { "exit 1", "exit 65", "exit 67",
		"exit 70", "exit 255", "exit 0" };
	static const char x[] = "echo x >> out; ";
	struct place *p = *state;
	char script[512], text[64];

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct parcel *v[2];

		snprintf(text, sizeof(text), "%s%s", x, all[i]);
		in_base(script, p, text);
		argv_sh[2] = script;
		place_put(p, "out", "");
		place_open(p);
		v[0] = place_parcel(p, "A: b\n", 5, NULL);
		v[1] = place_parcel(p, "A: b\n", 5, NULL);
		assert_int_equal(delivery_prepare(p->d, v, 2, &p->eb), E_OK);
		delivery_publish(p->d, v, 2);
		assert_int_equal(v[0]->result, E_AGAIN);
		assert_int_equal(v[1]->result, E_CLOSED);
		assert_int_equal(delivery_failed(p->d, &p->eb), E_AGAIN);
		assert_string_equal(p->eb.text, v[0]->why);
		parcel_drop(v[0]);
		parcel_drop(v[1]);
		expect_out(p, "x\n");
	}
	for (unsigned i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
		run(p, one[i],
		    i + 1 < sizeof(one) / sizeof(one[0]) ? E_DENIED : E_OK);
		assert_int_equal(delivery_failed(p->d, &p->eb), E_OK);
	}
}

/* One that takes others fails with a message; the second in a row is its own. */
static void
test_once(void **state)
{
	static const char *const text[] = { "1\n", "75\n", "1\n", "75\n",
		"75\n", "1\n" };
	static const enum err result[] = { E_OK, E_AGAIN, E_OK, E_AGAIN,
		E_AGAIN, E_CLOSED };
	struct place *p = *state;
	struct parcel *v[6];

	argv_sh[2] = "read n; test $n = 1 || exit $n";
	place_open(p);
	for (unsigned i = 0; i < 6; i++)
		v[i] = place_parcel(p, text[i], strlen(text[i]), NULL);
	assert_int_equal(delivery_prepare(p->d, v, 6, &p->eb), E_OK);
	delivery_publish(p->d, v, 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(v[i]->result, result[i]);
		parcel_drop(v[i]);
	}
	assert_int_equal(delivery_failed(p->d, &p->eb), E_AGAIN);
}

static enum err
tried(struct place *p, char *name)
{
	char *argv[] = { name, NULL };

	p->dest.argv = argv;
	place_open(p);
	return delivery_try(p->d, &p->eb);
}

/* Before a message: the command is looked for, not run. */
static void
test_try(void **state)
{
	struct place *p = *state;
	char file[512];

	assert_int_equal(tried(p, "sh"), E_OK);
	assert_int_equal(tried(p, "/bin/sh"), E_OK);
	assert_int_equal(tried(p, "no-such-command"), E_CONFIG);
	assert_non_null(strstr(p->eb.text,
	    "cannot run no-such-command: No such file or directory"));
	snprintf(file, sizeof(file), "%s/take", p->base);
	assert_int_equal(tried(p, file), E_CONFIG);
	place_put(p, "take", "#!/bin/sh\n");
	assert_int_equal(tried(p, file), E_CONFIG);
	assert_non_null(strstr(p->eb.text, "Permission denied"));
	assert_int_equal(tried(p, "/bin"), E_CONFIG);
}

/* Its whole group ends with it. */
static void
test_timeout(void **state)
{
	struct place *p = *state;
	uint64_t begun = clock_ms();
	char script[512], *text;
	pid_t pid;

	p->env.timeout = 1;
	in_base(script, p, "{ sleep 60 & echo $! > out; wait; }");
	run(p, script, E_AGAIN);
	assert_in_range(clock_ms() - begun, 1000, 9000);
	assert_non_null(strstr(p->eb.text, "took more than 1 s"));
	text = place_read(p, "out", NULL);
	pid = (pid_t)strtol(text, NULL, 10);
	free(text);
	/* It is init's now, or nobody's. */
	for (unsigned i = 0; kill(pid, 0) == 0 && i < 100; i++) {
		char path[64], line[128] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if ((f = fopen(path, "r")) == NULL ||
		    fgets(line, sizeof(line), f) == NULL ||
		    strstr(line, ") Z ") != NULL) {
			if (f != NULL)
				fclose(f);
			return;
		}
		fclose(f);
		usleep(20000);
	}
	assert_int_equal(kill(pid, 0), -1);
}

/* What it leaves running does not keep us waiting. */
static void
test_background(void **state)
{
	struct place *p = *state;
	uint64_t begun = clock_ms();

	run(p, "sleep 12 & exit 0", E_OK);
	assert_in_range(clock_ms() - begun, 0, 9000);
}

/* No descriptor of ours, no signal that we ignore or block. */
static void
test_inherits_nothing(void **state)
{
	struct place *p = *state;
	char script[512];
	int fd = open("/dev/null", O_RDONLY);
	sigset_t set;

	assert_true(fd >= 0);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	in_base(script, p,
	    "ls /proc/self/fd > out; grep -E '^Sig(Blk|Ign)' "
	    "/proc/self/status >> out");
	run(p, script, E_OK);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(fd);
	/* 3 is the folder that ls reads. */
	expect_out(p, "0\n1\n2\n3\nSigBlk:\t0000000000000000\n"
		      "SigIgn:\t0000000000000000\n");
}

/* With 0, 1 and 2 closed, the pipes get these numbers. */
static void
deliver_closed(struct place *p)
{
	char script[512];

	for (int fd = 0; fd <= 4; fd++)
		close(fd);
	in_base(script, p, "cat > out");
	run(p, script, E_OK);
}

static void
test_low_descriptors(void **state)
{
	struct place *p = *state;

	if (geteuid() == 0) /* as_nobody() could not write */
		assert_int_equal(chown(p->base, 65534, 65534), 0);
	as_nobody(p, deliver_closed);
	expect_out(p, "A: b\n\n.x\r\n");
}

static atomic_bool reap;
static atomic_uint reaped;

/* As libev's default loop does at each SIGCHLD. */
static void *
reaper(void *arg)
{
	(void)arg;
	while (reap)
		if (waitpid(-1, NULL, WNOHANG) > 0)
			reaped++;
	return NULL;
}

static void
test_reaped_by_others(void **state)
{
	struct place *p = *state;
	pthread_t thread;

	reap = true;
	reaped = 0;
	assert_int_equal(pthread_create(&thread, NULL, reaper, NULL), 0);
	/* Which of the two is quicker is chance; the other has to be at times. */
	for (unsigned i = 0; i < 10 || (reaped == 0 && i < 1000); i++) {
		run(p, "exit 67", E_DENIED);
		assert_non_null(strstr(p->eb.text, "status 67"));
		run(p, "exit 0", E_OK);
	}
	reap = false;
	pthread_join(thread, NULL);
	assert_true(reaped > 0);
	/* And without one, nothing is left. */
	run(p, "exit 0", E_OK);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* What is in the spool has perhaps been handed over: again.  What has gone
 * from there was. */
static void
test_recover(void **state)
{
	struct place *p = *state;
	struct parcel *q;
	char path[1024];
	bool stored;

	argv_sh[2] = "exit 0";
	place_open(p);
	q = place_parcel(p, "x\n", 2, NULL);
	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	assert_int_equal(
	    delivery_recover(p->d, q, time(NULL), &stored, &p->eb), E_OK);
	assert_false(stored);
	assert_int_equal(delivery_sweep(p->d, &p->eb), E_OK);
	snprintf(path, sizeof(path), "state/spool/%s", q->tmp);
	assert_false(place_has(p, path));
	assert_int_equal(
	    delivery_recover(p->d, q, time(NULL), &stored, &p->eb), E_OK);
	assert_true(stored);
	assert_int_equal(
	    delivery_recover(p->d, q, time(NULL) - 90000, &stored, &p->eb),
	    E_OK);
	assert_false(stored);
	parcel_free(q);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(test_input),
		TEST(test_environment),
		TEST(test_status),
		TEST(test_cannot_run),
		TEST(test_for_all),
		TEST(test_once),
		TEST(test_try),
		TEST(test_timeout),
		TEST(test_background),
		TEST(test_inherits_nothing),
		TEST(test_low_descriptors),
		TEST(test_reaped_by_others),
		TEST(test_recover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Processes that use the record of what was collected at the same time, or end
 * suddenly; and damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state_rig.h"

/* ---- several, and sudden ends ---- */

static void
write_some(unsigned who, unsigned batches)
{
	struct parcel p[10] = { 0 }, *v[10];
	struct state *s;
	int64_t a;
	bool aside;

	for (unsigned i = 0; i < 10; i++)
		v[i] = &p[i];
	if (state_open(&s, state_dir, &aside, NULL) != E_OK || aside)
		_exit(1);
	a = state_account_of(s, who % 2 == 0 ? "even" : "odd").id;
	for (unsigned i = 0; i < batches; i++)
		if (state_intend(s, a, "x", v, 10, 1, NULL) != E_OK ||
		    state_stored(s, a, v, 10, 1, NULL) != E_OK)
			_exit(1);
}

static void
test_processes(void **state)
{
	unsigned good = 0;
	struct message *m;
	struct state *s;
	size_t n, all = 0;
	int status;

	(void)state;
	/* They make the database at the same time, and end without closing. */
	for (unsigned i = 0; i < 6; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			write_some(i, 10);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	assert_int_equal(good, 6);
	s = state_open_it(false);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
		    state_messages(s,
			state_account_of(s, i == 0 ? "even" : "odd").id, &m, &n,
			NULL),
		    E_OK);
		all += n;
		free(m);
	}
	assert_int_equal(all, 600);
	state_close(s);
}

static void
test_kill(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		pid_t pid = fork();
		struct state_intent *t;
		struct message *m;
		struct state *s;
		size_t n, k;
		int64_t a;

		assert_true(pid >= 0);
		if (pid == 0) {
			write_some(0, 100000);
			_exit(0);
		}
		usleep(20000 * round);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		s = state_open_it(false);
		a = state_account_of(s, "even").id;
		assert_int_equal(state_messages(s, a, &m, &n, NULL), E_OK);
		assert_int_equal(n % 10, 0);
		assert_int_equal(state_intents(s, a, &t, &k, NULL), E_OK);
		assert_int_equal(k % 10, 0);
		state_intents_free(t, k);
		free(m);
		state_close(s);
	}
}

/* ---- damage ---- */

static void
fill(unsigned rows)
{
	struct state *s = state_open_it(false);
	struct message *m = calloc(rows, sizeof(*m));

	assert_non_null(m);
	for (unsigned i = 0; i < rows; i++) {
		m[i].has_uid = m[i].has_identity = true;
		m[i].uid = digest_n(i);
	}
	assert_int_equal(
	    state_messages_save(s, state_account_of(s, "a").id, m, rows, NULL),
	    E_OK);
	free(m);
	state_close(s);
}

static void
spoil(off_t at, size_t n, int c)
{
	char *junk = malloc(n);
	int fd = open(state_file, O_WRONLY | O_CREAT, 0600);

	assert_non_null(junk);
	memset(junk, c, n);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, n, at), n);
	close(fd);
	free(junk);
}

static void
expect_anew(void)
{
	unsigned all = state_count_files("damaged-", "");
	unsigned logs = state_count_files("damaged-", "-wal") +
			state_count_files("damaged-", "-shm");
	struct state *s = state_open_it(true);

	assert_int_equal(state_count_files("state.db.damaged-", "") - all -
			     (state_count_files("damaged-", "-wal") +
				 state_count_files("damaged-", "-shm") - logs),
	    1);
	assert_true(state_account_of(s, "a").fresh);
	state_close(
	    state_open_it(false)); /* now others may have it open, too */
	state_close(s);
	state_close(state_open_it(false));
}

static void
test_damage(void **state)
{
	struct stat st;

	(void)state;
	fill(3000);
	spoil(0, 100, 'x'); /* it is no database any more */
	expect_anew();
	fill(3000);
	spoil(8192, 4096, 0);
	expect_anew();
	fill(3000);
	spoil(40960, 100, 0xff);
	expect_anew();
	fill(3000);
	assert_int_equal(stat(state_file, &st), 0);
	assert_int_equal(truncate(state_file, st.st_size / 8192 * 4096), 0);
	expect_anew();
	fill(10);
	state_sql("DROP TABLE intent");
	expect_anew();
	fill(10);
	state_sql("PRAGMA ignore_check_constraints = ON;"
		  "UPDATE message SET uid = x'00' WHERE id = 5");
	expect_anew();
	/* What is short or empty is no database, or a new one. */
	fill(10);
	assert_int_equal(truncate(state_file, 50), 0);
	expect_anew();
	assert_int_equal(truncate(state_file, 0), 0);
	state_close(state_open_it(false));
}

/* While it is open. */
static void
test_damage_later(void **state)
{
	struct errbuf eb = { "" };
	struct message *m;
	struct state *s;
	size_t n;
	int64_t a;

	(void)state;
	fill(3000);
	s = state_open_it(false);
	a = state_account_of(s, "a").id;
	state_sql("PRAGMA ignore_check_constraints = ON;"
		  "UPDATE message SET header = x'00' WHERE id = 2999");
	assert_int_equal(state_messages(s, a, &m, &n, &eb), E_FORMAT);
	assert_null(m);
	assert_non_null(strstr(eb.text, "is damaged"));
	state_close(s);
	expect_anew();
}

static void
test_damage_in_use(void **state)
{
	struct errbuf eb = { "" };
	struct state *s, *other;
	bool aside;

	(void)state;
	fill(10);
	s = state_open_it(false);
	state_sql("DROP TABLE trouble");
	assert_int_equal(state_open(&other, state_dir, &aside, &eb), E_BUSY);
	assert_non_null(strstr(eb.text, "damaged"));
	assert_int_equal(state_count_files("damaged", ""), 0);
	state_close(s);
	expect_anew();
}

/* The log of a process that died belongs to the file. */
static void
test_damage_and_log(void **state)
{
	pid_t pid;

	(void)state;
	fill(3000);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		write_some(0, 1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(state_count_files("state.db-wal", ""), 1);
	spoil(0, 8192, 'x');
	expect_anew();
	assert_int_equal(state_count_files("damaged-", ""), 3);
	assert_int_equal(state_count_files("damaged-", "-wal"), 1);
	assert_int_equal(state_count_files("state.db-", ""), 0);
}

/* A run that died between the two. */
static void
test_log_alone(void **state)
{
	struct state *s;
	char to[160];
	pid_t pid;

	(void)state;
	fill(3000);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		write_some(0, 1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	snprintf(to, sizeof(to), "%s.damaged-1", state_file);
	assert_int_equal(rename(state_file, to), 0);
	s = state_open_it(false);
	assert_true(state_account_of(s, "a").fresh);
	assert_true(state_account_of(s, "even").fresh);
	state_close(s);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, state_set_up, state_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_processes),
		TEST(test_kill),
		TEST(test_damage),
		TEST(test_damage_later),
		TEST(test_damage_in_use),
		TEST(test_damage_and_log),
		TEST(test_log_alone),
	};

	return cmocka_run_group_tests_name("state_ends", tests, NULL, NULL);
}

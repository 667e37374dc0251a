/*
 * The queue of hashes: in which order jobs begin, and who gives way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>

#include "server/auth/hashpool.h"
#include "server/users/scheme.h"

enum { QUEUE = 8, JOBS = 64 };

/* A few milliseconds; it is "secret". */
static const char hash[] =
    "{ARGON2ID}$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$"
    "7GnnAsSKn5YeUzRZ69ANQhvASUBG2dmGoFmvaHe/eDs";

static struct ev_loop *loop;
static struct hashpool *pool;
static struct hash_job jobs[JOBS];
static unsigned n_jobs;
static char order[JOBS + 1], full[JOBS + 1];
static unsigned n_order, n_full;

/* Jobs are called by letters, as they were added. */
static void
on_done(struct hash_job *job)
{
	char name = (char)('a' + (job - jobs));

	if (job->result == E_FULL) {
		full[n_full++] = name;
		return;
	}
	assert_int_equal(job->result, E_OK);
	order[n_order++] = name;
}

static enum err
add(uint64_t origin, uint64_t user, bool known)
{
	struct hash_job *job = &jobs[n_jobs++];

	*job = (struct hash_job){
		.stored = hash,
		.password = "secret",
		.whose = { .origin = origin, .user = user, .known = known },
		.done = on_done,
	};
	return hashpool_add(pool, job);
}

static void
add_ok(uint64_t origin, uint64_t user)
{
	assert_int_equal(add(origin, user, false), E_OK);
}

/* Until that many have been done. */
static void
run(unsigned n)
{
	while (n_order < n)
		ev_run(loop, EVRUN_ONCE);
}

static int
fresh(void **state)
{
	(void)state;
	n_jobs = n_order = n_full = 0;
	memset(order, 0, sizeof(order));
	memset(full, 0, sizeof(full));
	return 0;
}

static int
set_up(void **state)
{
	struct errbuf eb;

	(void)state;
	loop = ev_loop_new(EVFLAG_AUTO);
	return scheme_init() != E_OK ||
		       hashpool_new(&pool, loop, 1, QUEUE, &eb) != E_OK
		   ? -1
		   : 0;
}

/* An address with many jobs is as one with a single job. */
static void
test_fair_by_address(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) /* a is worked on at once */
		add_ok(1, i);
	add_ok(2, 20); /* g */
	add_ok(3, 30); /* h */
	run(8);
	assert_string_equal(order, "aghbcdef");
}

/* So is a user whom many addresses ask for. */
static void
test_fair_by_user(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		add_ok(i, 1);
	add_ok(20, 2); /* g */
	run(7);
	assert_string_equal(order, "agbcdef");
}

/* Those who come later do not wait for all that was there before, turn after
 * turn. */
static void
test_nobody_starves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		add_ok(1, i); /* a b c d e */
	for (unsigned i = 0; i < 4; i++) {
		add_ok(2, 20); /* f g h i */
		run(2 * (i + 1));
	}
	run(9);
	assert_string_equal(order, "afbgchdie");
}

/* Nor do they come before all of it, however much of others' has been done. */
static void
test_latecomers_take_turns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		add_ok(1, i); /* a b c d e f */
	run(3);
	for (unsigned i = 0; i < 3; i++)
		add_ok(2, 20 + i); /* g h i */
	run(9);
	assert_string_equal(order, "abcdgehfi");
}

static void
test_known_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add_ok(i, i);
	/* e f g: even from an address that has much to do */
	add_ok(9, 9);
	assert_int_equal(add(9, 10, true), E_OK);
	assert_int_equal(add(8, 11, true), E_OK);
	run(7);
	assert_string_equal(order, "afgbcde");
}

/* The crowd gives way to whoever is not of it. */
static void
test_full(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= QUEUE; i++)
		add_ok(1, i); /* a to i */
	assert_int_equal(add(1, 30, false), E_FULL);
	assert_string_equal(full, "");
	add_ok(2, 20); /* k */
	assert_string_equal(full, "i");
	assert_int_equal(add(2, 21, true), E_OK); /* l */
	assert_string_equal(full, "ih");
	run(QUEUE + 1);
	assert_string_equal(order, "alkbcdefg");
}

static void
test_cancel(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add_ok(i, i);
	assert_false(hashpool_cancel(pool, &jobs[0])); /* it is worked on */
	assert_true(hashpool_cancel(pool, &jobs[2]));
	assert_false(hashpool_cancel(pool, &jobs[2]));
	run(3);
	assert_string_equal(order, "abd");
	assert_false(hashpool_cancel(pool, &jobs[1]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fair_by_address, fresh),
		cmocka_unit_test_setup(test_fair_by_user, fresh),
		cmocka_unit_test_setup(test_nobody_starves, fresh),
		cmocka_unit_test_setup(test_latecomers_take_turns, fresh),
		cmocka_unit_test_setup(test_known_first, fresh),
		cmocka_unit_test_setup(test_full, fresh),
		cmocka_unit_test_setup(test_cancel, fresh),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

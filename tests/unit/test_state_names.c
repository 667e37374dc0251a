/*
 * Which account of the record is one of the configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "state_rig.h"

#define CONF(...) \
	(const struct configured[]) \
	{ \
		__VA_ARGS__, \
		{ \
			NULL, NULL \
		} \
	}

/* A name is what a person calls it. */
static void
an_account_is_its_maildrop(void **state)
{
	struct state *s = state_open_it(false);
	int64_t a, b;

	(void)state;
	a = state_account_in(s, CONF({ "a", "M" }), "a").id;
	assert_int_equal(state_account_in(s, CONF({ "a", "M" }), "a").id, a);
	/* Renamed, and again after that. */
	assert_int_equal(state_account_in(s, CONF({ "b", "M" }), "b").id, a);
	assert_int_equal(state_account_in(s, CONF({ "a", "M" }), "a").id, a);
	/* Another one at the same maildrop is another one. */
	b = state_account_in(s, CONF({ "a", "M" }, { "b", "M" }), "b").id;
	assert_int_not_equal(b, a);
	assert_int_equal(
	    state_account_in(s, CONF({ "c", "M" }, { "b", "M" }), "c").id, a);
	assert_int_equal(
	    state_account_in(s, CONF({ "c", "M" }, { "b", "M" }), "b").id, b);
	/* The server is called otherwise now. */
	assert_int_equal(state_account_in(s, CONF({ "c", "N" }), "c").id, a);
	state_close(s);
}

/* A server that is written wrong, and another name when that is mended. */
static void
a_maildrop_is_left_when_another_was_seen(void **state)
{
	struct state_key n = { .name = "a", .maildrop = "N" };
	struct state *s = state_open_it(false);
	struct state_account a = state_account_in(s, CONF({ "a", "M" }), "a"),
			     moved;

	(void)state;
	assert_false(a.moved);
	for (int i = 0; i < 2; i++) {
		moved = state_account_in(s, CONF({ "a", "N" }), "a");
		assert_int_equal(moved.id, a.id);
		assert_true(moved.moved);
	}
	moved = state_account_in(s, CONF({ "b", "M" }), "b");
	assert_int_equal(moved.id, a.id);
	assert_false(moved.moved);
	/* Its name is another one now. */
	assert_int_equal(state_account_settle(s, a.id, &n, NULL), E_OK);
	assert_false(state_account_in(s, CONF({ "b", "M" }), "b").moved);
	n.name = "b";
	assert_int_equal(state_account_settle(s, a.id, &n, NULL), E_OK);
	moved = state_account_in(s, CONF({ "c", "N" }), "c");
	assert_int_equal(moved.id, a.id);
	assert_false(moved.moved);
	state_close(s);
}

static void
names_change_places(void **state)
{
	const struct configured *now = CONF({ "a", "N" }, { "b", "M" });
	struct state *s = state_open_it(false);
	int64_t a, b, n;

	(void)state;
	a = state_account_in(s, CONF({ "a", "M" }, { "b", "N" }), "a").id;
	b = state_account_in(s, CONF({ "a", "M" }, { "b", "N" }), "b").id;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(state_account_in(s, now, "a").id, b);
		assert_int_equal(state_account_in(s, now, "b").id, a);
	}
	/* One has got another name, and a new one has got its old one. */
	now = CONF({ "a", "P" }, { "old", "N" }, { "b", "M" });
	n = state_account_in(s, now, "a").id;
	assert_true(n != a && n != b);
	assert_int_equal(state_account_in(s, now, "old").id, b);
	assert_int_equal(state_account_in(s, now, "a").id, n);
	state_close(s);
}

/* Before version 2 there were names only. */
static void
a_record_without_a_maildrop_gets_one(void **state)
{
	struct state *s = state_open_it(false);
	sqlite3 *db;
	int64_t a;

	(void)state;
	a = state_account_in(s, CONF({ "a", "M" }), "a").id;
	state_close(s);
	assert_int_equal(sqlite3_open(state_file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE account SET maildrop = ''",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	s = state_open_it(false);
	assert_int_equal(state_account_in(s, CONF({ "a", "M" }), "a").id, a);
	assert_int_equal(state_account_in(s, CONF({ "b", "M" }), "b").id, a);
	state_close(s);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, state_set_up, state_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_account_is_its_maildrop),
		TEST(a_maildrop_is_left_when_another_was_seen),
		TEST(names_change_places),
		TEST(a_record_without_a_maildrop_gets_one),
	};

	return cmocka_run_group_tests_name("state_names", tests, NULL, NULL);
}

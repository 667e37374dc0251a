/*
 * Killed anywhere (S-ENG-14, S-ENG-36): no message is lost that was not
 * marked, no unique-id changes, and the next login lists what is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drop.h"
#include "step.h"

enum { MESSAGES = 6, CHANGES_MAX = 5000 };

static const char *const file[MESSAGES] = { "new/1.a", "cur/2.b:2,F",
	"cur/3.c:2,S", "new/4.d", "cur/5.e:2,", "new/6 f" };

static void
put_all(struct drop_fixture *f)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		fixture_put(f, file[i], "A: b\n\nx\n");
}

/* What is listed is there, once, and the other way round. */
static void
expect_true_list(struct drop_fixture *f)
{
	struct drop_entry *v = fixture_list(f);
	unsigned files = fixture_count(f, "new") + fixture_count(f, "cur");
	char name[INDEX_NAME_MAX + 8];

	assert_int_equal(f->o.count, files);
	for (uint32_t i = 0; i < f->o.count; i++) {
		snprintf(name, sizeof(name), "%s/%s",
		    v[i].name[0] == 'n' ? "new" : "cur", v[i].name + 1);
		assert_true(fixture_has(f, name));
		assert_int_equal(v[i].wire, 11);
	}
	free(v);
}

static bool
lists(struct drop_fixture *f, const char *uid)
{
	struct drop_entry *v = fixture_list(f);
	bool found = false;

	for (uint32_t i = 0; i < f->o.count; i++)
		found = found || strcmp(v[i].uid, uid) == 0;
	free(v);
	return found;
}

/* ---- UPDATE ---- */

static void
commit(void *arg)
{
	static const uint32_t remove[] = { 2, 4, 6, 0 };
	static const uint32_t seen[] = { 1, 3, 5, 0 };
	struct drop_fixture *f = arg;
	struct hold_commit c;

	if (fixture_open(f, false) != E_OK)
		_exit(1);
	c = fixture_commit(f, remove, seen);
	_exit(c.removed == 3 && c.failed == 0 ? 0 : 1);
}

static void
test_commit(void **state)
{
	enum step_how how = *(enum step_how *)*state;
	char kept[4][INDEX_UID_MAX + 1];
	bool killed = true;
	unsigned n;

	for (n = 1; killed && n < CHANGES_MAX; n++) {
		struct drop_fixture f;
		struct drop_entry *v;

		fixture_init(&f);
		put_all(&f);
		fixture_must_open(&f);
		v = fixture_list(&f);
		assert_int_equal(f.o.count, MESSAGES);
		for (unsigned i = 0; i < 3; i++)
			strcpy(kept[i], v[2 * i].uid);
		free(v);
		fixture_close(&f);
		killed = step_kill(commit, &f, n, how);
		fixture_must_open(&f);
		expect_true_list(&f);
		for (unsigned i = 0; i < 3; i++)
			assert_true(lists(&f, kept[i]));
		if (!killed)
			assert_int_equal(f.o.count, 3);
		/* The next login is quick again some time later. */
		fixture_close(&f);
		fixture_settle();
		fixture_must_open(&f);
		fixture_close(&f);
		assert_int_equal(fixture_open(&f, true), E_OK);
		expect_true_list(&f);
		fixture_clear(&f);
	}
	assert_false(killed);
	assert_true(n > 12);
}

/* ---- opening ---- */

static void
open_it(void *arg)
{
	struct drop_fixture *f = arg;

	_exit(fixture_open(f, false) == E_OK ? 0 : 1);
}

/* The first open imports another server's list, the second finds new mail
 * and that some has gone; each is killed anywhere. */
static void
test_open(void **state)
{
	enum step_how how = *(enum step_how *)*state;
	bool killed[2] = { true, true };
	unsigned n;

	for (n = 1; (killed[0] || killed[1]) && n < CHANGES_MAX; n++) {
		struct drop_fixture f;

		fixture_init(&f);
		put_all(&f);
		fixture_put(&f, "dovecot-uidlist",
		    "3 V255 N9 G0\n7 :1.a\n8 PCustom :2.b:2,\n");
		killed[0] = step_kill(open_it, &f, n, how);
		fixture_must_open(&f);
		expect_true_list(&f);
		assert_true(lists(&f, "00000007000000ff"));
		assert_true(lists(&f, "Custom"));
		assert_true(lists(&f, "3.c"));
		fixture_close(&f);

		fixture_remove(&f, "dovecot-uidlist");
		fixture_remove(&f, file[2]);
		fixture_put(&f, "new/3.d", "A: b\n\nx\n");
		fixture_put(&f, "cur/5.e:2,R", "A: b\n\nx\n");
		killed[1] = step_kill(open_it, &f, n, how);
		fixture_must_open(&f);
		expect_true_list(&f);
		assert_true(lists(&f, "00000007000000ff"));
		assert_true(lists(&f, "Custom"));
		assert_true(lists(&f, "3.d"));
		assert_false(lists(&f, "3.c"));
		fixture_close(&f);
		/* And from malote-uidl alone. */
		fixture_remove(&f, "malote.index");
		fixture_must_open(&f);
		expect_true_list(&f);
		assert_true(lists(&f, "00000007000000ff"));
		assert_true(lists(&f, "Custom"));
		fixture_clear(&f);
	}
	assert_false(killed[0] || killed[1]);
	assert_true(n > 8);
}

/* ---- malote-uidl is made anew ---- */

enum { DEAD = 1200 };

/* A maildrop with many lines, most of them dead. */
static char *
many_lines(struct drop_fixture *f)
{
	char path[256], name[64], *text;
	FILE *list;

	snprintf(path, sizeof(path), "%s/dovecot-uidlist", f->path);
	list = fopen(path, "w");
	fprintf(list, "3 V255 N9 G0\n");
	for (unsigned i = 1; i <= DEAD; i++) {
		snprintf(name, sizeof(name), "new/%u.x", i);
		fixture_put(f, name, "");
		fprintf(list, "%u :%u.x\n", i, i);
	}
	fprintf(list, "%u :1.a\n", DEAD + 1);
	fclose(list);
	put_all(f);
	fixture_must_open(f);
	text = fixture_read(f, "malote-uidl");
	assert_true(strlen(text) > DEAD * 20);
	return text;
}

static void
test_compact(void **state)
{
	enum step_how how = *(enum step_how *)*state;
	struct drop_fixture f;
	bool killed = true;
	char *text, *now;
	unsigned n;

	fixture_init(&f);
	text = many_lines(&f);
	fixture_clear(&f);
	for (n = 1; killed && n < CHANGES_MAX; n++) {
		fixture_init(&f);
		put_all(&f);
		fixture_put(&f, "malote-uidl", text);
		killed = step_kill(open_it, &f, n, how);
		fixture_must_open(&f);
		expect_true_list(&f);
		assert_true(lists(&f, "000004b1000000ff"));
		now = fixture_read(&f, "malote-uidl");
		assert_true(strlen(now) < 500);
		free(now);
		fixture_clear(&f);
	}
	assert_false(killed);
	assert_true(n > 8);
	free(text);
}

int
main(void)
{
	static enum step_how before = STEP_BEFORE, torn = STEP_TORN;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_commit, &before),
		cmocka_unit_test_prestate(test_commit, &torn),
		cmocka_unit_test_prestate(test_open, &before),
		cmocka_unit_test_prestate(test_open, &torn),
		cmocka_unit_test_prestate(test_compact, &before),
		cmocka_unit_test_prestate(test_compact, &torn),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Killed anywhere (S-ENG-14, S-ENG-36): no message is lost that was not
 * marked, no unique-id changes, and the next login lists what is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

/* Messages that are anywhere, those in the trash too. */
static unsigned
count_all(struct drop_fixture *f)
{
	unsigned n = fixture_count(f, "new") + fixture_count(f, "cur");

	if (fixture_has(f, ".Trash/cur"))
		n += fixture_count(f, ".Trash/cur");
	return n;
}

static void
kill_commit(enum step_how how, bool trash)
{
	char kept[4][INDEX_UID_MAX + 1];
	bool killed = true;
	unsigned n;

	for (n = 1; killed && n < CHANGES_MAX; n++) {
		struct drop_fixture f;
		struct drop_entry *v;

		fixture_init(&f);
		f.conf.trash = trash;
		put_all(&f);
		fixture_must_open(&f);
		v = fixture_list(&f);
		assert_int_equal(f.o.count, MESSAGES);
		for (unsigned i = 0; i < 3; i++)
			strcpy(kept[i], v[2 * i].uid);
		free(v);
		fixture_close(&f);
		killed = step_kill(commit, &f, n, how);
		if (trash)
			assert_int_equal(count_all(&f), MESSAGES);
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

static void
test_commit(void **state)
{
	kill_commit(*(enum step_how *)*state, false);
}

/* What is removed is in the trash or still in the maildrop. */
static void
test_trash(void **state)
{
	kill_commit(*(enum step_how *)*state, true);
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

/* ---- mail that goes by itself ---- */

static time_t ahead;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = __real_clock_gettime(clock, t);

	if (clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME)
		t->tv_sec += ahead;
	return r;
}

static void
look(struct drop_fixture *f, bool told)
{
	struct hold_open o = { .conf = &f->conf,
		.path = f->path,
		.user = "test",
		.tag = "user=test",
		.expires = true };
	struct hold_expire x = { .days = 7, .told = told };

	f->conf.expire_share = 100;
	maildir_kind.expire(&o, &x);
}

static void
look_told(void *arg)
{
	look(arg, true);
	_exit(0);
}

static void
look_again(void *arg)
{
	look(arg, false);
	_exit(0);
}

static unsigned
messages(struct drop_fixture *f)
{
	return fixture_count(f, "new") + fixture_count(f, "cur");
}

/* Killed while it is written down that the user was told: should the user be told
 * then that nothing goes, nothing does. */
static void
test_expire_told(void **state)
{
	enum step_how how = *(enum step_how *)*state;
	bool killed = true;
	unsigned n;

	for (n = 1; killed && n < CHANGES_MAX; n++) {
		struct drop_fixture f;

		ahead = 0;
		fixture_init(&f);
		put_all(&f);
		fixture_settle(); /* the index is right, and stays so */
		fixture_must_open(&f);
		fixture_close(&f);
		killed = step_kill(look_told, &f, n, how);
		fixture_must_open(&f); /* who is told NEVER */
		fixture_close(&f);
		/* Who only looks has the index mended, and forgets nothing. */
		fixture_put(&f, "new/7.g", "A: b\n\nx\n");
		f.o = (struct hold_open){ .conf = &f.conf,
			.path = f.path,
			.user = "test",
			.peer = "",
			.tag = "",
			.read_only = true,
			.expires = true };
		assert_int_equal(maildir_kind.open(&f.o), E_OK);
		maildir_kind.close(f.o.hold);
		ahead = 9 * 24 * 60 * 60;
		look(&f, false);
		look(&f, false);
		assert_int_equal(messages(&f), MESSAGES + 1);
		fixture_clear(&f);
	}
	assert_false(killed);
	assert_true(n > 8);
}

/* Killed while mail goes: it is there or gone, and the rest goes next time. */
static void
test_expire_goes(void **state)
{
	enum step_how how = *(enum step_how *)*state;
	bool killed = true;
	unsigned n;

	for (n = 1; killed && n < CHANGES_MAX; n++) {
		struct drop_fixture f;

		ahead = 0;
		fixture_init(&f);
		put_all(&f);
		look(&f, true);
		ahead = 9 * 24 * 60 * 60;
		killed = step_kill(look_again, &f, n, how);
		assert_true(fixture_has(&f, file[1])); /* flagged */
		ahead += 24 * 60 * 60;
		look(&f, false);
		assert_int_equal(messages(&f), 1);
		fixture_must_open(&f);
		expect_true_list(&f);
		assert_true(lists(&f, "2.b"));
		fixture_clear(&f);
	}
	assert_false(killed);
	assert_true(n > 8);
}

int
main(void)
{
	static enum step_how before = STEP_BEFORE, torn = STEP_TORN;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_commit, &before),
		cmocka_unit_test_prestate(test_commit, &torn),
		cmocka_unit_test_prestate(test_trash, &before),
		cmocka_unit_test_prestate(test_trash, &torn),
		cmocka_unit_test_prestate(test_open, &before),
		cmocka_unit_test_prestate(test_open, &torn),
		cmocka_unit_test_prestate(test_compact, &before),
		cmocka_unit_test_prestate(test_compact, &torn),
		cmocka_unit_test_prestate(test_expire_told, &before),
		cmocka_unit_test_prestate(test_expire_told, &torn),
		cmocka_unit_test_prestate(test_expire_goes, &before),
		cmocka_unit_test_prestate(test_expire_goes, &torn),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What expires in a Maildir: only what its owner was told would go, and only
 * when the clock can be believed.  S-2449-24, S-2449-25.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "drop.h"
#include "server/store/maildir/expire.h"
#include "server/store/maildir/expire_rule.h"
#include "server/store/maildir/lock.h"

enum { DAYS = 7, DAY = EXPIRE_DAY };

/* ---- time ---- */

static struct {
	time_t now, up; /* seconds by which both clocks are ahead */
} ahead;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = __real_clock_gettime(clock, t);

	if (clock == CLOCK_REALTIME)
		t->tv_sec += ahead.now;
	else if (clock == CLOCK_BOOTTIME)
		t->tv_sec += ahead.up;
	return r;
}

/* So many days from the real time, for all clocks. */
static void
on_day(int day)
{
	ahead.now = ahead.up = (time_t)day * DAY;
}

/* ---- the maildrop ---- */

static struct drop_fixture f;
static const char *user;
static uint32_t days;
static bool more;

static void
look(bool told)
{
	struct hold_open o = { .conf = &f.conf,
		.path = f.path,
		.user = user,
		.tag = "user=test",
		.expires = true };
	struct hold_expire x = { .days = days, .told = told };

	fixture_settle();
	maildir_kind.expire(&o, &x);
	more = x.more;
}

static void
open_drop(bool expires)
{
	f.o = (struct hold_open){ .conf = &f.conf,
		.path = f.path,
		.user = user,
		.peer = "192.0.2.1",
		.tag = "sid=0.1 user=test",
		.expires = expires };
	assert_int_equal(maildir_kind.open(&f.o), E_OK);
}

/* A session of the user, who is told how long mail stays. */
static void
session(bool expires)
{
	open_drop(expires);
	maildir_kind.close(f.o.hold);
	if (expires)
		look(true);
}

/* A look on each day, as the parent has it done. */
static void
days_pass(int from, int to)
{
	for (int day = from; day <= to; day++) {
		on_day(day);
		look(false);
	}
}

static unsigned
left(void)
{
	return fixture_count(&f, "new") + fixture_count(&f, "cur");
}

static int
set_up(void **state)
{
	fixture_init(&f);
	f.conf.expire_share = 100;
	f.conf.expire_floor = 0;
	user = "anna";
	days = DAYS;
	on_day(0);
	fixture_put(&f, "new/1.a", "one\n");
	fixture_put(&f, "cur/2.b:2,S", "two\n");
	return 0;
}

static int
tear_down(void **state)
{
	fixture_clear(&f);
	return 0;
}

static struct expire_state
read_state(void)
{
	struct expire_state s;
	struct errbuf eb;
	int root = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(expire_load(&s, root, &eb), E_OK);
	close(root);
	return s;
}

static bool
has_state(void)
{
	return fixture_has(&f, EXPIREFILE_NAME);
}

/* ---- what goes, and when ---- */

static void
test_goes(void **state)
{
	session(true);
	assert_int_equal(read_state().days, DAYS);
	days_pass(1, DAYS);
	assert_int_equal(left(), 2);
	days_pass(DAYS + 1, DAYS + 1);
	assert_int_equal(left(), 0);
	assert_false(more);
}

/* Nobody was told: whatever the setting, and for however long. */
static void
test_not_told(void **state)
{
	days_pass(0, 3 * DAYS);
	assert_int_equal(left(), 2);
	assert_false(has_state());
}

/* Each message by its own time. */
static void
test_each_by_itself(void **state)
{
	session(true);
	days_pass(1, 3);
	fixture_put(&f, "new/3.c", "three\n");
	days_pass(4, DAYS + 1);
	assert_false(fixture_has(&f, "new/1.a"));
	assert_true(fixture_has(&f, "new/3.c"));
	days_pass(DAYS + 2, DAYS + 5);
	assert_int_equal(left(), 0);
}

/* What a policy says counts from when it was told. */
static void
test_changed(void **state)
{
	session(true);
	days_pass(1, 4);
	days = 2; /* shorter */
	days_pass(5, 6);
	assert_int_equal(left(), 2);
	session(true);
	days_pass(7, 7);
	assert_int_equal(left(), 2);
	days = 30; /* longer: the old one holds no more */
	session(true);
	days_pass(8, 20);
	assert_int_equal(left(), 2);
	days = 2;
	session(true);
	days_pass(21, 21);
	assert_int_equal(left(), 2);
	days_pass(22, 23);
	assert_int_equal(left(), 0);
}

/* Off, told, and on again. */
static void
test_off_and_on(void **state)
{
	session(true);
	days_pass(1, 2);
	fixture_settle();
	session(false);
	assert_false(has_state());
	days_pass(3, 2 * DAYS);
	assert_int_equal(left(), 2);
	session(true);
	days_pass(2 * DAYS + 1, 3 * DAYS - 1);
	assert_int_equal(left(), 2);
	days_pass(3 * DAYS, 3 * DAYS + 1);
	assert_int_equal(left(), 0);
}

static void
read_only(bool expires)
{
	f.o = (struct hold_open){ .conf = &f.conf,
		.path = f.path,
		.user = user,
		.peer = "",
		.tag = "",
		.read_only = true,
		.expires = expires };
	assert_int_equal(maildir_kind.open(&f.o), E_OK);
	maildir_kind.close(f.o.hold);
}

/* Who reads only is told NEVER (malote_read_only), or what the user is told
 * (anonymous).  Nobody who comes by the short way changes anything. */
static void
test_forgotten_once(void **state)
{
	session(true);
	read_only(true);
	assert_true(has_state());
	fixture_settle();
	read_only(false);
	assert_false(has_state());
	fixture_settle();
	assert_int_equal(fixture_open(&f, true), E_OK); /* nothing to do */
	fixture_close(&f);
}

static void
test_another_user(void **state)
{
	session(true);
	days_pass(1, 5);
	user = "bob";
	days_pass(6, 2 * DAYS);
	assert_int_equal(left(), 2);
	session(true);
	days_pass(2 * DAYS + 1, 3 * DAYS - 1);
	assert_int_equal(left(), 2);
}

/* ---- what is not believed ---- */

static void
run(const char *command)
{
	char line[600];

	snprintf(line, sizeof(line), "cd %s && %s", f.path, command);
	assert_int_equal(system(line), 0);
}

/* A copy, or what a backup has brought back, is another file. */
static void
test_copied(void **state)
{
	session(true);
	run("cp -p malote-expire x && mv x malote-expire");
	days_pass(1, 3 * DAYS);
	assert_int_equal(left(), 2);
	run("echo nonsense >malote-expire");
	days_pass(3 * DAYS + 1, 4 * DAYS);
	assert_int_equal(left(), 2);
}

/* Without the index all mail is as if it had come now. */
static void
test_index_deleted(void **state)
{
	session(true);
	days_pass(1, DAYS);
	fixture_remove(&f, "malote.index");
	days_pass(DAYS + 1, 2 * DAYS);
	assert_int_equal(left(), 2);
	days_pass(2 * DAYS + 1, 2 * DAYS + 2);
	assert_int_equal(left(), 0);
}

/* Nor does it stay when NEVER is told then. */
static void
test_index_deleted_and_off(void **state)
{
	session(true);
	fixture_remove(&f, "malote.index");
	session(false);
	assert_false(has_state());
}

/* It was told, but not written down that it is: see begin(). */
static void
test_unnoted(void **state)
{
	session(true);
	fixture_settle();
	run("mv malote-expire ../kept");
	fixture_put(&f, "new/3.c", "three\n");
	session(false);
	run("mv ../kept malote-expire");
	days_pass(2 * DAYS, 2 * DAYS);
	assert_int_equal(left(), 3);
}

/* Whatever changes about a file makes it young: a flag, a backup, a move. */
static void
test_touched(void **state)
{
	on_day(-3);
	session(true);
	days_pass(-2, 0);
	run("mv new/1.a cur/1.a:2,S && chmod 640 cur/1.a:2,S");
	days_pass(1, DAYS - 1);
	assert_true(fixture_has(&f, "cur/1.a:2,S"));
	days_pass(DAYS, DAYS + 1);
	assert_int_equal(left(), 0);
}

static void
test_restored(void **state)
{
	on_day(-20);
	session(true);
	run("cp -a . ../backup");
	on_day(-5);
	run("rm new/1.a && rm -r new cur malote* && cp -a ../backup/. . && "
	    "rm -r ../backup");
	days_pass(-4, DAYS - 1);
	assert_int_equal(left(), 2);
}

/* A new file may get the number of one that has gone. */
static void
test_brought_back(void **state)
{
	session(true);
	run("cat malote-expire >../kept && rm malote-expire && "
	    "cat ../kept >malote-expire && chmod 600 malote-expire && "
	    "rm ../kept");
	days_pass(1, 3 * DAYS);
	assert_int_equal(left(), 2);
}

static void
test_flagged(void **state)
{
	fixture_put(&f, "cur/3.c:2,FS", "three\n");
	session(true);
	days_pass(1, 3 * DAYS);
	assert_int_equal(left(), 1);
	assert_true(fixture_has(&f, "cur/3.c:2,FS"));
}

/* Somebody has it. */
static void
test_locked(void **state)
{
	session(true);
	days_pass(1, DAYS);
	open_drop(true);
	days_pass(DAYS + 1, DAYS + 1);
	assert_int_equal(left(), 2);
	maildir_kind.close(f.o.hold);
	look(false);
	assert_int_equal(left(), 0);
}

/* Nothing goes before it is written down that somebody looked. */
static void
test_unsaved(void **state)
{
	session(true);
	days_pass(1, DAYS);
	run("mkdir malote-expire.tmp");
	days_pass(DAYS + 1, DAYS + 2);
	assert_int_equal(left(), 2);
	run("rmdir malote-expire.tmp");
	look(false);
	assert_int_equal(left(), 0);
}

static void
test_not_there(void **state)
{
	run("mv ../Maildir ../gone");
	look(true);
	assert_int_equal(access(f.path, F_OK), -1);
	rename(strcat(strcpy((char[128]){ 0 }, f.base), "/gone"), f.path);
}

static void
test_rule_of_due(void **state)
{
	struct expire_state s = { .days = 2, .since = 100 * DAY };

	assert_int_equal(expire_due_at(&s, 0, 0), 102 * DAY);
	assert_int_equal(expire_due_at(&s, 100, 0), 103 * DAY);
	assert_int_equal(expire_due_at(&s, 100, 107 * DAY), 109 * DAY);
}

/* ---- the clock ---- */

static void
test_rule_of_clock(void **state)
{
	static const struct {
		int now, boot; /* days after the last look, and of its boot */
		bool jumped;
	} v[] = {
		{ 1, 0, false },
		{ 100, 0, false }, /* nobody looked, but time has passed */
		{ 1, 1, true },    /* set ahead */
		{ -1, -1, true },  /* set back */
		{ 0, -1, true },
		{ 2, 11, false }, /* started anew a day after the look */
		{ 3, 13, true },  /* three days after it */
		/* Or set ahead by somewhat more than the machine has run. */
		{ 11, 11, true },
		/* A machine that knows no time when it is started. */
		{ -5, 0, true },
		{ 400, 400, true }, /* with a clock that is wrong */
	};
	struct expire_state s = { .looked = 110 * DAY, .boot = 100 * DAY };

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct expire_clock c = { (uint64_t)(110 + v[i].now) * DAY,
			(uint64_t)(100 + v[i].boot) * DAY };

		assert_int_equal(expire_has_jumped(&s, &c), v[i].jumped);
	}
}

/* Back and forth: nothing goes until somebody says that the clock is right, and
 * from then on all mail has its days. */
static void
test_clock(void **state)
{
	struct holder holder;
	struct errbuf eb;

	session(true);
	ahead.now = 100 * DAY;
	look(false);
	assert_int_equal(read_state().held, EXPIRE_HELD_CLOCK);
	ahead.now = ahead.up = 1 * DAY;
	look(false);
	days_pass(2, 2 * DAYS);
	assert_int_equal(read_state().held, EXPIRE_HELD_CLOCK);
	assert_int_equal(left(), 2);
	assert_int_equal(
	    maildir_kind.expire_accept(f.path, &holder, &eb), E_OK);
	days_pass(2 * DAYS + 1, 3 * DAYS - 1);
	assert_int_equal(left(), 2);
	days_pass(3 * DAYS, 3 * DAYS + 1);
	assert_int_equal(left(), 0);
}

static void
test_clock_back(void **state)
{
	session(true);
	ahead.now = -100 * DAY;
	look(false);
	assert_int_equal(read_state().held, EXPIRE_HELD_CLOCK);
	ahead.now = ahead.up = 2 * DAYS * DAY;
	look(false);
	assert_int_equal(left(), 2);
}

/* A message that was met when the clock was years ahead does not stay so long. */
static void
test_met_in_the_future(void **state)
{
	struct holder holder;
	struct errbuf eb;

	session(true);
	ahead.now = 1000 * DAY;
	fixture_put(&f, "new/3.c", "three\n");
	session(true);
	on_day(1);
	look(false);
	assert_int_equal(
	    maildir_kind.expire_accept(f.path, &holder, &eb), E_OK);
	fixture_put(&f, "new/4.d", "four\n");
	days_pass(2, DAYS + 3);
	assert_int_equal(left(), 0);
}

/* A machine without a battery: when it has been started the clock is wrong for a
 * while, in which a session begins. */
static void
test_met_in_the_past(void **state)
{
	session(true);
	days_pass(1, 3);
	fixture_put(&f, "new/3.c", "three\n");
	days_pass(4, DAYS + 3);
	fixture_put(&f, "new/4.d", "four\n");
	days_pass(DAYS + 4, DAYS + 4);
	assert_int_equal(left(), 2);
	ahead.now = -1000 * DAY;
	fixture_put(&f, "new/5.e", "five\n");
	fixture_settle();
	open_drop(true);
	on_day(DAYS + 5);
	maildir_kind.close(f.o.hold);
	look(true);
	assert_int_equal(read_state().held, EXPIRE_HELD_NOT);
	assert_false(fixture_has(&f, "new/3.c"));
	assert_int_equal(left(), 2);
	days_pass(DAYS + 6, 2 * DAYS + 7);
	assert_int_equal(left(), 0);
}

/* ---- much at a time ---- */

static void
test_rule_of_share(void **state)
{
	assert_false(expire_is_much(20, 20, 50, 20));
	assert_true(expire_is_much(21, 21, 50, 20));
	assert_false(expire_is_much(50, 100, 50, 20));
	assert_true(expire_is_much(51, 100, 50, 20));
	assert_true(expire_is_much(1, 1000, 0, 0));
	assert_false(expire_is_much(1000, 1000, 100, 0));
}

static void
test_share(void **state)
{
	struct control_expire shown = { .days = 0 };
	struct holder holder;
	struct errbuf eb;

	f.conf.expire_share = 50;
	f.conf.expire_floor = 1;
	session(true);
	days_pass(1, 2 * DAYS);
	assert_int_equal(left(), 2);
	assert_int_equal(maildir_kind.expire_show(f.path, &shown, &eb), E_OK);
	assert_int_equal(shown.held, EXPIRE_HELD_SHARE);
	assert_int_equal(shown.due, 2);
	assert_int_equal(shown.of, 2);
	assert_string_equal(shown.user, "anna");
	assert_int_equal(
	    maildir_kind.expire_accept(f.path, &holder, &eb), E_OK);
	look(false);
	assert_int_equal(left(), 0);
	assert_int_equal(
	    maildir_kind.expire_accept(f.path, &holder, &eb), E_NOENT);
}

/* What is accepted is what was due then. */
static void
test_accepted_only(void **state)
{
	struct holder holder;
	struct errbuf eb;

	f.conf.expire_share = 50;
	f.conf.expire_floor = 1;
	session(true);
	days_pass(1, DAYS + 1);
	assert_int_equal(
	    maildir_kind.expire_accept(f.path, &holder, &eb), E_OK);
	fixture_put(&f, "new/3.c", "three\n");
	fixture_put(&f, "new/4.d", "four\n");
	look(false);
	assert_int_equal(left(), 2);
	days_pass(DAYS + 2, 3 * DAYS);
	assert_int_equal(left(), 2);
}

/* It is for the clock of the last look. */
static void
test_accepted_with_a_wrong_clock(void **state)
{
	struct holder holder;
	struct errbuf eb;

	f.conf.expire_share = 50;
	f.conf.expire_floor = 1;
	session(true);
	days_pass(1, DAYS + 1);
	ahead.now = 100 * DAY;
	assert_int_equal(
	    maildir_kind.expire_accept(f.path, &holder, &eb), E_OK);
	look(false);
	assert_int_equal(read_state().held, EXPIRE_HELD_CLOCK);
	assert_int_equal(left(), 2);
}

static void
test_pieces(void **state)
{
	enum { MANY = 1200 };
	char name[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "new/9.%d", i);
		fixture_put(&f, name, "x\n");
	}
	session(true);
	days_pass(1, DAYS + 1);
	assert_int_equal(left(), MANY + 2 - 500);
	assert_true(more);
	look(false);
	look(false);
	assert_int_equal(left(), 0);
	assert_false(more);
}

/* ---- the file ---- */

static void
test_parse(void **state)
{
	struct expire_state s, t;
	struct errbuf eb;
	uint64_t self;
	char *text;
	int root;

	s = (struct expire_state){ .user = "jos\xc3\xa9 da silva",
		.days = 30,
		.since = 1,
		.looked = 1ULL << 40,
		.boot = 3,
		.next = 4,
		.accepted = 5,
		.held = EXPIRE_HELD_SHARE,
		.due = UINT32_MAX,
		.of = 7 };
	root = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(expire_save(&s, root, &eb), E_OK);
	assert_int_equal(expire_load(&t, root, &eb), E_OK);
	assert_memory_equal(&s, &t, sizeof(s));
	/* One that the days would carry beyond the end of all time. */
	t.since = (1ULL << 40) + 1;
	assert_int_equal(expire_save(&t, root, &eb), E_OK);
	assert_int_equal(expire_load(&t, root, &eb), E_NOENT);
	assert_int_equal(expire_save(&s, root, &eb), E_OK);
	text = fixture_read(&f, EXPIREFILE_NAME);
	assert_int_equal(sscanf(text, "malote-expire 1 %*s %ju", &self), 1);
	for (size_t i = 0; i < strlen(text); i++) {
		text[i] ^= 1;
		assert_int_equal(
		    expire_parse(
			&t, (struct slice){ text, strlen(text) }, self),
		    E_NOENT);
		text[i] ^= 1;
		assert_int_equal(
		    expire_parse(&t, (struct slice){ text, i }, self), E_NOENT);
	}
	assert_int_equal(
	    expire_parse(&t, (struct slice){ text, strlen(text) }, self), E_OK);
	assert_int_equal(
	    expire_parse(&t, (struct slice){ text, strlen(text) }, self + 1),
	    E_NOENT);
	free(text);
	close(root);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_goes),
		T(test_not_told),
		T(test_each_by_itself),
		T(test_changed),
		T(test_off_and_on),
		T(test_forgotten_once),
		T(test_another_user),
		T(test_copied),
		T(test_index_deleted),
		T(test_index_deleted_and_off),
		T(test_unnoted),
		T(test_touched),
		T(test_restored),
		T(test_brought_back),
		T(test_flagged),
		T(test_locked),
		T(test_unsaved),
		T(test_not_there),
		T(test_rule_of_due),
		T(test_rule_of_clock),
		T(test_clock),
		T(test_clock_back),
		T(test_met_in_the_future),
		T(test_rule_of_share),
		T(test_share),
		T(test_accepted_only),
		T(test_accepted_with_a_wrong_clock),
		T(test_met_in_the_past),
		T(test_pieces),
		T(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

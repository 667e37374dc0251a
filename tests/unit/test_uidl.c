/*
 * Unique-ids of our own, Dovecot's templates, and malote-uidl.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "drop.h"
#include "server/store/maildir/uidl.h"

#define UIDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct slice
str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static void
expect_uid(const struct uid *u, const char *want)
{
	assert_int_equal(u->n, strlen(want));
	assert_memory_equal(u->s, want, u->n);
}

/* S-1939-32: 1-70 octets of 0x21-0x7e. */
static void
test_own(void **state)
{
	static const char *const good[] = { "1.a", "!", "~",
		"1700000000.M1P2.host,S=13,W=14" };
	static const char *const bad[] = { "", "a b", "a\tb", "\x7f", "\xff" };
	char at_most[72];
	struct uid u, again;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uid_own(&u, str(good[i]));
		expect_uid(&u, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uid_own(&u, str(bad[i]));
		assert_int_equal(u.n, 39);
		assert_memory_equal(u.s, "malote:", 7);
		uid_own(&again, str(bad[i]));
		assert_memory_equal(u.s, again.s, u.n);
		uid_own(&again, str(bad[(i + 1) % 5]));
		assert_memory_not_equal(u.s, again.s, u.n);
	}
	memset(at_most, 'x', 71);
	at_most[71] = '\0';
	uid_own(&u, str(at_most));
	assert_int_equal(u.n, 39);
	at_most[70] = '\0';
	uid_own(&u, str(at_most));
	expect_uid(&u, at_most);
}

/* As Dovecot 2.3.19 answered UIDL with the same lists. */
static void
test_format(void **state)
{
	static const struct {
		const char *format, *uid;
	} t[] = {
		{ "%08Xu%08Xv", "000000026b024bf1" },
		{ "%u.%v", "2.1795312625" },
		{ "%f", "1700000002.M2P1.host,S=13" },
		{ "%g", "guid" },
		{ "%5v-%u", "17953-2" },
		{ "%Xv", "6b024bf1" },
		{ "%4Xv", "6b02" },
		{ "%012u", "000000000002" },
		{ "%2.4v", "9531" },
		{ "%2.04v", "95312625" },
		{ "%LXv", "6b024bf1" },
		{ "a%%%u", "a%2" },
		{ "%Uf", "1700000002.M2P1.HOST,S=13" },
		{ "%Lf.%10f", "1700000002.m2p1.host,s=13.1700000002" },
		{ "%Xf", "0" },
		/* Nothing that we can say, or that POP3 permits. */
		{ "%m", NULL },
		{ "%{uid}", NULL },
		{ "%", NULL },
		{ "%08X", NULL },
		{ "%u %v", NULL },
		{ "", NULL },
		{ "%080u", NULL },
		{ "%99999999999999999999u", "2" },
	};
	static const struct uid_vars vars = { 2, 1795312625,
		{ "1700000002.M2P1.host,S=13", 25 }, { "guid", 4 } };
	struct uid u;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bool known = uid_format(&u, t[i].format, &vars);

		assert_int_equal(known, t[i].uid != NULL);
		if (known)
			expect_uid(&u, t[i].uid);
	}
}

/* ---- a maildrop's rules ---- */

static int
setup(void **state)
{
	static struct drop_fixture f;

	fixture_init(&f);
	fixture_put(&f, "new/1.a", "x\n");
	fixture_put(&f, "cur/2.b:2,S", "x\n");
	fixture_put(&f, "cur/3.c:2,", "x\n");
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	fixture_clear(*state);
	return 0;
}

static void
dovecot_list(struct drop_fixture *f)
{
	fixture_put(f, "dovecot-uidlist",
	    "3 V1795312625 N9 G0123456789abcdef0123456789abcdef\n"
	    "4 W3 :1.a\n"
	    "7 PCustom.id W3 :2.b:2,\n");
}

static void
courier_list(struct drop_fixture *f)
{
	fixture_put(f, "courierpop3dsizelist",
	    "/3 12 1234567\n1.a 3 5:1234567:0\n2.b:2,S 3 6:0:1\n"
	    "3.c:2, 3 0:0:0\n");
}

static void
expect_after(struct drop_fixture *f, const char *const *uids)
{
	fixture_close(f);
	fixture_must_open(f);
	fixture_expect(f, uids);
}

/* Opened again as it is, without its index, and with all that other
 * programs do to names: the same. */
static void
expect_for_good(struct drop_fixture *f, const char *const *uids)
{
	expect_after(f, uids);
	fixture_remove(f, "malote.index");
	expect_after(f, uids);
	fixture_rename(f, "new/1.a", "cur/1.a:2,");
	expect_after(f, uids);
	fixture_rename(f, "cur/1.a:2,", "cur/1.a:2,RS");
	fixture_remove(f, "malote.index");
	expect_after(f, uids);
}

static void
test_auto_none(void **state)
{
	struct drop_fixture *f = *state;
	char *text, *said;

	expect_after(f, UIDS("1.a", "2.b", "3.c"));
	/* One that appears later is ignored. */
	dovecot_list(f);
	fixture_put(f, "new/4.d", "x\n");
	expect_after(f, UIDS("1.a", "2.b", "3.c", "4.d"));
	/* That is said once. */
	text = fixture_read(f, "malote-uidl");
	said = strstr(text, " i dovecot\n");
	assert_non_null(said);
	fixture_put(f, "new/5.e", "x\n");
	expect_for_good(f, UIDS("1.a", "2.b", "3.c", "4.d", "5.e"));
	free(text);
	text = fixture_read(f, "malote-uidl");
	said = strstr(text, " i dovecot\n");
	assert_non_null(said);
	assert_null(strstr(said + 1, " i "));
	free(text);
}

/* Imported once; what Dovecot had not seen gets ours, also later. */
static void
test_auto_dovecot(void **state)
{
	struct drop_fixture *f = *state;

	dovecot_list(f);
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c"));
	fixture_put(f, "dovecot-uidlist",
	    "3 V5 N9 G0\n1 :1.a\n2 :2.b\n3 :3.c\n4 :4.d\n");
	fixture_put(f, "new/4.d", "x\n");
	expect_for_good(f, UIDS("000000046b024bf1", "Custom.id", "3.c", "4.d"));
	/* Also where only the index knows. */
	fixture_remove(f, "malote-uidl");
	fixture_put(f, "new/5.e", "x\n");
	fixture_remove(f, "dovecot-uidlist");
	expect_after(
	    f, UIDS("000000046b024bf1", "Custom.id", "3.c", "4.d", "5.e"));
	fixture_remove(f, "malote.index");
	expect_after(
	    f, UIDS("000000046b024bf1", "Custom.id", "3.c", "4.d", "5.e"));
}

static void
test_auto_courier(void **state)
{
	struct drop_fixture *f = *state;

	courier_list(f);
	expect_after(f, UIDS("UID5-1234567", "UID6", "3.c"));
	fixture_remove(f, "courierpop3dsizelist");
	expect_for_good(f, UIDS("UID5-1234567", "UID6", "3.c"));
}

/* A list that cannot be used now refuses the sign-in as long as nothing is
 * decided: nobody has been shown anything that its repair would change. */
static void
expect_refused(struct drop_fixture *f)
{
	fixture_close(f);
	assert_int_equal(fixture_open(f, false), E_IO);
	assert_int_equal(f->o.code, SIGN_IN_TEMPORARY);
	assert_false(fixture_has(f, "malote-uidl"));
	assert_false(fixture_has(f, "malote.index"));
}

static void
test_list_unusable(void **state)
{
	static const enum store_uidl asked[] = { UIDL_AUTO, UIDL_DOVECOT };
	struct drop_fixture *f = *state;
	char list[256], aside[256];

	snprintf(list, sizeof(list), "%s/dovecot-uidlist", f->path);
	snprintf(aside, sizeof(aside), "%s/aside", f->path);
	courier_list(f);
	for (unsigned i = 0; i < 2; i++) {
		f->conf.uidl = asked[i];
		fixture_put(f, "dovecot-uidlist", "9 of a later version\n");
		expect_refused(f);
		dovecot_list(f);
		assert_int_equal(chmod(list, 0), 0);
		if (geteuid() != 0)
			expect_refused(f);
		assert_int_equal(chmod(list, 0600), 0);
		if (geteuid() == 0) {
			assert_int_equal(chown(list, 12345, 12345), 0);
			expect_refused(f);
			assert_int_equal(chown(list, 0, 0), 0);
		}
		assert_int_equal(rename(list, aside), 0);
		assert_int_equal(symlink("aside", list), 0);
		expect_refused(f);
		assert_int_equal(unlink(list), 0);
	}
	assert_int_equal(rename(aside, list), 0);
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c"));
}

/* Once something was shown a list that breaks keeps nobody out. */
static void
test_list_breaks(void **state)
{
	struct drop_fixture *f = *state;

	f->conf.uidl = UIDL_DOVECOT;
	dovecot_list(f);
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c"));
	fixture_put(f, "dovecot-uidlist", "junk\n");
	fixture_put(f, "new/4.d", "x\n");
	expect_for_good(f, UIDS("000000046b024bf1", "Custom.id", "3.c", "4.d"));
}

/* An empty maildrop has shown nothing: the list that comes with its mail
 * counts. */
static void
test_empty_decides_nothing(void **state)
{
	static const enum store_uidl asked[] = { UIDL_AUTO, UIDL_DOVECOT };
	struct drop_fixture *f = *state;

	fixture_remove(f, "new/1.a");
	fixture_remove(f, "cur/2.b:2,S");
	fixture_remove(f, "cur/3.c:2,");
	for (unsigned i = 0; i < 2; i++) {
		f->conf.uidl = asked[i];
		fixture_must_open(f);
		assert_int_equal(f->o.count, 0);
		assert_false(fixture_has(f, "malote-uidl"));
		fixture_close(f);
	}
	f->conf.uidl = UIDL_AUTO;
	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "cur/2.b:2,S", "x\n");
	dovecot_list(f);
	expect_for_good(f, UIDS("000000046b024bf1", "Custom.id"));
}

/* What was decided by mistake is undone by removing the two files. */
static void
test_undone(void **state)
{
	struct drop_fixture *f = *state;

	dovecot_list(f);
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c"));
	fixture_remove(f, "malote-uidl");
	fixture_remove(f, "malote.index");
	snprintf(f->conf.uidl_format, sizeof(f->conf.uidl_format), "%%u");
	expect_for_good(f, UIDS("4", "Custom.id", "3.c"));
}

static void
test_filename(void **state)
{
	struct drop_fixture *f = *state;

	f->conf.uidl = UIDL_FILENAME;
	dovecot_list(f);
	expect_for_good(f, UIDS("1.a", "2.b", "3.c"));
}

/* Asked for each message once: what was shown stays, whatever the list
 * says later. */
static void
test_dovecot(void **state)
{
	struct drop_fixture *f = *state;

	f->conf.uidl = UIDL_DOVECOT;
	dovecot_list(f);
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c"));
	fixture_put(f, "dovecot-uidlist",
	    "3 V1795312625 N9 G0\n1 :1.a\n2 :2.b\n3 :3.c\n8 :4.d\n");
	fixture_put(f, "new/4.d", "x\n");
	expect_for_good(f,
	    UIDS("000000046b024bf1", "Custom.id", "3.c", "000000086b024bf1"));
}

/* The settings change: what was shown stays. */
static void
test_switched(void **state)
{
	struct drop_fixture *f = *state;

	expect_after(f, UIDS("1.a", "2.b", "3.c"));
	f->conf.uidl = UIDL_DOVECOT;
	dovecot_list(f);
	fixture_put(f, "new/4.d", "x\n");
	expect_for_good(f, UIDS("1.a", "2.b", "3.c", "4.d"));
}

/* M-12: two messages never have one id, whatever a list says. */
static void
test_list_collides(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_entry *v;

	fixture_put(
	    f, "dovecot-uidlist", "3 V1 N9 G0\n1 P3.c :1.a\n2 Psame :2.b\n");
	fixture_must_open(f);
	v = fixture_list(f);
	assert_string_equal(v[0].uid, "3.c");
	assert_string_equal(v[1].uid, "same");
	assert_memory_equal(v[2].uid, "malote:", 7);
	expect_for_good(f, UIDS(v[0].uid, v[1].uid, v[2].uid));
	free(v);
}

/* The same for one that an earlier message has by its name, and for one that
 * a list gives twice. */
static void
test_list_collides_later(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_entry *v;

	fixture_put(f, "new/4.d", "x\n");
	fixture_put(f, "dovecot-uidlist",
	    "3 V1 N9 G0\n1 Psame :2.b\n2 P1.a :3.c\n3 Psame :4.d\n");
	fixture_must_open(f);
	v = fixture_list(f);
	assert_string_equal(v[0].uid, "1.a");
	assert_string_equal(v[1].uid, "same");
	assert_memory_equal(v[2].uid, "malote:", 7);
	assert_memory_equal(v[3].uid, "malote:", 7);
	assert_string_not_equal(v[2].uid, v[3].uid);
	expect_for_good(f, UIDS(v[0].uid, v[1].uid, v[2].uid, v[3].uid));
	free(v);
}

/* What POP3 forbids in a list becomes ours. */
static void
test_list_forbidden(void **state)
{
	struct drop_fixture *f = *state;

	fixture_put(f, "dovecot-uidlist",
	    "3 V1 N9 G0\n1 P\xc3\xa4 :1.a\n2 P"
	    "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
	    "llllll :2.b\n");
	expect_for_good(f, UIDS("1.a", "2.b", "3.c"));
}

/* A torn or damaged line is left out, the others stand; what is appended
 * afterwards is not spoilt. */
static void
test_torn(void **state)
{
	struct drop_fixture *f = *state;
	char *text, *cut;

	dovecot_list(f);
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c"));
	fixture_close(f);
	text = fixture_read(f, "malote-uidl");
	cut = strstr(text, "Custom.id");
	assert_non_null(cut);
	cut[3] = '\0';
	fixture_put(f, "malote-uidl", text);
	free(text);
	fixture_put(f, "new/4.d", "x\n");
	/* The index still knows what the line said. */
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c", "4.d"));
	fixture_remove(f, "malote.index");
	fixture_remove(f, "dovecot-uidlist");
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c", "4.d"));
}

/* A line whose check is wrong says nothing. */
static void
test_damaged_line(void **state)
{
	struct drop_fixture *f = *state;
	char *text, *id;

	dovecot_list(f);
	expect_after(f, UIDS("000000046b024bf1", "Custom.id", "3.c"));
	fixture_close(f);
	text = fixture_read(f, "malote-uidl");
	id = strstr(text, "Custom.id");
	assert_non_null(id);
	id[0] ^= 1;
	fixture_put(f, "malote-uidl", text);
	free(text);
	fixture_remove(f, "malote.index");
	expect_after(f, UIDS("000000046b024bf1", "2.b", "3.c"));
}

/* The lines of messages that cannot be read now are not dead. */
static void
test_left_out_keep_theirs(void **state)
{
	enum { MANY = 1100 };
	struct drop_fixture *f = *state;
	char path[256];
	FILE *list;

	snprintf(path, sizeof(path), "%s/dovecot-uidlist", f->path);
	list = fopen(path, "w");
	fprintf(list, "3 V1 N9999 G0\n");
	for (unsigned i = 1; i <= MANY; i++) {
		snprintf(path, sizeof(path), "new/%u.x", 1000 + i);
		fixture_put(f, path, "");
		fprintf(list, "%u :%u.x\n", i, 1000 + i);
	}
	fclose(list);
	fixture_must_open(f);
	assert_int_equal(f->o.count, MANY + 3);
	fixture_remove(f, "malote.index");
	for (unsigned away = 0; away < 2; away++) {
		for (unsigned i = 1; i <= MANY; i++) {
			snprintf(path, sizeof(path), "%s/new/%u.x", f->path,
			    1000 + i);
			assert_int_equal(geteuid() == 0
					     ? chown(path, away ? 0 : 12345, 0)
					     : chmod(path, away ? 0600 : 0),
			    0);
		}
		fixture_close(f);
		fixture_must_open(f);
		assert_int_equal(f->o.left_out, away ? 0 : MANY);
		fixture_remove(f, "malote.index");
	}
	fixture_remove(f, "dovecot-uidlist");
	fixture_close(f);
	fixture_must_open(f);
	struct drop_entry *v = fixture_list(f);
	assert_string_equal(v[3].uid, "0000000100000001");
	assert_string_equal(v[MANY + 2].uid, "0000044c00000001");
	free(v);
}

/* Dead lines go when most are dead. */
static void
test_compacted(void **state)
{
	struct drop_fixture *f = *state;
	char path[256];
	struct stat st;
	off_t before;
	FILE *list;

	snprintf(path, sizeof(path), "%s/dovecot-uidlist", f->path);
	list = fopen(path, "w");
	fprintf(list, "3 V1 N9999 G0\n");
	for (unsigned i = 1; i <= 2000; i++) {
		char name[64];

		snprintf(name, sizeof(name), "new/%u.x", 1000 + i);
		fixture_put(f, name, "");
		fprintf(list, "%u :%u.x\n", i, 1000 + i);
	}
	fclose(list);
	fixture_must_open(f);
	assert_int_equal(f->o.count, 2003);
	snprintf(path, sizeof(path), "%s/malote-uidl", f->path);
	assert_int_equal(stat(path, &st), 0);
	before = st.st_size;
	for (unsigned i = 1; i < 2000; i++) {
		char name[64];

		snprintf(name, sizeof(name), "new/%u.x", 1000 + i);
		fixture_remove(f, name);
	}
	expect_after(f, UIDS("1.a", "2.b", "3.c", "000007d000000001"));
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < before / 100);
	fixture_remove(f, "malote.index");
	fixture_remove(f, "dovecot-uidlist");
	expect_after(f, UIDS("1.a", "2.b", "3.c", "000007d000000001"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_format),
		T(test_auto_none),
		T(test_auto_dovecot),
		T(test_auto_courier),
		T(test_list_unusable),
		T(test_list_breaks),
		T(test_empty_decides_nothing),
		T(test_undone),
		T(test_filename),
		T(test_dovecot),
		T(test_switched),
		T(test_list_collides),
		T(test_list_collides_later),
		T(test_list_forbidden),
		T(test_torn),
		T(test_damaged_line),
		T(test_left_out_keep_theirs),
		T(test_compacted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

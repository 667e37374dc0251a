/*
 * The users file: its lines, odd ones, and what a bad one does not do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "alloc.h"
#include "server/auth/auth.h"
#include "server/users/passwd.h"
#include "server/users/scheme.h"

static const struct name_rule lower = { true, "", "", "" };

/* Line numbers that were complained of, as "3,7,". */
static char complaints[1024];

static void
complain(void *arg, enum users_fault fault, unsigned line, const char *what)
{
	size_t n = strlen(complaints);

	(void)arg;
	assert_non_null(what);
	snprintf(complaints + n, sizeof(complaints) - n, "%u%s,", line,
	    fault == USERS_TWICE ? " twice" : "");
}

static struct users *
parse_n(const char *text, size_t n, const struct name_rule *rule)
{
	struct users *u = NULL;

	complaints[0] = '\0';
	assert_int_equal(
	    users_parse(&u, (struct slice){ text, n }, rule, complain, NULL),
	    E_OK);
	return u;
}

static struct users *
parse(const char *text)
{
	return parse_n(text, strlen(text), &lower);
}

static void
assert_user(const struct users *us, const char *name, const char *hash,
    uint32_t uid, uint32_t gid, const char *home, const char *mail)
{
	const struct user *u = users_find(us, name);

	assert_non_null(u);
	assert_string_equal(u->name, name);
	assert_string_equal(u->hash, hash);
	assert_int_equal(u->uid, uid);
	assert_int_equal(u->gid, gid);
	assert_string_equal(u->home, home);
	assert_string_equal(u->mail, mail);
}

static void
test_lines(void **state)
{
	struct users *u = parse("# a comment\n"
				"\n"
				"  \t\n"
				"a:{PLAIN}x:1000:1001:Anna,,:/home/a:/bin/sh:"
				"userdb_quota=1 userdb_mail=maildir:/m/a x=y\n"
				"b:{PLAIN}x\n"
				"c:{PLAIN}:::::: \n"
				"d:{PLAIN}x:::\r\n"
				"E@F:{PLAIN}x::::/home/e\n"
				"g::\n"
				"last:{PLAIN}no newline");

	(void)state;
	assert_string_equal(complaints, "");
	assert_int_equal(users_count(u), 7);
	assert_user(u, "a", "{PLAIN}x", 1000, 1001, "/home/a", "maildir:/m/a");
	assert_user(u, "b", "{PLAIN}x", AUTH_NO_UID, AUTH_NO_UID, "", "");
	assert_user(u, "c", "{PLAIN}", AUTH_NO_UID, AUTH_NO_UID, "", "");
	assert_user(u, "d", "{PLAIN}x", AUTH_NO_UID, AUTH_NO_UID, "", "");
	assert_user(
	    u, "e@f", "{PLAIN}x", AUTH_NO_UID, AUTH_NO_UID, "/home/e", "");
	assert_user(u, "g", "", AUTH_NO_UID, AUTH_NO_UID, "", "");
	assert_user(
	    u, "last", "{PLAIN}no newline", AUTH_NO_UID, AUTH_NO_UID, "", "");
	assert_null(users_find(u, ""));
	assert_null(users_find(u, "E@F"));
	assert_null(users_find(u, "x"));
	assert_null(users_costly(u));
	users_free(u);
}

static void
test_bad_lines(void **state)
{
	/* Each is complained of, and the others stand. */
	static const char *const bad[] = {
		"nocolon",
		":{PLAIN}x",
		" a:{PLAIN}x",
		"a b:{PLAIN}x",
		"../a:{PLAIN}x",
		"a:{PLAIN}x:0x10:1",
		"a:{PLAIN}x:-1:1",
		"a:{PLAIN}x:4294967295:1",
		"a:{PLAIN}x:4294967296:1",
		"a:{PLAIN}x:1:4294967295",
		"a:{PLAIN}x:root:root",
		"a:{PLAIN}x:1000:",
		"a:{PLAIN}x::1000",
		"a:{PLAIN}x:::g:home",
		"a:{PLAIN}x::::::userdb_mail=maildir:/x allow_real_nets=::1",
		"a:{PLAIN}x::::::nopassword=y",
		"a:{PLAIN}x::::::allow_nets=",
		"a:{PLAIN}x::::::allow_nets",
		"a:{PLAIN}x::::::allow_nets=,",
		"a:{PLAIN}x::::::allow_nets=10.0.0.0/8,local",
		"a:{PLAIN}x::::::allow_nets=::1 allow_nets=10.0.0.0/8",
		"a:{PLAIN}x::::::malote_tls=maybe",
		"a:{PLAIN}x::::::malote_pop3=",
		"a:{PLAIN}x::::::malote_readonly=yes",
		"a:{PLAIN}x::::::malote_login_delay",
		"a:{PLAIN}x::::::malote_login_delay=",
		"a:{PLAIN}x::::::malote_login_delay=5m",
		"a:{PLAIN}x::::::malote_login_delay=-1",
		"a:{PLAIN}x::::::malote_login_delay=86401",
		"a:{PLAIN}x::::::malote_login_delay=1 malote_login_delay=2",
		"a:{PLAIN}x::::::x=y malote_",
		"\xff:{PLAIN}x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[256];
		struct users *u;

		snprintf(text, sizeof(text), "one:{PLAIN}1\n%s\ntwo:{PLAIN}2\n",
		    bad[i]);
		u = parse(text);
		if (strcmp(complaints, "2,") != 0)
			fail_msg("%s: complaints \"%s\"", bad[i], complaints);
		assert_int_equal(users_count(u), 2);
		assert_non_null(users_find(u, "one"));
		assert_non_null(users_find(u, "two"));
		assert_null(users_find(u, "a"));
		users_free(u);
	}
}

/* Why a name that stands there is nobody's; a line that is good counts, wherever
 * it is. */
static void
test_refused_lines(void **state)
{
	unsigned line = 0;
	struct users *u = parse("A:{PLAIN}x::::::malote_tls=maybe\n"
				"b:{PLAIN}x:1:\n"
				"c:{PLAIN}x\n"
				"c:{PLAIN}x::::home\n"
				"b:{PLAIN}x\n"
				"a:{PLAIN}x::::home\n"
				"d:{PLAIN}x:::::::::::: malote_tls=yes\n"
				"e:{PLAIN}x::::::::::::malote_tls=yes\n");

	(void)state;
	assert_string_equal(complaints, "1,2,4,6,8,");
	assert_int_equal(users_count(u), 3);
	assert_string_equal(users_refused(u, "e", &line),
	    "there are too many colons before malote_tls");
	assert_string_equal(
	    users_refused(u, "a", &line), "malote_tls must be yes or no");
	assert_int_equal(line, 1);
	assert_null(users_find(u, "a"));
	for (const char *name = "bcx"; *name != '\0'; name++)
		assert_null(users_refused(u, (char[]){ *name, '\0' }, &line));
	assert_int_equal(users_find(u, "b")->line, 5);
	assert_int_equal(users_find(u, "c")->line, 3);
	users_free(u);
}

static void
assert_permits(const struct users *us, const char *name, const char *which)
{
	const struct permits *p = &users_find(us, name)->permits;
	char is[6] = "";

	strcat(is, p->no_login ? "l" : "");
	strcat(is, p->no_pop3 ? "p" : "");
	strcat(is, p->tls_only ? "t" : "");
	strcat(is, p->read_only ? "r" : "");
	strcat(is, p->master ? "m" : "");
	if (strcmp(is, which) != 0)
		fail_msg("%s: \"%s\"", name, is);
}

static void
test_permits(void **state)
{
	struct users *u =
	    parse("a:{PLAIN}x::::::nologin\nb:{PLAIN}x::::::nologin=no\n"
		  "c:{PLAIN}x::::::malote_pop3=no malote_tls=yes \n"
		  "d:{PLAIN}x:::::: malote_read_only  malote_tls=y\n"
		  "e:{PLAIN}x::::::malote_pop3=yes malote_tls=no\n"
		  "f:{PLAIN}x::::::nologins=y userdb_nologin=y xnologin\n"
		  "g:{PLAIN}x::::::allow_nets=10.0.0.0/8,::1 userdb_mail=m\n"
		  "h:{PLAIN}x::::::malote_read_only=1\r\n"
		  "i:{PLAIN}x::::::malote_master=yes\n");

	(void)state;
	assert_string_equal(complaints, "");
	assert_permits(u, "a", "l");
	assert_permits(u, "b", "l"); /* as Dovecot: whatever its value */
	assert_permits(u, "c", "pt");
	assert_permits(u, "d", "tr");
	assert_permits(u, "e", "");
	assert_permits(u, "f", "");
	assert_permits(u, "g", "");
	assert_permits(u, "h", "r");
	assert_permits(u, "i", "m");
	assert_user(u, "g", "{PLAIN}x", AUTH_NO_UID, AUTH_NO_UID, "", "m");
	assert_string_equal(users_find(u, "g")->nets, "10.0.0.0/8,::1");
	assert_true(user_is_allowed_from(users_find(u, "g"), "10.1.1.1"));
	assert_true(user_is_allowed_from(users_find(u, "g"), "::1"));
	assert_false(user_is_allowed_from(users_find(u, "g"), "11.1.1.1"));
	assert_true(user_is_allowed_from(users_find(u, "a"), "11.1.1.1"));
	users_free(u);
}

static void
test_expire(void **state)
{
	struct users *u =
	    parse("a:{PLAIN}x\nb:{PLAIN}x::::::malote_expire=NEVER\n"
		  "c:{PLAIN}x::::::malote_expire=0\n"
		  "d:{PLAIN}x::::::nologin malote_expire=30\n"
		  "e:{PLAIN}x::::::malote_expire=36501\n"
		  "f:{PLAIN}x::::::malote_expire=-1\n"
		  "g:{PLAIN}x::::::malote_expire=\n"
		  "h:{PLAIN}x::::::malote_expire\n"
		  "i:{PLAIN}x::::::malote_expire=7 malote_expire=7\n"
		  "j:{PLAIN}x::::::malote_expire=00\n");

	(void)state;
	assert_string_equal(complaints, "5,6,7,8,9,10,");
	assert_int_equal(users_find(u, "a")->retention, RETENTION_UNSET);
	assert_int_equal(users_find(u, "b")->retention, RETENTION_NEVER);
	assert_int_equal(users_find(u, "c")->retention, RETENTION_ONCE);
	assert_int_equal(users_find(u, "d")->retention, 30);
	assert_int_equal(users_count(u), 4);
	users_free(u);
}

static void
test_login_delay(void **state)
{
	struct users *u = parse("a:{PLAIN}x::::::malote_login_delay=60\n"
				"b:{PLAIN}x::::::malote_login_delay=0\n"
				"c:{PLAIN}x::::::malote_login_delay=86400\n"
				"d:{PLAIN}x\n");

	(void)state;
	assert_string_equal(complaints, "");
	assert_int_equal(user_login_delay(users_find(u, "a"), 300), 60);
	assert_int_equal(user_login_delay(users_find(u, "b"), 300), 0);
	assert_int_equal(user_login_delay(users_find(u, "c"), 300), 86400);
	assert_int_equal(user_login_delay(users_find(u, "d"), 300), 300);
	users_free(u);
}

/* Each user once, and no line that gives none. */
static void
test_next(void **state)
{
	struct users *u = parse("a:{PLAIN}x\nb:{PLAIN}x::::::malote_tls=maybe\n"
				"c:{PLAIN}x\na:{PLAIN}y\n");
	const struct user *one;
	unsigned seen = 0;
	size_t at = 0;

	(void)state;
	while ((one = users_next(u, &at)) != NULL)
		seen += one->name[0] == 'a'   ? 1
			: one->name[0] == 'c' ? 10
					      : 100;
	assert_int_equal(seen, 11);
	assert_null(users_next(u, &at));
	users_free(u);
}

static void
test_bad_hash(void **state)
{
	/* The user is there, so that the log says why nobody can sign in. */
	struct users *u = parse("a:secret\nb:{FOO}x\nc:{PLAIN}x\n");

	(void)state;
	assert_string_equal(complaints, "1,2,");
	assert_int_equal(users_count(u), 3);
	users_free(u);
}

static void
test_nul(void **state)
{
	static const char text[] = "a:{PLAIN}x\0y\nb:{PLAIN}x\nc\0:{PLAIN}x\n";
	struct users *u = parse_n(text, sizeof(text) - 1, &lower);

	(void)state;
	assert_string_equal(complaints, "1,3,");
	assert_int_equal(users_count(u), 1);
	assert_non_null(users_find(u, "b"));
	users_free(u);
}

static void
test_twice(void **state)
{
	static const struct name_rule keep = { false, "", "", "" };
	static const struct name_rule domain = { true, "d.org", "", "" };
	static const struct name_rule parted = { true, "", "", "%" };
	static const char text[] = "a:{PLAIN}1\nA:{PLAIN}2\na:{PLAIN}3\n"
				   "a@d.org:{PLAIN}4\n";
	struct users *u = parse_n(text, sizeof(text) - 1, &lower);

	(void)state;
	assert_string_equal(complaints, "2 twice,3 twice,");
	assert_string_equal(users_find(u, "a")->hash, "{PLAIN}1");
	users_free(u);

	u = parse_n(text, sizeof(text) - 1, &keep);
	assert_string_equal(complaints, "3 twice,");
	assert_string_equal(users_find(u, "A")->hash, "{PLAIN}2");
	users_free(u);

	u = parse_n(text, sizeof(text) - 1, &domain);
	assert_string_equal(complaints, "2 twice,3 twice,4 twice,");
	assert_null(users_find(u, "a"));
	assert_string_equal(users_find(u, "a@d.org")->hash, "{PLAIN}1");
	users_free(u);

	/* Two ways to write one name. */
	u = parse("jos\xc3\xa9:{PLAIN}1\njose\xcc\x81:{PLAIN}2\n");
	assert_string_equal(complaints, "2 twice,");
	users_free(u);
	u = parse_n("a@b:{PLAIN}1\na%b:{PLAIN}2\n", 26, &parted);
	assert_string_equal(complaints, "2 twice,");
	users_free(u);
}

static void
test_costly(void **state)
{
	static const char first[] = "$6$saltsalt$x";
	struct users *u = parse("a:{PLAIN}1\nb:*\nodd:{SHA512-CRYPT}abc\n"
				"c:$6$saltsalt$x\nd:$5$saltsalt$x\n");

	(void)state;
	assert_string_equal(users_costly(u), first);
	users_free(u);
}

static void
test_many(void **state)
{
	enum { N = 20000 };
	char *text = malloc(N * 32), name[32];
	size_t n = 0;
	struct users *u;

	(void)state;
	for (int i = 0; i < N; i++)
		n += (size_t)snprintf(
		    text + n, 32, "user%d@x:{PLAIN}%d\n", i, i);
	u = parse_n(text, n, &lower);
	assert_int_equal(users_count(u), N);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "user%d@x", i);
		assert_int_equal(
		    atol(users_find(u, name)->hash + strlen("{PLAIN}")), i);
	}
	snprintf(name, sizeof(name), "user%d@x", N);
	assert_null(users_find(u, name));
	users_free(u);
	free(text);
}

static void
test_every_cut(void **state)
{
	static const char whole[] = "# c\na:{PLAIN}x:1:2:g:/h:/s:userdb_mail="
				    "maildir:/m allow_nets=::1\nb:{PLAIN}y\n";

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		char *exact = malloc(n != 0 ? n : 1);
		struct users *u;

		memcpy(exact, whole, n);
		u = parse_n(exact, n, &lower);
		assert_true(users_count(u) <= 2);
		users_free(u);
		free(exact);
	}
}

static void
test_no_memory(void **state)
{
	static const char text[] = "a:{PLAIN}x\nb:{PLAIN}y\na:{PLAIN}z\n";
	struct slice s = { text, sizeof(text) - 1 };

	(void)state;
	for (unsigned n = 1;; n++) {
		struct users *u = NULL;
		enum err e;

		complaints[0] = '\0';
		alloc_fail(n);
		e = users_parse(&u, s, &lower, complain, NULL);
		if (!alloc_failed()) {
			alloc_fail(0);
			assert_true(n > 5);
			assert_int_equal(e, E_OK);
			users_free(u);
			break;
		}
		assert_int_equal(e, E_NOMEM);
		assert_null(u);
	}
}

static void
test_split(void **state)
{
	struct slice f[PASSWD_FIELDS], rest = { "a:b\n\nc", 6 }, line;
	static const char all[] = "1:2:3:4:5:6:7:8:9";

	(void)state;
	assert_true(passwd_line(&rest, &line));
	assert_true(slice_eq(line, "a:b"));
	assert_true(passwd_line(&rest, &line));
	assert_int_equal(line.n, 0);
	assert_false(passwd_split(line, f));
	assert_true(passwd_line(&rest, &line));
	assert_true(slice_eq(line, "c"));
	assert_true(passwd_split(line, f));
	assert_null(f[PASSWD_HASH].p);
	assert_false(passwd_line(&rest, &line));

	assert_true(passwd_split((struct slice){ all, sizeof(all) - 1 }, f));
	assert_true(slice_eq(f[PASSWD_NAME], "1"));
	assert_true(slice_eq(f[PASSWD_SHELL], "7"));
	assert_true(slice_eq(f[PASSWD_EXTRA], "8:9"));
}

/* Those of a host in the order of their names, without other hosts', and without
 * who reads the whole. */
static void
test_host(void **state)
{
	struct users *u = parse("c@h:{PLAIN}x\na@h:{PLAIN}x\nb@h:{PLAIN}x\n"
				"d@h.x:{PLAIN}x\ne@xh:{PLAIN}x\nh:{PLAIN}x\n"
				"w:{PLAIN}x::::::malote_host=H\n"
				"w@h:{PLAIN}x::::::malote_host=h\n");
	const struct user *v[3];
	unsigned refused;

	(void)state;
	assert_string_equal(complaints, "");
	assert_string_equal(users_find(u, "w")->host, "h");
	assert_string_equal(users_find(u, "h")->host, "");
	assert_int_equal(users_of_host(u, "h", v, 3, &refused), 3);
	assert_string_equal(v[0]->name, "a@h");
	assert_string_equal(v[1]->name, "b@h");
	assert_string_equal(v[2]->name, "c@h");
	assert_int_equal(users_of_host(u, "h", v, 2, &refused), 3);
	assert_int_equal(users_of_host(u, "", v, 3, &refused), 0);
	assert_int_equal(refused, 0);
	users_free(u);
	u = parse("a@h:{PLAIN}x\nb@h:{PLAIN}x::::::malote_host\n"
		  "c@i:{PLAIN}x::::::malote_host\n");
	assert_int_equal(users_of_host(u, "h", v, 3, &refused), 1);
	assert_int_equal(refused, 2);
	users_free(u);
	users_free(parse("a:{PLAIN}x::::::malote_host\n"
			 "b:{PLAIN}x::::::malote_host=\n"
			 "c:{PLAIN}x::::::malote_host=.h\n"
			 "d:{PLAIN}x::::::malote_host=x@h\n"
			 "e:{PLAIN}x::::::malote_host=a malote_host=b\n"));
	assert_string_equal(complaints, "1,2,3,4,5,");
}

static int
init(void **state)
{
	(void)state;
	return scheme_init() == E_OK ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_permits),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_login_delay),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_bad_hash),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_refused_lines),
		cmocka_unit_test(test_costly),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}

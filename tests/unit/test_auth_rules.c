/*
 * What a line of the users file forbids, and masters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "auth_rig.h"
#include "base/clock.h"

/* ---- what a line of the users file forbids ---- */

static void
test_switches(void **state)
{
	int store;

	(void)state;
	replace_users("off:{PLAIN}secret::::::nologin\n"
		      "imap:{PLAIN}secret::::::malote_pop3=no\n"
		      "safe:{PLAIN}secret::::::malote_tls=yes\n"
		      "look:{PLAIN}secret::::::malote_read_only=yes\n");
	send_users(rig.users);
	pass(1, "off", "secret");
	refused(1, SIGN_IN_SWITCHED_OFF, "nologin");
	pass(2, "imap", "secret");
	refused(2, SIGN_IN_SWITCHED_OFF, "pop3-off");
	pass(3, "safe", "secret");
	refused(3, SIGN_IN_TLS_ONLY, "tls-only");
	rig.tls = true;
	pass(4, "safe", "secret");
	assert_false(opened(4, &store).read_only);
	rig.tls = false;
	sasl(5, "PLAIN", "\0safe\0secret", 12);
	refused(5, SIGN_IN_TLS_ONLY, "tls-only");
	pass(6, "look", "secret");
	assert_true(opened(6, &store).read_only);
	/* Who has not the password does not learn of it. */
	pass(7, "off", "wrong");
	answer_unchanged();
	refused(7, SIGN_IN_CREDENTIALS, "password");
}

/* From elsewhere the right password is as wrong as another one, and takes as
 * long, also when it has been verified lately. */
static void
test_allow_nets(void **state)
{
	char text[SCHEME_STORED_MAX + 64];
	uint64_t t, took[2];
	int store;

	(void)state;
	snprintf(text, sizeof(text),
	    "c:%s::::::allow_nets=192.0.2.0/24,2001:db8::/32\n", rig.costly);
	replace_users(text);
	send_users(rig.users);
	pass(1, "c", "other secret");
	opened(1, &store);
	pass_from(0, 2, "2001:db8::1", "c", "other secret");
	opened(2, &store);
	for (uint64_t i = 0; i < 2; i++) {
		t = clock_ms();
		pass_from(0, 3 + i, "192.0.3.1", "c",
		    i == 0 ? "other secret" : "wrong");
		answer_unchanged();
		refused(3 + i, SIGN_IN_CREDENTIALS, "allow_nets");
		took[i] = clock_ms() - t;
	}
	if (took[0] * 3 < took[1])
		fail_msg("right: %u ms, wrong: %u ms", (unsigned)took[0],
		    (unsigned)took[1]);
}

/* The line that counts is the one that is there when the password has been
 * verified. */
static void
test_forbidden_meanwhile(void **state)
{
	static const char *const words[] = { "allow_nets=::1", "nologin" };
	char text[SCHEME_STORED_MAX + 64];

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "c%d:%s\n", (int)i, rig.costly);
		replace_users(text);
		send_users(rig.users);
		snprintf(text, sizeof(text), "c%d", (int)i);
		hold_hashes();
		pass(i, text, "other secret");
		await_held();
		snprintf(text, sizeof(text), "c%d:%s::::::%s\n", (int)i,
		    rig.costly, words[i]);
		replace_users(text);
		send_users(rig.users);
		let_hashes_go();
		if (i == 0)
			answer_unchanged();
		refused(i, i == 0 ? SIGN_IN_CREDENTIALS : SIGN_IN_SWITCHED_OFF,
		    i == 0 ? "allow_nets" : "nologin");
	}
}

/* ---- masters ---- */

static void
write_masters(const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "anna:{PLAIN}secret::::::nologin\n"
	    "look:{PLAIN}secret::::::malote_read_only=yes\n"
	    "bob:{PLAIN}secret\n"
	    "boss:{PLAIN}open sesame::::::malote_master=yes %s\n"
	    "viewer:{PLAIN}open sesame::::::malote_master=yes "
	    "malote_read_only=yes\n",
	    more);
	replace_users(text);
	send_users(rig.users);
}

static struct opened
opened_for(uint64_t sid, const char *user)
{
	int store;
	struct opened o = opened(sid, &store);

	assert_string_equal(o.user, user);
	return o;
}

static void
test_master(void **state)
{
	struct opened o;

	(void)state;
	write_masters("");
	pass(1, "Anna*BOSS", "open sesame");
	o = opened_for(1, "anna@d.org");
	assert_string_equal(o.mail, "maildir:/srv/mail/d.org/anna");
	assert_false(o.read_only);
	assert_non_null(strstr(log_text(), "ev=master sid=0.1 ip=192.0.2.1 "
					   "method=PASS user=anna@d.org "
					   "master=boss@d.org\n"));
	/* By PLAIN's other name, also where both say the same. */
	sasl(2, "PLAIN", "bob\0boss\0open sesame", 20);
	opened_for(2, "bob@d.org");
	sasl(3, "PLAIN", "bob*boss\0bob*boss\0open sesame", 29);
	opened_for(3, "bob@d.org");
	sasl(4, "PLAIN", "bob\0bob*boss\0open sesame", 24);
	opened_for(4, "bob@d.org");
	sasl(5, "PLAIN", "boss\0boss\0open sesame", 21);
	opened_for(5, "boss@d.org");
	sasl(6, "LOGIN", "bob*boss", 8);
	expect_challenge(6, "Password:");
	sasl_step(6, "open sesame", 11);
	opened_for(6, "bob@d.org");
	/* What shall not be removed is removed by nobody. */
	pass(7, "look*boss", "open sesame");
	assert_true(opened_for(7, "look@d.org").read_only);
	pass(8, "bob*viewer", "open sesame");
	assert_true(opened_for(8, "bob@d.org").read_only);
	pass(9, "boss", "open sesame");
	opened_for(9, "boss@d.org");
}

static void
test_no_master(void **state)
{
	static const struct {
		const char *name, *password, *why;
	} v[] = {
		{ "bob*bob", "secret", "not-master" },
		{ "anna*bob", "secret", "not-master" },
		{ "nobody*bob", "secret", "not-master" },
		{ "bob*boss", "secret", "password" }, /* bob's own */
		{ "bob*nobody", "open sesame", "unknown-user" },
		{ "nobody*boss", "open sesame", "unknown-target" },
		{ "boss*bob", "open sesame", "not-master" },
	};

	(void)state;
	write_masters("");
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		pass(i, v[i].name, v[i].password);
		if (strcmp(v[i].why, "unknown-target") != 0)
			answer_unchanged();
		refused(i, SIGN_IN_CREDENTIALS, v[i].why);
	}
	assert_non_null(strstr(log_text(), "user=boss@d.org ip=192.0.2.1 "
					   "method=PASS code=auth "
					   "why=unknown-target "
					   "target=nobody@d.org\n"));
	pass(20, "*boss", "open sesame");
	refused(20, SIGN_IN_CREDENTIALS, "bad-name");
	pass(21, "bob*", "open sesame");
	refused(21, SIGN_IN_CREDENTIALS, "bad-name");
	pass(22, "../x*boss", "open sesame");
	refused(22, SIGN_IN_CREDENTIALS, "bad-name");
	pass(23, "anna*bob*boss", "open sesame");
	refused(23, SIGN_IN_CREDENTIALS, "bad-name");
	sasl(24, "PLAIN", "bob\0look*boss\0open sesame", 25);
	refused(24, SIGN_IN_CREDENTIALS, "authzid");
	sasl(25, "PLAIN", "anna\0bob\0secret", 15);
	answer_unchanged();
	refused(25, SIGN_IN_CREDENTIALS, "not-master");
	/* A device's password is for its user's mail. */
	replace_apps(NULL);
	write_masters("");
	send_both(NULL, rig.apps);
	replace_users("anna:{PLAIN}x::::::malote_master=yes\nbob:{PLAIN}x\n");
	send_users(rig.users);
	succeeds(26, "anna", PHONE);
	pass(27, "bob*anna", PHONE);
	answer_unchanged();
	refused(27, SIGN_IN_CREDENTIALS, "password");
}

/* A master's own line holds for whatever he signs in to. */
static void
test_master_restricted(void **state)
{
	(void)state;
	write_masters("allow_nets=192.0.2.0/24 malote_tls=yes");
	pass_from(0, 1, "192.0.3.1", "bob*boss", "open sesame");
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "allow_nets");
	pass(2, "bob*boss", "open sesame");
	refused(2, SIGN_IN_TLS_ONLY, "tls-only");
	rig.tls = true;
	pass(3, "bob*boss", "open sesame");
	opened_for(3, "bob@d.org");
	rig.tls = false;
	write_masters("nologin");
	pass(4, "bob*boss", "open sesame");
	refused(4, SIGN_IN_SWITCHED_OFF, "nologin");
}

/* Nobody is one where the setting does not say so. */
static void
test_masters_off(void **state)
{
	(void)state;
	write_masters("");
	pass(1, "bob*boss", "open sesame");
	refused(1, SIGN_IN_CREDENTIALS, "bad-name");
	sasl(2, "PLAIN", "bob\0boss\0open sesame", 20);
	refused(2, SIGN_IN_CREDENTIALS, "authzid");
}

/* ---- how long mail stays, S-2449-12 ---- */

/* What the store is told of a session, and the workers before it. */
static void
stays(uint64_t sid, const char *name, uint32_t r)
{
	int store;

	pass(sid, name, "secret");
	assert_int_equal(opened(sid, &store).retention, r);
}

static void
announced(uint32_t r, bool differs)
{
	assert_silent(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.retention, r);
	assert_int_equal(rig.retention_differs, differs);
}

static void
test_expire_by_user(void **state)
{
	(void)state;
	replace_users("a:{PLAIN}secret\nb:{PLAIN}secret\n");
	send_users(rig.users);
	announced(30, false);
	stays(1, "a", 30);
	replace_users("a:{PLAIN}secret\n"
		      "b:{PLAIN}secret::::::malote_expire=7\n"
		      "c:{PLAIN}secret::::::malote_expire=never\n");
	send_users(rig.users);
	announced(7, true);
	stays(2, "a", 30);
	stays(3, "b", 7);
	stays(4, "c", RETENTION_NEVER);
	replace_users("a:{PLAIN}secret\n"
		      "b:{PLAIN}secret::::::malote_expire=0\n");
	send_users(rig.users);
	announced(RETENTION_ONCE, true);
	stays(5, "b", RETENTION_ONCE);
	replace_users("a:{PLAIN}secret::::::malote_expire=7\n"
		      "b:{PLAIN}secret\n");
	send_users(rig.users);
	announced(7, true);
	replace_users("a:{PLAIN}secret\n"
		      "b:{PLAIN}secret::::::malote_expire=7\n");
	send_users(rig.users);
	announced(7, true);
	replace_users("a:{PLAIN}secret::::::malote_expire=never\n");
	send_users(rig.users);
	announced(RETENTION_NEVER, false);
	stays(6, "a", RETENTION_NEVER);
}

/* Whoever removes nothing loses nothing; and a maildrop that two have is told
 * about to one at a time. */
static void
test_expire_not_here(void **state)
{
	(void)state;
	replace_users("a:{PLAIN}secret::::::malote_read_only=yes\n"
		      "b:{PLAIN}secret::::::userdb_mail=maildir:/srv/mail/x\n"
		      "c:{PLAIN}secret::::::userdb_mail=maildir:/srv//mail/x/ "
		      "malote_expire=never\n"
		      "d:{PLAIN}secret\n");
	send_users(rig.users);
	announced(30, true);
	stays(1, "a", RETENTION_NEVER);
	stays(2, "b", RETENTION_NEVER);
	stays(3, "c", RETENTION_NEVER);
	stays(4, "d", 30);
}

/* EXPIRE 0 is for the user alone, and the user alone is told of days. */
static void
test_expire_masters(void **state)
{
	struct opened o;

	(void)state;
	replace_users("a:{PLAIN}secret::::::malote_expire=0\n"
		      "b:{PLAIN}secret::::::malote_expire=7\n"
		      "boss:{PLAIN}open sesame::::::malote_master=yes\n");
	send_users(rig.users);
	pass(1, "a*boss", "open sesame");
	o = opened_for(1, "a@d.org");
	assert_int_equal(o.retention, RETENTION_NEVER);
	pass(2, "b*boss", "open sesame");
	o = opened_for(2, "b@d.org");
	assert_int_equal(o.retention, 7);
	assert_int_equal(o.bits & SESSION_MASTER, SESSION_MASTER);
	pass(3, "b", "secret");
	o = opened_for(3, "b@d.org");
	assert_int_equal(o.bits & SESSION_MASTER, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_switches),
		TEST(test_allow_nets),
		TEST(test_forbidden_meanwhile),
		TEST_SET_UP(test_master, set_up_masters),
		TEST_SET_UP(test_no_master, set_up_masters),
		TEST_SET_UP(test_master_restricted, set_up_masters),
		TEST(test_masters_off),
		TEST_SET_UP(test_expire_by_user, set_up_expire),
		TEST_SET_UP(test_expire_not_here, set_up_expire),
		TEST_SET_UP(test_expire_masters, set_up_masters),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

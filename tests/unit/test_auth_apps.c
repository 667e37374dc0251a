/*
 * App passwords.
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

static void
test_app_passwords(void **state)
{
	int store;

	(void)state;
	/* The first one that there is: found when the password seems wrong. */
	pass(1, "anna", PHONE);
	await_check();
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	opened(1, &store);
	succeeds(2, "ANNA", "AAAAaaaa aaaa-aaaaaaaaaaaaaaaa");
	succeeds(3, "bob@b.org", LAPTOP);
	sasl(4, "PLAIN", "\0anna\0" PHONE, 40);
	opened(4, &store);
	succeeds(5, "anna", "secret"); /* as before */
	assert_non_null(strstr(log_text(),
	    "ev=app-password sid=0.1 user=anna@d.org label=\"phone\"\n"));
	/* Not another's, not from elsewhere, not when it is over, and not of
	 * who is locked out: wrong, as any other. */
	pass(6, "bob@b.org", PHONE);
	answer_unchanged();
	refused(6, SIGN_IN_CREDENTIALS, "password");
	pass_from(0, 7, "192.0.3.1", "bob@b.org", LAPTOP);
	answer_unchanged();
	refused(7, SIGN_IN_CREDENTIALS, "app-password-network");
	pass(8, "anna", OLD);
	answer_unchanged();
	refused(8, SIGN_IN_CREDENTIALS, "app-password-expired");
	pass(9, "zed", "dddd-dddd-dddd-dddd-dddd-dddd-dddd");
	answer_unchanged();
	refused(9, SIGN_IN_CREDENTIALS, "locked");
	pass(10, "nobody", PHONE);
	answer_unchanged();
	refused(10, SIGN_IN_CREDENTIALS, "unknown-user");
	assert_null(strstr(log_text(), "ev=app-password "));
}

static void
test_app_password_revoked(void **state)
{
	(void)state;
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	succeeds(1, "anna", PHONE);
	assert_silent(rig.ctl_fd, QUIET);
	/* We see that the file is another one, and wait for the parent. */
	replace_apps("phone");
	pass(2, "anna", PHONE);
	await_check();
	send_both(NULL, rig.apps);
	refused(2, SIGN_IN_CREDENTIALS, "password");
	/* There is no such file any more. */
	succeeds(3, "bob@b.org", LAPTOP);
	assert_int_equal(unlink(rig.apps), 0);
	pass(4, "bob@b.org", LAPTOP);
	await_check();
	ipc_begin(rig.ctl, IPC_USERS);
	ipc_put_u8(rig.ctl, USERS_SAME);
	ipc_put_u8(rig.ctl, USERS_NONE);
	sent(rig.ctl);
	refused(4, SIGN_IN_CREDENTIALS, "password");
	succeeds(5, "anna", "secret");
	assert_silent(rig.ctl_fd, QUIET);
}

/* A database that cannot be read: nobody is told that an app password is wrong,
 * and other passwords are what they were. */
static void
test_app_passwords_unread(void **state)
{
	(void)state;
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	succeeds(1, "anna", PHONE);
	write_users(rig.apps, "this is none");
	send_both(NULL, rig.apps);
	pass(2, "anna", PHONE);
	refused(2, SIGN_IN_TEMPORARY, "app-passwords");
	pass(3, "nobody", PHONE);
	refused(3, SIGN_IN_TEMPORARY, "app-passwords");
	succeeds(4, "anna", "secret");
	assert_non_null(strstr(log_text(), "ev=app-passwords-unread"));
	write_users(rig.apps, "");
	send_both(NULL, rig.apps);
	pass(5, "anna", PHONE);
	refused(5, SIGN_IN_TEMPORARY, "app-passwords");
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	succeeds(6, "anna", PHONE);
}

/* What was added while a password was verified is looked at, too. */
static void
test_app_password_added_meanwhile(void **state)
{
	char text[SCHEME_STORED_MAX + 64];
	int store;

	(void)state;
	snprintf(text, sizeof(text), "anna:%s\n", rig.costly);
	replace_users(text);
	send_users(rig.users);
	hold_hashes();
	pass(1, "anna", PHONE);
	await_held();
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	let_hashes_go();
	opened(1, &store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_app_passwords),
		TEST(test_app_password_revoked),
		TEST(test_app_passwords_unread),
		TEST(test_app_password_added_meanwhile),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

/* The auth process makes new hashes of what was verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth_rig.h"

static enum err
take_row(void *arg, struct ipc_in *in)
{
	memset(arg, 0, sizeof(struct upgrade_row));
	ipc_get_fields(in, &upgrade_row_fields, arg);
	return ipc_get_end(in);
}

static int
set_up_upgrade(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	strcpy(conf.upgrade_scheme, "SCRAM-SHA-1");
	start(&conf);
	return 0;
}

/* What was verified is made anew and handed to the parent; what was not, and
 * what is right already, is not; and nothing when the parent cannot write. */
static void
test_upgrade(void **state)
{
	struct upgrade_row row;
	char made[SCHEME_STORED_MAX], text[1024];
	int store;

	(void)state;
	pass(1, "anna", "wrong");
	answer_unchanged();
	refused(1, SIGN_IN_CREDENTIALS, "password");
	succeeds(2, "Anna", "secret");
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "anna@d.org");
	assert_string_equal(row.was, "{PLAIN}secret");
	assert_memory_equal(row.hash, "{SCRAM-SHA-1}", 13);
	assert_int_equal(scheme_verify(row.hash, "secret"), E_OK);
	strcpy(made, row.hash);
	sasl(3, "PLAIN", "\0bob@b.org\0secret", 17);
	opened(3, &store);
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "bob@b.org");
	assert_string_equal(row.was, CHEAP);
	snprintf(text, sizeof(text), "anna:%s\nbob@b.org:" CHEAP "\n", made);
	replace_users(text);
	send_users(rig.users);
	succeeds(4, "anna", "secret");
	assert_silent(rig.ctl_fd, QUIET);
	ipc_begin(rig.ctl, IPC_NO_UPGRADE);
	sent_before_others(rig.ctl);
	succeeds(5, "bob@b.org", "secret");
	assert_silent(rig.ctl_fd, 4 * QUIET);
}

/* With old schemes a password with a slip at its end fits: a new hash is not made
 * of that one. */
static void
test_upgrade_of_what_counts(void **state)
{
	static const char a72[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct upgrade_row row;
	char longer[80];

	(void)state;
	replace_users(
	    "des:{CRYPT}abLZt3uEKpz7w\n"
	    "blow:{BLF-CRYPT}$2y$04$"
	    "abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe\n");
	send_users(rig.users);
	snprintf(longer, sizeof(longer), "%sx", a72);
	succeeds(1, "des", "secretpwx");
	succeeds(2, "blow", longer);
	assert_silent(rig.ctl_fd, 4 * QUIET);
	succeeds(3, "des", "secretpw");
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "des@d.org");
	succeeds(4, "blow", a72);
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_UPGRADE, SOON, take_row, &row), E_OK);
	assert_string_equal(row.user, "blow@d.org");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SET_UP(test_upgrade, set_up_upgrade),
		TEST_SET_UP(test_upgrade_of_what_counts, set_up_upgrade),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

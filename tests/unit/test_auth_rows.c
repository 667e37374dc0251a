/*
 * Users of databases, whose rows say how long their mail stays and how long they
 * wait: what they get, and what is announced of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "auth_rig.h"
#include "pop3/retention.h"

enum { USUAL = 300, DELAY = 600, DAYS = 30 };

static int db_fd;

/* The users file, and one database before or behind it. */
static struct auth_conf
both(bool db_first)
{
	struct auth_conf conf = usual();

	conf.known[db_first] = (struct known_users){ .name = "file",
		.driver = DRIVER_PASSWD_FILE };
	conf.known[!db_first] = (struct known_users){
		.name = "shop", .driver = DRIVER_SQLITE, .timeout = 10
	};
	conf.n_known = 2;
	conf.login_delay = USUAL;
	conf.retention = DAYS;
	return conf;
}

static void
start_with(const struct auth_conf *conf, const char *users)
{
	start(conf);
	db_fd = attach(ROLE_DB, 0);
	replace_users(users);
	send_users(rig.users);
}

static int
set_up_rows(void **state)
{
	struct auth_conf conf = both(false);

	start_with(&conf, "fred:{PLAIN}secret\n");
	return 0;
}

static int
set_up_rows_first(void **state)
{
	struct auth_conf conf = both(true);

	start_with(&conf, "fred:{PLAIN}secret\n");
	return 0;
}

static int
set_up_masters_of_rows(void **state)
{
	struct auth_conf conf = both(false);

	strcpy(conf.master_separator, "*");
	start_with(&conf, "fred:{PLAIN}secret\n"
			  "boss:{PLAIN}secret::::::malote_master=yes\n");
	return 0;
}

/* Nobody of the file waits, and mail goes of nobody there. */
static int
set_up_only_rows(void **state)
{
	struct auth_conf conf = both(false);

	conf.retention = RETENTION_NEVER;
	start_with(&conf, "fred:{PLAIN}secret::::::malote_login_delay=0\n");
	return 0;
}

static enum err
take_lookup(void *arg, struct ipc_in *in)
{
	uint64_t *id = arg;
	char name[NAME_MAX_OCTETS + 1];

	*id = ipc_get_u64(in);
	ipc_get_str(in, name, sizeof(name));
	return ipc_get_end(in);
}

/* Up to a NULL: name, value, name, value ...; the password is "secret". */
static void
say_row(uint64_t id, const char *const *words)
{
	struct ipc_chan *c =
	    ipc_open(rig.loop, dup(db_fd), &no_rules, NULL, false);
	uint8_t n = 0;

	while (words[2 * n] != NULL)
		n++;
	ipc_begin(c, IPC_ROW);
	ipc_put_u64(c, id);
	ipc_put_u8(c, LOOKUP_FOUND);
	ipc_put_u8(c, n + 1);
	ipc_put_str(c, "password");
	ipc_put_str(c, "{PLAIN}secret");
	for (size_t i = 0; i < 2 * (size_t)n; i++)
		ipc_put_str(c, words[i]);
	ipc_put_str(c, "");
	sent(c);
	ipc_close(c);
}

/* It is asked for a user, once. */
static void
answer_row(const char *const *words)
{
	uint64_t id = 0;

	assert_int_equal(
	    ipc_wait_one(db_fd, IPC_LOOKUP, SOON, take_lookup, &id), E_OK);
	say_row(id, words);
}

/* A user with such a row signs in, and a store is told so. */
static struct opened
enters_with(uint64_t sid, const char *name, const char *const *words)
{
	int store;

	pass(sid, name, "secret");
	answer_row(words);
	return opened(sid, &store);
}

#define WORDS(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}
#define ROW(...)               answer_row(WORDS(__VA_ARGS__))
#define ENTERS(sid, name, ...) enters_with(sid, name, WORDS(__VA_ARGS__))

static void
announces(uint32_t retention, uint32_t delay)
{
	skip_served(rig.pop3_fd[0], QUIET);
	assert_int_equal(rig.retention, retention);
	assert_int_equal(rig.login_delay, delay);
}

/* ---- LOGIN-DELAY ---- */

/* S-2449-10: it is announced, and kept. */
static void
test_delay(void **state)
{
	assert_int_equal(ENTERS(1, "anna", "home", "/h").login_delay, USUAL);
	announces(DAYS, USUAL);
	assert_false(rig.login_delay_differs);
	assert_int_equal(
	    ENTERS(2, "bob", "malote_login_delay", "600").login_delay, DELAY);
	announces(DAYS, DELAY);
	assert_true(rig.login_delay_differs);
	ENTERS(3, "bob", "malote_login_delay", "600");
	pass(4, "bob", "secret");
	ROW("malote_login_delay", "600");
	refused(4, SIGN_IN_SOON, "login-delay");
	assert_in_range(rig.seconds, DELAY - 30, DELAY);
	/* As the row is now; others have a time of their own. */
	assert_int_equal(
	    ENTERS(5, "bob", "malote_login_delay", "0").login_delay, 0);
	ENTERS(6, "anna", "home", "/h");
	announces(DAYS, DELAY);
}

/* The second look is at the same user. */
static void
test_word_on_its_way(void **state)
{
	struct opened o;
	int store;

	ENTERS(1, "bob", "malote_login_delay", "600");
	ENTERS(2, "bob", "malote_login_delay", "600");
	pass(3, "bob", "secret");
	ROW("malote_login_delay", "600", "malote_expire", "7");
	usleep(QUIET * 1000);
	about(0, IPC_SIGN_IN_END, 2);
	o = opened(3, &store);
	assert_int_equal(o.login_delay, DELAY);
	assert_int_equal(o.retention, 7);
}

/* Whose row was said before other settings hold has no place by those. */
static void
refused_with(const struct auth_conf *conf)
{
	ENTERS(1, "bob", "malote_login_delay", "600");
	ENTERS(2, "bob", "malote_login_delay", "600");
	pass(3, "bob", "secret");
	ROW("malote_login_delay", "600");
	usleep(QUIET * 1000);
	ipc_begin(rig.ctl, IPC_SETTINGS);
	ipc_put_u32(rig.ctl, 1);
	ipc_put_fields(rig.ctl, &auth_conf_fields, conf);
	sent(rig.ctl);
	ipc_begin(rig.ctl, IPC_SETTINGS_USE);
	ipc_put_u8(rig.ctl, true);
	sent_before_others(rig.ctl);
	about(0, IPC_SIGN_IN_END, 2);
	refused(3, SIGN_IN_TEMPORARY, "settings-changed");
}

static void
test_blocks_change_meanwhile(void **state)
{
	struct auth_conf conf = both(true);

	refused_with(&conf);
}

/* A block's mail is elsewhere, and nothing else has changed. */
static void
test_places_change_meanwhile(void **state)
{
	struct auth_conf conf = both(false);

	strcpy(conf.place[1].root, "/elsewhere");
	refused_with(&conf);
}

/* The places stay, but they are those of other blocks. */
static void
test_numbers_change_meanwhile(void **state)
{
	struct auth_conf conf = both(false);

	conf.place[1].number = 1;
	refused_with(&conf);
}

/* Each program that has an app password has a time of its own. */
static void
test_app_passwords(void **state)
{
	int store;

	replace_apps(NULL);
	send_both(rig.users, rig.apps);
	ENTERS(1, "anna", "malote_login_delay", "600");
	ENTERS(2, "anna", "malote_login_delay", "600");
	for (uint64_t sid = 3; sid < 5; sid++) {
		pass(sid, "anna", PHONE);
		ROW("malote_login_delay", "600");
		assert_int_equal(opened(sid, &store).login_delay, DELAY);
	}
	pass(5, "anna", PHONE);
	ROW("malote_login_delay", "600");
	refused(5, SIGN_IN_SOON, "login-delay");
}

/* ---- EXPIRE ---- */

/* S-2449-12.  The setting is for the users file: whether several rows have a maildrop nobody
 * can see. */
static void
test_expire(void **state)
{
	int store;

	announces(DAYS, USUAL);
	assert_true(rig.retention_differs);
	assert_int_equal(
	    ENTERS(1, "anna", "home", "/h").retention, RETENTION_NEVER);
	assert_int_equal(ENTERS(2, "bob", "malote_expire", "7").retention, 7);
	announces(7, USUAL);
	assert_true(rig.retention_differs);
	assert_int_equal(ENTERS(3, "carl", "malote_expire", "never").retention,
	    RETENTION_NEVER);
	announces(7, USUAL);
	assert_int_equal(
	    ENTERS(4, "dora", "malote_expire", "0", "malote_read_only", "1")
		.retention,
	    RETENTION_NEVER);
	announces(7, USUAL);
	assert_int_equal(
	    ENTERS(5, "eva", "malote_expire", "0").retention, RETENTION_ONCE);
	announces(RETENTION_ONCE, USUAL);
	pass(6, "fred", "secret");
	assert_int_equal(opened(6, &store).retention, DAYS);
}

static void
test_only_rows(void **state)
{
	announces(RETENTION_NEVER, USUAL);
	assert_true(rig.login_delay_differs);
	assert_false(rig.retention_differs);
	assert_int_equal(ENTERS(1, "anna", "malote_expire", "7").retention, 7);
	announces(7, USUAL);
	assert_true(rig.retention_differs);
}

/* Somebody of the users file has the maildrop, and could not be told. */
static void
test_shared(void **state)
{
	assert_int_equal(ENTERS(1, "anna", "malote_expire", "0", "mail",
			     "maildir:/srv/mail/d.org/fred")
			     .retention,
	    RETENTION_NEVER);
	assert_int_equal(ENTERS(2, "anna", "malote_expire", "0", "mail",
			     "maildir:/srv/mail/d.org/anna")
			     .retention,
	    RETENTION_ONCE);
}

/* A master neither waits nor removes, wherever each of the two is known. */
static void
test_masters(void **state)
{
	struct opened o;
	int store;

	for (uint64_t sid = 1; sid < 5; sid++) {
		o = ENTERS(sid, "anna*boss", "malote_expire", "0",
		    "malote_login_delay", "600");
		assert_int_equal(o.login_delay, 0);
		assert_int_equal(o.retention, RETENTION_NEVER);
		assert_string_equal(o.user, "anna@d.org");
	}
	o = ENTERS(
	    5, "fred*eva", "malote_master", "1", "malote_login_delay", "600");
	assert_int_equal(o.login_delay, 0);
	assert_string_equal(o.user, "fred@d.org");
	pass(6, "bob*eva", "secret");
	ROW("malote_master", "1");
	ROW("malote_login_delay", "600");
	o = opened(6, &store);
	assert_int_equal(o.login_delay, 0);
	assert_string_equal(o.user, "bob@d.org");
	/* The time of none of them has begun. */
	ENTERS(7, "eva", "malote_login_delay", "600");
	ENTERS(8, "eva", "malote_login_delay", "600");
}

static bool
is_any_store_asked(void)
{
	struct pollfd p[STORES];

	for (int i = 0; i < STORES; i++)
		p[i] = (struct pollfd){ rig.store_fd[i], POLLIN, 0 };
	return poll(p, STORES, SOON) == 1;
}

static void
begin_round(void)
{
	ipc_begin(rig.ctl, IPC_ROUND);
	sent(rig.ctl);
}

/* Of those of the users file. */
static void
test_round(void **state)
{
	begin_round();
	answer_unchanged();
	assert_true(is_any_store_asked());
}

/* The database might say that they are others. */
static void
test_no_round(void **state)
{
	begin_round();
	assert_silent(rig.ctl_fd, 4 * QUIET);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SET_UP(test_delay, set_up_rows),
		TEST_SET_UP(test_word_on_its_way, set_up_rows),
		TEST_SET_UP(test_blocks_change_meanwhile, set_up_rows),
		TEST_SET_UP(test_places_change_meanwhile, set_up_rows),
		TEST_SET_UP(test_numbers_change_meanwhile, set_up_rows),
		TEST_SET_UP(test_app_passwords, set_up_rows),
		TEST_SET_UP(test_expire, set_up_rows),
		TEST_SET_UP(test_only_rows, set_up_only_rows),
		TEST_SET_UP(test_shared, set_up_rows),
		TEST_SET_UP(test_masters, set_up_masters_of_rows),
		TEST_SET_UP(test_round, set_up_rows),
		TEST_SET_UP(test_no_round, set_up_rows_first),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

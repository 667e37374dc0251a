/* The configuration: what is taken, and what follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_rig.h"

static void
defaults_are_those_of_the_manual(void **state)
{
	(void)state;
	assert_int_equal(read_text("", user), E_OK);
	assert_int_equal(conf.n_listeners, 2);
	assert_string_equal(conf.listener[0].address[0], "*");
	assert_int_equal(conf.listener[0].port, 110);
	assert_int_equal(conf.listener[0].tls, LISTEN_STLS);
	assert_false(conf.listener[0].plaintext_login);
	assert_int_equal(conf.listener[1].port, 995);
	assert_int_equal(conf.listener[1].tls, LISTEN_TLS);
	assert_string_equal(conf.worker.tls_min, "1.2");
	assert_string_equal(conf.mechanisms, "PLAIN LOGIN");
	assert_int_equal(conf.worker.login_timeout, 180);
	assert_int_equal(conf.worker.idle_timeout, 600);
	assert_int_equal(conf.auth.login_delay, 0);
	assert_int_equal(conf.worker.write_timeout, 600);
	assert_int_equal(conf.worker.tls_timeout, 60);
	assert_int_equal(conf.stop_grace, 30);
	assert_int_equal(conf.worker.per_address_max, 64);
	assert_int_equal(conf.worker.bad_max, 10);
	assert_int_equal(conf.worker.failures_max, 10);
	assert_int_equal(conf.store.takeover, 60);
	assert_int_equal(conf.store.per_user_max, 16);
	assert_int_equal(conf.auth.first_uid, 500);
	assert_int_equal(conf.auth.last_uid, 4294967294u);
	assert_true(conf.auth.login_lower);
	assert_true(conf.auth.penalties);
	assert_true(conf.store.create);
	assert_true(conf.store.log_removed);
	assert_false(conf.store.shared || conf.store.mark_seen ||
		     conf.store.trash || conf.worker.apop ||
		     conf.worker.trace || conf.syslog || conf.sandbox_required);
	assert_string_equal(conf.store.uidl_format, "%08Xu%08Xv");
	/* Of four cores. */
	assert_int_equal(conf.worker.role.n, 4);
	assert_int_equal(conf.auth.n_stores, 2);
	assert_int_equal(conf.auth.hash_threads, 4);
	/* An ordinary user does all of it. */
	assert_int_equal(conf.worker.role.uid, 4444);
	assert_int_equal(conf.auth.role.gid, 4444);
	assert_int_equal(conf.auth.mail_uid, 4444);
	assert_int_equal(conf.store.role.uid, 4444);
}

static void
listeners_are_read(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("listener \"a\" {\n"
		      "  address = {\"127.0.0.1\", \"[::1]\"}\n"
		      "  port = 1110 tls = \"none\" plaintext_login = yes\n"
		      "}\n"
		      "listener b { port = 1995 tls = tls }\n",
		user),
	    E_OK);
	assert_int_equal(conf.n_listeners, 2);
	assert_string_equal(conf.listener[0].name, "a");
	assert_int_equal(conf.listener[0].n_addresses, 2);
	assert_string_equal(conf.listener[0].address[1], "[::1]");
	assert_true(conf.listener[0].plaintext_login);
	assert_int_equal(conf.listener[0].tls, LISTEN_PLAIN);
	assert_string_equal(conf.listener[1].address[0], "*");
	assert_int_equal(conf.listener[1].port, 1995);
	assert_false(conf.listener[1].plaintext_login);
}

/* A listener's own list is instead of that of all, not besides. */
static void
networks_of_listeners(void **state)
{
	char text[4096], long_list[NETS_MAX] = "";

	(void)state;
	assert_int_equal(
	    read_text("allow_nets = \"192.0.2.0/24 2001:db8::/32\"\n"
		      "deny_nets = \"192.0.2.7\"\n"
		      "listener a { port = 1110 }\n"
		      "listener b { port = 1111 allow_nets = \"::1\" }\n",
		user),
	    E_OK);
	assert_string_equal(
	    conf.listener[0].allow_nets, "192.0.2.0/24 2001:db8::/32");
	assert_string_equal(conf.listener[0].deny_nets, "192.0.2.7");
	assert_string_equal(conf.listener[1].allow_nets, "::1");
	assert_string_equal(conf.listener[1].deny_nets, "192.0.2.7");
	/* So many as fit into the message to a worker. */
	for (size_t n = 0; n + 4 < NETS_MAX; n += 4)
		memcpy(long_list + n, "::1 ", 5);
	snprintf(text, sizeof(text), "deny_nets = \"%s\"\n", long_list);
	assert_int_equal(read_text(text, user), E_OK);
	strcat(text, "listener a { port = 1110 }\n"
		     "listener b { port = 1111 }\n"
		     "listener c { port = 1112 }\n");
	assert_int_equal(read_text(text, user), E_CONFIG);
	assert_non_null(strstr(said, "longer than 8192 octets"));
}

static void
quotes_and_variables(void **state)
{
	(void)state;
	setenv("MALOTE_TEST", "fromenv", 1);
	assert_int_equal(read_text("hostname = \"${MALOTE_TEST}.x\"\n"
				   "pop3_uidl_format = '${NOT_SET}%u'\n"
				   "default_domain = ${NOT_SET:-other.org}\n",
			     user),
	    E_OK);
	assert_string_equal(conf.worker.host, "fromenv.x");
	assert_string_equal(conf.store.uidl_format, "${NOT_SET}%u");
	assert_string_equal(conf.auth.default_domain, "other.org");
}

static void
mail_root_follows_from_mail(void **state)
{
	static const struct {
		const char *text, *root;
	} table[] = {
		{ "", "$D/mail" },
		{ "mail = \"maildir:$D/mail/x%u/y\"\n", "$D/mail" },
		{ "mail = \"maildir:~/Maildir\"\n", "/home" },
		{ "mail = \"maildir:%h/Maildir\"\n", "/home" },
		{ "mail_root = \"$D\"\n", "$D" },
	};
	char want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(read_text(table[i].text, user), E_OK);
		with_dir(want, sizeof(want), table[i].root);
		assert_string_equal(conf.mail_root, want);
		assert_string_equal(conf.store.root, want);
	}
}

/* What the blocks say; read_text() is to add neither users nor mail. */
#define BLOCKS(v, m) \
	"# users =\nmail = \"maildir:$D/mail/%u\"\n" \
	"users \"v\" { driver = \"passwd-file\" file = \"$D/users\" " v \
	" }\nusers \"m\" { driver = \"system\" " m " }\n"

/* The first root is that of a block whose users may be mail_user's. */
static void
blocks_have_mail_roots(void **state)
{
	static const struct {
		const char *text, *first, *second, *mail;
		uint32_t of_v, of_m;
	} table[] = {
		{ BLOCKS("", ""), "$D/mail", NULL, "maildir:$D/mail/%u", 0, 0 },
		{ BLOCKS("", "mail = \"maildir:~/M\" mail_root = \"$D\""),
		    "$D/mail", "$D", "maildir:~/M", 0, 1 },
		{ BLOCKS("mail = \"maildir:/tmp/%u\"", ""), "/tmp", "$D/mail",
		    "maildir:$D/mail/%u", 0, 1 },
		{ BLOCKS("mail_root = \"/tmp\"", "mail = \"maildir:~\""),
		    "/tmp", "/home", "maildir:~", 0, 1 },
		{ BLOCKS("mail_root = \"\"", "mail = \"\""), "$D/mail", NULL,
		    "maildir:$D/mail/%u", 0, 0 },
		{ BLOCKS("mail_root = \"/tmp/\"", "mail = \"maildir:/tmp/%n\""),
		    "/tmp", NULL, "maildir:/tmp/%n", 0, 0 },
		{ "mail_root = \"/\"\n" BLOCKS(
		      "mail_root = \"/tmp\"", "mail_root = \"/tmp\""),
		    "/tmp", NULL, "maildir:$D/mail/%u", 0, 0 },
	};
	char want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(read_text(table[i].text, user), E_OK);
		assert_int_equal(conf.n_roots, 1 + (table[i].second != NULL));
		with_dir(want, sizeof(want), table[i].first);
		assert_string_equal(conf.root[0].path, want);
		if (table[i].second != NULL) {
			with_dir(want, sizeof(want), table[i].second);
			assert_string_equal(conf.root[1].path, want);
		}
		with_dir(want, sizeof(want), table[i].mail);
		assert_string_equal(conf.auth.place[1].mail, want);
		assert_int_equal(conf.auth.place[0].number, table[i].of_v);
		assert_int_equal(conf.auth.place[1].number, table[i].of_m);
	}
}

static void
mail_of_blocks_is_complained_about(void **state)
{
	static const struct {
		const char *text, *said;
	} table[] = {
		{ BLOCKS("", "mail = \"mbox:/x\""),
		    "4: users \"m\": mail = \"mbox:/x\": only Maildir is "
		    "served yet; write \"maildir:PATH\"" },
		{ BLOCKS("mail_root = \"x\"", ""),
		    "3: users \"v\": mail_root \"x\" is not absolute; begin "
		    "it with /" },
		{ BLOCKS("mail = \"maildir:$D/none/%u\"", ""),
		    "3: users \"v\": mail_root $D/none is not a folder; mount "
		    "or make it (install -d -o USER -m 700 $D/none), or write "
		    "mail_root = \"FOLDER\" that all maildrops are in" },
		{ BLOCKS("mail_root = \"/var/../var\"", ""),
		    "3: users \"v\": mail_root /var/../var has a . or .. in "
		    "it, which no maildrop's path has; write the folder "
		    "without" },
		{ BLOCKS("mail_root = \"$D/mail\"", "mail_root = \"$D/link\""),
		    "4: mail_root $D/link leads to $D/mail, which is that of "
		    "mail_root $D/mail or within it; write both as they are "
		    "without symbolic links" },
	};
	static const char within[] =
	    ":3: warning: mail_root $D/mail is within mail_root $D: who breaks "
	    "into a store there reaches this one as far as the owners of files "
	    "let them; have the two beside each other";
	char want[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(read_text(table[i].text, user), E_CONFIG);
		expect_said(table[i].text, table[i].said);
	}
	assert_int_equal(
	    read_text(
		BLOCKS("mail_root = \"$D/mail\"", "mail_root = \"$D\""), user),
	    E_OK);
	with_dir(want, sizeof(want), within);
	assert_non_null(strstr(said, want));
}

/* What is compared with the paths of maildrops is written as those are. */
static void
slashes_of_roots_are_no_matter(void **state)
{
	char want[256];

	(void)state;
	assert_int_equal(read_text(BLOCKS("mail_root = \"$D//mail//\"",
				       "mail_root = \"$D/mail/\""),
			     user),
	    E_OK);
	with_dir(want, sizeof(want), "$D/mail");
	assert_int_equal(conf.n_roots, 1);
	assert_string_equal(conf.root[0].path, want);
	assert_string_equal(conf.auth.place[1].root, want);
	assert_string_equal(conf.store.root, want);
}

static void
root_gives_each_process_its_user(void **state)
{
	struct conf_env mail_is_root = root;

	(void)state;
	assert_int_equal(read_text("user = 400001 auth_user = 400002\n"
				   "mail_user = 400003 mail_group = 400004\n",
			     root),
	    E_OK);
	assert_string_equal(said, "");
	assert_int_equal(conf.worker.role.uid, 400001);
	assert_int_equal(conf.auth.role.uid, 400002);
	assert_int_equal(conf.auth.mail_uid, 400003);
	assert_int_equal(conf.store.role.gid, 400004);
	/* No mail_user: only users with uids of their own, and no pool. */
	assert_int_equal(
	    read_text("user = 400001 auth_user = 400002\n", root), E_OK);
	assert_true(conf.auth.mail_uid == AUTH_NO_UID);
	assert_int_equal(conf.auth.n_stores, 0);
	/* Not so well kept apart. */
	assert_int_equal(
	    read_text("user = 400001 auth_user = 400001\n", root), E_OK);
	assert_non_null(strstr(said, "user and auth_user are the same"));
	mail_is_root.root_mail = true;
	assert_int_equal(read_text("user = 400001 auth_user = 400002\n"
				   "mail_user = root\n",
			     mail_is_root),
	    E_OK);
	assert_int_equal(conf.auth.mail_uid, 0);
}

static void
the_sandbox_can_be_required(void **state)
{
	(void)state;
	assert_int_equal(read_text("sandbox = require\n", user), E_OK);
	assert_true(conf.sandbox_required);
	assert_int_equal(read_text("sandbox = auto\n", user), E_OK);
	assert_false(conf.sandbox_required);
}

/* Two descriptors a session in a worker, and room for the rest. */
static void
sessions_follow_from_descriptors(void **state)
{
	struct conf_env env = user;

	(void)state;
	env.nofile = 256;
	assert_int_equal(read_text("workers = 1\n", env), E_OK);
	assert_in_range(conf.worker.sessions_max, 50, 100);
	env.nofile = 100;
	assert_int_equal(read_text("\n", env), E_CONFIG);
	expect_said("",
	    "-: only 100 files may be open; raise the limit (ulimit -n, "
	    "LimitNOFILE=) to 256 or more");
	assert_int_equal(
	    read_text("max_sessions = 10 workers = 3\n", user), E_OK);
	assert_int_equal(conf.worker.sessions_max, 4);
}

static void
an_old_name_is_understood(void **state)
{
	(void)state;
	assert_int_equal(read_text("pop3_processes = 3\n", user), E_OK);
	assert_int_equal(conf.worker.role.n, 3);
	assert_int_equal(
	    read_text("workers = 2\npop3_processes = 3\n", user), E_CONFIG);
	expect_said("",
	    "2: pop3_processes stands in line 1 already; leave one of them");
	assert_int_equal(read_text("pop3_processes = x\n", user), E_CONFIG);
	expect_said(
	    "", "1: workers = \"x\" is no number in its range; write 0 to 64");
}

static void
a_missing_file_is_named(void **state)
{
	struct conf_report report = { .say = say };

	(void)state;
	said[0] = '\0';
	conf_free(&conf);
	assert_int_equal(
	    conf_read(&conf, "/none/such", &user, &report), E_CONFIG);
	assert_string_equal(said,
	    "/none/such: No such file or directory; write it, or name another "
	    "with --config FILE\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(listeners_are_read),
		cmocka_unit_test(networks_of_listeners),
		cmocka_unit_test(quotes_and_variables),
		cmocka_unit_test(mail_root_follows_from_mail),
		cmocka_unit_test(blocks_have_mail_roots),
		cmocka_unit_test(mail_of_blocks_is_complained_about),
		cmocka_unit_test(slashes_of_roots_are_no_matter),
		cmocka_unit_test(root_gives_each_process_its_user),
		cmocka_unit_test(the_sandbox_can_be_required),
		cmocka_unit_test(sessions_follow_from_descriptors),
		cmocka_unit_test(an_old_name_is_understood),
		cmocka_unit_test(a_missing_file_is_named),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}

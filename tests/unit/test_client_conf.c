/* The client's configuration: what is taken, what follows, and the file. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client_conf_rig.h"

/* ---- what is taken ---- */

static void
everything_has_a_default(void **state)
{
	const struct account *a = account(
	    "account \"casa\" {\n"
	    " email = \"ana@example.org\"\n server = pop.example.org\n}\n");

	(void)state;
	assert_string_equal(conf.file, file);
	assert_int_equal(conf.n, 1);
	assert_string_equal(a->name, "casa");
	assert_string_equal(a->email, "ana@example.org");
	assert_string_equal(a->server, "pop.example.org");
	assert_string_equal(a->user, "ana@example.org");
	assert_int_equal(a->port, 995);
	assert_int_equal(a->security, SECURITY_TLS);
	assert_string_equal(a->auth, "auto");
	assert_null(a->password);
	assert_null(a->password_command);
	assert_false(a->keyring);
	assert_null(a->token_command);
	assert_true(a->keep == KEEP_ALWAYS);
	assert_int_equal(a->dest.kind, DEST_MAILDIR);
	assert_string_equal(a->dest.text, "maildir:~/Mail/malote");
	assert_string_equal(a->dest.path, "/home/ana/Mail/malote");
	assert_null(a->ca_file);
	assert_null(a->fingerprint);
	assert_null(a->client_certificate);
	assert_null(a->client_key);
	assert_null(a->proxy);
	assert_int_equal(a->timeout, 60);
	assert_int_equal(a->session_timeout, 7200);
	assert_int_equal(a->interval, 300);
	assert_int_equal(a->patience, 120);
	assert_int_equal(a->max_connections, UINT_MAX);
	assert_true(a->max_size == UINT64_MAX);
	assert_true(a->headers_above == UINT64_MAX);
	assert_null(a->on_new);
	assert_false(a->notify || a->delete_mine);
	assert_null(a->trash);
	assert_null(a->rules[0]);
	assert_int_equal(a->line, 1);
	assert_string_equal(warned, "");
}

/* A folder is one of the names that are listed, whatever an address says. */
static void
folders_are_found(void **state)
{
	static const struct {
		const char *address, *folder;
	} table[] = {
		{ "philh@h.example", "Philh" },
		{ "PHILH@other", "Philh" },
		{ "philh", "Philh" },
		{ "philh@", "Philh" },
		{ "info@h.example", "info@h.example" },
		{ "Info@H.example", "info@h.example" },
		{ "info", NULL },
		{ "info@h.example@h", "info@h.example" },
		{ "info@other", NULL },
		{ "phil@h.example", NULL },
		{ "philhh@h", NULL },
		{ "Philh@a@b", NULL },
		{ "@", NULL },
		{ "", NULL },
		{ "/../philh@h", NULL },
	};
	const struct account *a =
	    account(with("sdps = yes folders = 'Philh,info@h.example ,\tana'"));

	(void)state;
	assert_string_equal(a->folders[2], "ana");
	assert_null(a->folders[3]);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *is =
		    account_folder(a, (struct slice){ table[i].address,
					  strlen(table[i].address) });

		if (table[i].folder == NULL)
			assert_null(is);
		else
			assert_string_equal(is, table[i].folder);
	}
	assert_null(
	    account_folder(account(with("")), (struct slice){ "philh@h", 7 }));
	/* Of two that fit, the first. */
	a = account(with("sdps = yes folders = 'b@h b c c@h'"));
	assert_string_equal(
	    account_folder(a, (struct slice){ "b@h", 3 }), "b@h");
	assert_string_equal(account_folder(a, (struct slice){ "b@i", 3 }), "b");
	assert_string_equal(account_folder(a, (struct slice){ "c@h", 3 }), "c");
}

static void
everything_can_be_said(void **state)
{
	const struct account *a = account(
	    "account \"a\" {\n"
	    "email = 'ana@example.org' server = '2001:db8::1' port = 1995\n"
	    "security = \"STLS\" user = 'ana' auth = 'SCRAM-SHA-256'\n"
	    "password_command = 'pass show \"a b\" | head -1'\n"
	    "token_command = 'oauth ${TOKEN}' keep = 30d\n"
	    "deliver = 'mbox:ana.mbox' ca_file = '~/ca.pem'\n"
	    "fingerprint = 'sha256/"
	    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='\n"
	    "client_certificate = '/etc/c.pem' client_key = 'keys/k.pem'\n"
	    "proxy = 'socks5://u:p@[::1]:1080' timeout = 90\n"
	    "session_timeout = 1d interval = 1h max_size = 10M\n"
	    "patience = 0 max_connections = 3\n"
	    "}\n");
	char path[128];

	(void)state;
	assert_string_equal(a->server, "2001:db8::1");
	assert_int_equal(a->port, 1995);
	assert_int_equal(a->security, SECURITY_STARTTLS);
	assert_string_equal(a->user, "ana");
	assert_string_equal(a->auth, "scram-sha-256");
	assert_string_equal(a->password_command, "pass show \"a b\" | head -1");
	assert_string_equal(a->token_command, "oauth ${TOKEN}");
	assert_true(a->keep == 30 * 24 * 3600);
	assert_int_equal(a->dest.kind, DEST_MBOX);
	snprintf(path, sizeof(path), "%s/ana.mbox", dir);
	assert_string_equal(a->dest.path, path);
	assert_string_equal(a->ca_file, "/home/ana/ca.pem");
	assert_non_null(a->fingerprint);
	assert_string_equal(a->client_certificate, "/etc/c.pem");
	snprintf(path, sizeof(path), "%s/keys/k.pem", dir);
	assert_string_equal(a->client_key, path);
	assert_string_equal(a->proxy, "u:p@[::1]:1080");
	assert_int_equal(a->timeout, 90);
	assert_int_equal(a->session_timeout, 24 * 3600);
	assert_int_equal(a->interval, 3600);
	assert_int_equal(a->patience, 0);
	assert_int_equal(a->max_connections, 3);
	assert_true(a->max_size == 10 << 20);
}

static void
security_and_port_follow_from_each_other(void **state)
{
	static const struct {
		const char *text;
		enum security security;
		uint16_t port;
	} rows[] = {
		{ "security = tls", SECURITY_TLS, 995 },
		{ "security = TLS", SECURITY_TLS, 995 },
		{ "security = ssl", SECURITY_TLS, 995 },
		{ "security = \"SSL/TLS\"", SECURITY_TLS, 995 },
		{ "security = pop3s", SECURITY_TLS, 995 },
		{ "security = Implicit", SECURITY_TLS, 995 },
		{ "security = starttls", SECURITY_STARTTLS, 110 },
		{ "security = STARTTLS", SECURITY_STARTTLS, 110 },
		{ "security = stls", SECURITY_STARTTLS, 110 },
		{ "security = none", SECURITY_NONE, 110 },
		{ "security = kpop", SECURITY_KPOP, 1109 },
		{ "security = KPOP\nport = 110", SECURITY_KPOP, 110 },
		{ "port = 110", SECURITY_STARTTLS, 110 },
		{ "port = 995", SECURITY_TLS, 995 },
		{ "port = 1110", SECURITY_TLS, 1110 },
		{ "port = 110\nsecurity = tls", SECURITY_TLS, 110 },
		{ "port = 110\nsecurity = none", SECURITY_NONE, 110 },
		{ "port = 995\nsecurity = starttls", SECURITY_STARTTLS, 995 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct account *a = account(with(rows[i].text));

		assert_int_equal(a->security, rows[i].security);
		assert_int_equal(a->port, rows[i].port);
	}
	assert_string_equal(security_name(SECURITY_TLS), "tls");
	assert_string_equal(security_name(SECURITY_STARTTLS), "starttls");
	assert_string_equal(security_name(SECURITY_NONE), "none");
	assert_string_equal(security_name(SECURITY_KPOP), "kpop");
}

/* One record for them, and one lock. */
static void
the_ports_lead_to_one_maildrop(void **state)
{
	static const char *const ports[] = { "port = 995",
		"port = 110\nsecurity = none", "security = kpop" };
	char want[DIGEST_TEXT], digest[DIGEST_TEXT];

	assert_non_null(account_maildrop(want, account(with("port = 110"))));
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		assert_non_null(
		    account_maildrop(digest, account(with(ports[i]))));
		assert_string_equal(digest, want);
	}
	assert_non_null(account_maildrop(digest, account(with("port = 111"))));
	assert_string_not_equal(digest, want);
}

/* C-2595-06 */
static void
none_is_warned_about(void **state)
{
	char want[256];

	(void)state;
	account(with("\nsecurity = none"));
	snprintf(want, sizeof(want),
	    "%s:3: warning: account \"a\" sends its password and mail so that "
	    "everybody on the way can read them\n",
	    file);
	assert_string_equal(warned, want);
}

/* There is no password. */
static void
a_ticket_leaves_the_mail_readable(void **state)
{
	static const char *const settings[] = { "\nsecurity = kpop",
		"\nsecurity = none\nauth = gssapi" };
	char want[256];

	snprintf(want, sizeof(want),
	    "%s:3: warning: account \"a\" sends its mail so that everybody on "
	    "the way can read it\n",
	    file);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		assert_true(account_uses_ticket(account(with(settings[i]))));
		assert_string_equal(warned, want);
	}
	assert_true(account_uses_ticket(account(with("auth = GSSAPI"))));
	assert_string_equal(warned, "");
	assert_false(account_uses_ticket(account(with("auth = plain"))));
}

static void
the_user_may_be_the_address(void **state)
{
	const struct account *a =
	    account("account a { user = 'ana@example.org' server = pop }");

	(void)state;
	assert_string_equal(a->email, "ana@example.org");
	assert_string_equal(a->user, "ana@example.org");
}

static void
times_and_sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t keep;
		unsigned timeout;
		uint64_t max_size;
	} rows[] = {
		{ "keep = yes timeout = 1", KEEP_ALWAYS, 1, UINT64_MAX },
		{ "keep = no timeout = 1d", 0, 86400, UINT64_MAX },
		{ "keep = Yes timeout = 1", KEEP_ALWAYS, 1, UINT64_MAX },
		{ "keep = 'NO' timeout = 1", 0, 1, UINT64_MAX },
		{ "keep = 0 timeout = 5m", 0, 300, UINT64_MAX },
		{ "keep = 0d timeout = 12h", 0, 43200, UINT64_MAX },
		{ "keep = 5s max_size = 1", 5, 60, 1 },
		{ "keep = 2w max_size = 500k", 14 * 86400, 60, 512000 },
		{ "keep = 90m max_size = 2K", 5400, 60, 2048 },
		{ "keep = 36500d max_size = 3m", 36500ll * 86400, 60, 3 << 20 },
		{ "max_size = 4G", KEEP_ALWAYS, 60, 4ull << 30 },
		{ "max_size = 1g", KEEP_ALWAYS, 60, 1 << 30 },
		{ "max_size = 18446744073709551614", KEEP_ALWAYS, 60,
		    UINT64_MAX - 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct account *a = account(with(rows[i].text));

		assert_true(a->keep == rows[i].keep);
		assert_int_equal(a->timeout, rows[i].timeout);
		assert_true(a->max_size == rows[i].max_size);
	}
}

static void
each_way_to_sign_in_is_known(void **state)
{
	static const char *const names[] = { "auto", "user", "apop", "plain",
		"login", "cram-md5", "scram-sha-1", "scram-sha-256",
		"scram-sha-1-plus", "scram-sha-256-plus", "xoauth2",
		"oauthbearer", "external", "gssapi" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text),
		    "auth = \"%s\" token_command = t client_certificate = c",
		    names[i]);
		assert_string_equal(account(with(text))->auth, names[i]);
	}
}

/* C-ENG-22, M-16 */
static void
a_password_is_taken_as_it_is(void **state)
{
	static const char *const rows[][2] = {
		{ "'a b c '", "a b c " },
		{ "' %s%n${HOME}\"\\x'", " %s%n${HOME}\"\\x" },
		{ "'it\\'s'", "it's" },
		{ "\"$HOME $ {\"", "$HOME $ {" },
		{ "\"\\\"\\\\\\x41\\${x}\"", "\"\\A${x}" },
		{ "'caf\xc3\xa9'", "caf\xc3\xa9" },
		{ "\"caf\\xe9\"", "caf\xe9" },
		{ "'#no // comment /* */'", "#no // comment /* */" },
		{ "a'", NULL },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; rows[i][1] != NULL; i++) {
		snprintf(text, sizeof(text), "password = %s", rows[i][0]);
		assert_string_equal(account(with(text))->password, rows[i][1]);
	}
}

static void
accounts_are_found_by_name(void **state)
{
	(void)state;
	account("account \"casa\" { email = a@b server = s }\n"
		"# account \"no\" {\n"
		"\n/* account \"no\" {\n*/ account 'obra {' {\n"
		" email = a@b server = s }\n"
		"account \"casa \xc3\xa9\" {\nemail = a@b server = s\n}");
	assert_int_equal(conf.n, 3);
	assert_ptr_equal(client_conf_find(&conf, "casa"), &conf.v[0]);
	assert_ptr_equal(client_conf_find(&conf, "obra {"), &conf.v[1]);
	assert_ptr_equal(client_conf_find(&conf, "casa \xc3\xa9"), &conf.v[2]);
	assert_null(client_conf_find(&conf, "no"));
	assert_int_equal(conf.v[0].line, 1);
	assert_int_equal(conf.v[1].line, 5);
	assert_int_equal(conf.v[2].line, 7);
}

/* ---- the file ---- */

/* C-ENG-21 */
static void
a_secret_is_in_a_file_of_ones_own(void **state)
{
	static const mode_t bad[] = { 0640, 0604, 0660, 0644, 0620 };
	char want[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(load(with("password = x"), bad[i]), E_CONFIG);
		snprintf(want, sizeof(want),
		    "%s:2: password stands in a file that others may open "
		    "(mode %04o); chmod 600 %s",
		    file, bad[i], file);
		assert_string_equal(first, want);
		assert_int_equal(
		    load(with("proxy = 'u:p@host'"), bad[i]), E_CONFIG);
		assert_non_null(strstr(first, ":2: proxy stands in"));
		assert_int_equal(
		    load(with("password_command = x proxy = h"), bad[i]), E_OK);
	}
	/* The warning that comes after it does not hide it. */
	assert_int_equal(
	    load(with("security = none password = x"), 0644), E_CONFIG);
	assert_non_null(strstr(first, ":2: password stands in"));
	assert_int_equal(load(with("password = x"), 0400), E_OK);
	assert_int_equal(load(with("password = x"), 0700), E_OK);
}

static void
a_file_of_somebody_else_holds_no_secret(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	client_conf_free(&conf);
	write_file(with("password = x"), 0600);
	assert_int_equal(chown(file, 65534, 65534), 0);
	assert_int_equal(read_file(file), E_CONFIG);
	assert_non_null(strstr(first,
	    ":2: password stands in a file that belongs to somebody else; "
	    "make it yours, and chmod 600 it"));
	assert_int_equal(unlink(file), 0);
}

static void
expect_no_account(const char *text)
{
	expect_refused(text,
	    " there is no account; set one up by: malote add ADDRESS "
	    "(" EXAMPLES "/malote.conf.example shows how to write one)");
}

static void
a_missing_file_or_account_leads_to_add(void **state)
{
	char want[512];

	(void)state;
	expect_no_account("");
	expect_no_account("# nothing yet\n");
	unlink(file);
	assert_int_equal(read_file(file), E_NOENT);
	snprintf(want, sizeof(want),
	    "%s: No such file or directory; begin with: malote add ADDRESS",
	    file);
	assert_string_equal(first, want);
	assert_int_equal(read_file(dir), E_CONFIG);
	snprintf(want, sizeof(want), "%s: not a regular file", dir);
	assert_string_equal(first, want);
}

static void
the_example_is_right(void **state)
{
	static const char *const languages[] = { "", ".pt_BR" };
	char path[512];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/malote.conf%s.example",
		    EXAMPLE_SOURCE, languages[i]);
		assert_int_equal(read_file(path), E_OK);
		assert_int_equal(conf.n, 1);
	}
}

static void
paths_follow_from_the_place_of_the_file(void **state)
{
	char want[128];

	(void)state;
	write_file(with("ca_file = ca deliver = 'maildir:.'"), 0600);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(read_file("t.conf"), E_OK);
	snprintf(want, sizeof(want), "%s/ca", dir);
	assert_string_equal(conf.v[0].ca_file, want);
	assert_int_equal(read_file("./t.conf"), E_OK);
	snprintf(want, sizeof(want), "%s/./ca", dir);
	assert_string_equal(conf.v[0].ca_file, want);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(read_file(file + 1), E_OK);
	snprintf(want, sizeof(want), "/%s/ca", dir);
	assert_string_equal(conf.v[0].ca_file, want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_has_a_default),
		cmocka_unit_test(folders_are_found),
		cmocka_unit_test(everything_can_be_said),
		cmocka_unit_test(security_and_port_follow_from_each_other),
		cmocka_unit_test(the_ports_lead_to_one_maildrop),
		cmocka_unit_test(none_is_warned_about),
		cmocka_unit_test(a_ticket_leaves_the_mail_readable),
		cmocka_unit_test(the_user_may_be_the_address),
		cmocka_unit_test(times_and_sizes_have_units),
		cmocka_unit_test(each_way_to_sign_in_is_known),
		cmocka_unit_test(a_password_is_taken_as_it_is),
		cmocka_unit_test(accounts_are_found_by_name),
		cmocka_unit_test(a_secret_is_in_a_file_of_ones_own),
		cmocka_unit_test(a_file_of_somebody_else_holds_no_secret),
		cmocka_unit_test(a_missing_file_or_account_leads_to_add),
		cmocka_unit_test(the_example_is_right),
		cmocka_unit_test(paths_follow_from_the_place_of_the_file),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

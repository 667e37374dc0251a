/* The client's configuration: what is taken, what follows, and what is said
 * about what is not taken. */
#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/conf/client_conf.h"
#include "client/conf/dest_login.h"
#include "client/conf/oauth_client.h"
#include "client/conf/place.h"
#include "client/conf/rule.h"

static char dir[] = "/tmp/malote-client-conf-XXXXXX";
static char file[64];
static char warned[2048];
static char said[4096];  /* all that is wrong */
static char first[1024]; /* of that the first */
static struct client_conf conf;

static int
make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/t.conf", dir);
	return setenv("HOME", "/home/ana", 1);
}

static int
remove_folder(void **state)
{
	(void)state;
	client_conf_free(&conf);
	unlink(file);
	return rmdir(dir);
}

static void
write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, mode), 0);
}

static void
hear(void *arg, bool is_error, const char *words)
{
	char *to = is_error ? said : warned;
	size_t n = strlen(to), room = is_error ? sizeof(said) : sizeof(warned);

	assert_ptr_equal(arg, &conf);
	snprintf(to + n, room - n, "%s\n", words);
	if (is_error && n == 0)
		snprintf(first, sizeof(first), "%s", words);
}

static enum err
read_file(const char *path)
{
	client_conf_free(&conf);
	warned[0] = said[0] = first[0] = '\0';
	return client_conf_load(&conf, path, hear, &conf);
}

static enum err
load(const char *text, mode_t mode)
{
	write_file(text, mode);
	return read_file(file);
}

/* The account of a text that is right. */
static const struct account *
account(const char *text)
{
	if (load(text, 0600) != E_OK)
		fail_msg("of:\n%s\nis said: %s", text, first);
	return &conf.v[0];
}

/* An account with what it must have in line 1, and these lines from 2 on. */
static const char *
with(const char *lines)
{
	static char text[8192];

	snprintf(text, sizeof(text),
	    "account \"a\" { email = \"ana@example.org\" server = \"pop\"\n"
	    "%s\n}\n",
	    lines);
	return text;
}

/* The first fault is this, without the file's name. */
static void
expect_refused(const char *text, const char *fault)
{
	char want[512];

	if (load(text, 0600) != E_CONFIG)
		fail_msg("of:\n%s\nis said nothing", text);
	snprintf(want, sizeof(want), "%s:%s", file, fault);
	if (strcmp(first, want) != 0)
		fail_msg(
		    "of:\n%s\nis said:\n%s\nwanted:\n%s", text, first, want);
	assert_int_equal(conf.n, 0);
	assert_null(conf.v);
}

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

/* ---- where mail goes ---- */

static const struct dest *
dest(const char *value)
{
	char text[512];

	snprintf(text, sizeof(text), "deliver = '%s'", value);
	return &account(with(text))->dest;
}

static void
mail_goes_to_files(void **state)
{
	const struct dest *d = dest("maildir:/srv/m");
	char path[128];

	(void)state;
	assert_int_equal(d->kind, DEST_MAILDIR);
	assert_string_equal(d->text, "maildir:/srv/m");
	assert_string_equal(d->path, "/srv/m");
	assert_string_equal(dest("maildir:~")->path, "/home/ana");
	assert_string_equal(dest("Maildir:/x")->text, "maildir:/x");
	assert_string_equal(dest("maildir: ~/a b")->path, "/home/ana/a b");
	snprintf(path, sizeof(path), "%s/x/y", dir);
	assert_string_equal(dest("maildir:x/y")->path, path);
	d = dest("mbox:/var/mail/ana");
	assert_int_equal(d->kind, DEST_MBOX);
	assert_string_equal(d->path, "/var/mail/ana");
	assert_null(d->argv);
}

static void
expect_words(const char *value, const char *const *words)
{
	const struct dest *d = dest(value);
	size_t i;

	assert_int_equal(d->kind, DEST_COMMAND);
	for (i = 0; words[i] != NULL; i++) {
		assert_non_null(d->argv[i]);
		assert_string_equal(d->argv[i], words[i]);
	}
	assert_null(d->argv[i]);
}

/* M-48 */
static void
a_command_is_cut_into_words(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/bin/x", dir);
	expect_words("command:/usr/bin/procmail -d ana",
	    (const char *[]){ "/usr/bin/procmail", "-d", "ana", NULL });
	expect_words(
	    "command:  procmail  ", (const char *[]){ "procmail", NULL });
	expect_words("command:a \"b  c\" d\"e f\"g \"\" $HOME ; | ~/x",
	    (const char *[]){
		"a", "b  c", "de fg", "", "$HOME", ";", "|", "~/x", NULL });
	expect_words("command:a \\'b \"c\\' \\\\d",
	    (const char *[]){ "a", "b \"c", "\\d", NULL });
	expect_words(
	    "command:~/bin/x", (const char *[]){ "/home/ana/bin/x", NULL });
	expect_words("command:bin/x y", (const char *[]){ path, "y", NULL });
}

static void
lmtp_is_a_socket_or_a_host(void **state)
{
	const struct dest *d = dest("lmtp:/run/dovecot/lmtp");

	(void)state;
	assert_int_equal(d->kind, DEST_LMTP);
	assert_string_equal(d->path, "/run/dovecot/lmtp");
	assert_null(d->host);
	assert_null(d->recipient);
	d = dest("lmtp:~/s ana@example.org");
	assert_string_equal(d->path, "/home/ana/s");
	assert_string_equal(d->recipient, "ana@example.org");
	d = dest("lmtp:mail.example.org:2424   ana");
	assert_null(d->path);
	assert_string_equal(d->host, "mail.example.org");
	assert_int_equal(d->port, 2424);
	assert_string_equal(d->recipient, "ana");
	d = dest("lmtp:mail");
	assert_string_equal(d->host, "mail");
	assert_int_equal(d->port, 24);
	d = dest("lmtp:[2001:db8::1]:24");
	assert_string_equal(d->host, "2001:db8::1");
	assert_int_equal(d->port, 24);
}

/* An account that delivers there, and blocks behind it. */
static const struct dest *
imap_dest(const char *place, const char *blocks)
{
	static char text[8192];

	snprintf(text, sizeof(text),
	    "account \"a\" { email = \"ana@example.org\" server = \"pop\"\n"
	    "deliver = '%s' }\n%s",
	    place, blocks);
	return &account(text)->dest;
}

static void
imap_is_a_mailbox_of_a_host(void **state)
{
	const struct dest *d = imap_dest("imaps://rui@imap.example.org", "");

	assert_int_equal(d->kind, DEST_IMAPS);
	assert_string_equal(d->mailbox, "INBOX");
	assert_string_equal(d->at->login.server, "imap.example.org");
	assert_string_equal(d->at->login.user, "rui");
	assert_int_equal(d->at->login.port, 993);
	assert_int_equal(d->at->login.security, SECURITY_TLS);
	assert_true(d->at->creates);
	assert_null(d->at->login.password);
	/* The last @ before the mailbox is where the host begins. */
	d = imap_dest("IMAP://rui@b.example@[::1]:1143/Fam%C3%ADlia/a@b%", "");
	assert_int_equal(d->kind, DEST_IMAP);
	assert_string_equal(d->at->login.user, "rui@b.example");
	assert_string_equal(d->host, "::1");
	assert_int_equal(d->port, 1143);
	assert_string_equal(d->mailbox, "Fam\xc3\xadlia/a@b%");
	assert_int_equal(d->at->login.security, SECURITY_STARTTLS);
	/* Nobody is named: who the account is for. */
	d = imap_dest("imap://h/", "");
	assert_string_equal(d->at->login.user, "ana@example.org");
	assert_int_equal(d->port, 143);
}

static void
destinations_say_how_to_sign_in(void **state)
{
	const struct dest *d = imap_dest("imaps://rui@h/x",
	    "destination \"h\" { password = a flags = 'seen,\\Flagged $x' }\n"
	    "destination \"rui@H\" { password = b create = no }\n"
	    "destination \"ana@h\" { password = c }\n");

	assert_string_equal(d->at->login.password, "b");
	assert_false(d->at->creates);
	d = imap_dest("imaps://h/x",
	    "destination \"h\" { password = a user = 'ann' "
	    "flags = 'seen,\\Flagged $x' }\n"
	    "destination \"rui@h\" { password = b }\n");
	assert_string_equal(d->at->login.password, "a");
	assert_string_equal(d->at->login.user, "ann");
	assert_string_equal(d->at->flags, "\\Seen \\Flagged $x");
	d = imap_dest("imaps://h/x",
	    "destination \"h\" { oauth = o }\n"
	    "oauth \"o\" { provider = google client_id = i }\n");
	assert_string_equal(d->at->login.client->client_id, "i");
}

static void
gmail_is_a_label_of_an_address(void **state)
{
	static const char block[] = "destination \"gmail\" { oauth = o }\n"
				    "oauth \"o\" { provider = google "
				    "client_id = i }\n";
	const struct dest *d = imap_dest("gmail:ana@gmail.com", block);

	assert_int_equal(d->kind, DEST_GMAIL);
	assert_string_equal(d->mailbox, "INBOX");
	assert_string_equal(d->at->login.user, "ana@gmail.com");
	assert_string_equal(d->at->login.server, "gmail.googleapis.com");
	/* Not what the block of the provider asks for, which is for POP3. */
	assert_non_null(strstr(d->at->login.scope, "auth/gmail.insert"));
	assert_true(d->at->login.is_place);
	assert_false(d->at->never_spam);
	d = imap_dest("GMAIL: ana@x.example/Fam%C3%ADlia/a",
	    "destination \"Ana@X.example\" { token_command = 't' scope = s\n"
	    "never_spam = yes }\n");
	assert_string_equal(d->mailbox, "Fam\xc3\xadlia/a");
	assert_string_equal(d->at->login.user, "ana@x.example");
	assert_string_equal(d->at->login.scope, "s");
	assert_true(d->at->never_spam);
}

static void
jmap_is_a_mailbox_of_a_domain(void **state)
{
	const struct dest *d = imap_dest("jmap:rui@example.org/a/b%20c",
	    "destination \"example.org\" { password = a }\n");

	assert_int_equal(d->kind, DEST_JMAP);
	assert_string_equal(d->mailbox, "a/b c");
	assert_string_equal(d->host, "example.org");
	assert_string_equal(d->at->login.user, "rui@example.org");
	assert_string_equal(d->at->login.password, "a");
	assert_null(d->at->login.scope);
	d = imap_dest("jmap:rui@example.org",
	    "destination \"example.org\" { password = a }\n"
	    "destination \"rui@example.org\" { password = b }\n");
	assert_string_equal(d->mailbox, "INBOX");
	assert_string_equal(d->at->login.password, "b");
}

/* A place that an account and a rule name is one, so that nobody signs in twice;
 * of an intent, too, it is known who signs in. */
static void
rules_name_places_too(void **state)
{
	const struct account *a = account(
	    "rule \"r\" { match = 'subject:x' deliver = 'imaps://h/x' }\n"
	    "rule \"s\" { match = 'subject:y'\n"
	    "deliver = 'imaps://rui@h/y' }\n"
	    "account \"a\" { email = 'ana@example.org' server = 'pop'\n"
	    "deliver = 'imaps://rui@h/INBOX' }\n"
	    "destination \"h\" { user = ann password = a }\n");
	const struct dest *r = &a->rules[0]->dest, *s = &a->rules[1]->dest;
	struct errbuf eb;
	struct dest d;

	assert_string_equal(r->at->login.user, "ann");
	assert_string_equal(r->at->login.password, "a");
	assert_ptr_equal(s->at, a->dest.at);
	assert_ptr_not_equal(r->at, s->at);
	assert_false(dest_same(s, &a->dest));
	assert_true(account_delivers_to(a, r->at));
	assert_int_equal(client_conf_dest(&conf, &d, "imaps://h/x", &eb), E_OK);
	assert_ptr_equal(d.at, r->at);
	dest_clear(&d);
	assert_int_equal(
	    client_conf_dest(&conf, &d, "imaps://eva@h/x", &eb), E_OK);
	assert_null(d.at);
	dest_clear(&d);
}

/* ---- what is refused ---- */

static void
expect_each_refused(const char *const (*rows)[2])
{
	for (; (*rows)[0] != NULL; rows++)
		expect_refused(with((*rows)[0]), (*rows)[1]);
}

/* Nobody but its author reads it. */
static void
comment_in_another_encoding(void **state)
{
	(void)state;
	assert_string_equal(
	    account(with("# jo\xe3o\nuser = 'jo\xc3\xa3o' // l\xe1"))->user,
	    "jo\xc3\xa3o");
}

static void
bad_text_is_named_with_its_line(void **state)
{
	static const char *const rows[][2] = {
		{ "nonsense = 3",
		    "2: there is no setting nonsense in a block account; "
		    "malote.conf(5) lists them" },
		{ "\nprot = 3",
		    "3: there is no setting prot; did you mean port?" },
		{ "port = 1\nport = 2",
		    "3: port stands in line 2 already; leave one of them" },
		{ "port 3",
		    "2: missing equal sign after option 'port'; write NAME = "
		    "\"VALUE\"" },
		{ "user = \"x",
		    "2: a string has no end in its line; close it with \"" },
		{ "user = \"a\\0b\"",
		    "2: a NUL cannot stand in a string; remove it" },
		{ "/*", "2: a comment has no end; close it with */" },
		{ "keep = yes\npassword = 'jo\xe3o' # jo\xe3o",
		    "3: this line is not in UTF-8; save the file in that "
		    "encoding" },
		{ "keep = \"\"",
		    "2: keep is empty; give it a value, or leave it out" },
		{ "\npassword = 'x' y z",
		    "3: this line holds more than the secret; write that "
		    "within single quotes, and other settings in other "
		    "lines" },
		{ "password = a=b",
		    "2: this line holds more than the secret; write that "
		    "within single quotes, and other settings in other "
		    "lines" },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
	expect_refused("port = 3\n",
	    "1: port stands outside of a block account; move it into one");
	expect_refused("Server = x\n",
	    "1: Server stands outside of a block account; move it into one");
	expect_refused("intervalo = 5m\n",
	    "1: there is no setting intervalo; did you mean interval, which "
	    "stands within a block account?");
	expect_refused("prot = 3\n",
	    "1: there is no setting prot; did you mean port, which stands "
	    "within a block account?");
	expect_refused(with("conta = x"),
	    "2: there is no setting conta; did you mean account, which stands "
	    "outside of a block account?");
	expect_refused("colour = blue\n",
	    "1: there is no setting colour; malote.conf(5) lists them");
	expect_refused("account {\n}\n",
	    "1: missing title for section 'account'; write account \"NAME\" "
	    "{ ... }");
	expect_refused("account a = 3\n",
	    "1: missing opening brace for section 'account'; write account "
	    "\"NAME\" { ... }");
	expect_refused("rule r = 3\n",
	    "1: missing opening brace for section 'rule'; write rule "
	    "\"NAME\" { ... }");
	expect_refused(
	    "\naccount a {\n\n", "2: a { has no end; close it with }");
	expect_refused("account a { email=a@b server=s }\n\naccount a {\n}\n",
	    "3: found duplicate title 'a'; give each block a name of its "
	    "own");
}

/* The person's language must not hide what libconfuse says. */
static void
a_language_changes_no_sense(void **state)
{
	(void)state;
	assert_int_equal(setenv("LANGUAGE", "de", 1), 0);
	assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
	expect_refused(with("prot = 3"),
	    "2: there is no setting prot; did you mean port?");
	assert_int_equal(unsetenv("LANGUAGE"), 0);
	setlocale(LC_ALL, "C");
}

#define QUOTES "${ would be replaced; write the value within single quotes"

static void
nothing_is_replaced(void **state)
{
	static const char *const rows[][2] = {
		{ "password = \"a${HOME}\"", "2: " QUOTES },
		{ "password = a${HOME}", "2: " QUOTES },
		{ "password = \"a${\"", "2: " QUOTES },
		{ "\n\ndeliver = \"maildir:${HOME}/x\"", "4: " QUOTES },
		{ "password_command = \"pass ${NO_SUCH:-x}\"", "2: " QUOTES },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
}

/* C-ENG-21 */
static void
an_end_of_line_is_in_no_value(void **state)
{
	static const char *const rows[][2] = {
		{ "password = \"a\\nDELE 1\"",
		    "2: password holds an end of line; remove it" },
		{ "user = \"a\\rb\"",
		    "2: user holds an end of line; remove it" },
		{ "password_command = \"a\\nb\"",
		    "2: password_command holds an end of line; remove it" },
		{ "user = \"a\\tb\"",
		    "2: user holds a control character; write printable ones "
		    "only" },
		{ "ca_file = \"a\\x7f\"",
		    "2: ca_file holds a control character; write printable "
		    "ones only" },
		{ "user = \"caf\\xe9\"",
		    "2: user is not in UTF-8; save the file in that "
		    "encoding" },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
}

#define NO_PORT " is no port; write 1 to 65535"
#define NO_TIME(name, v, most) \
	"2: " name " = \"" v "\" is no time from 1s to " most \
	"; write as in \"90\" (seconds), \"5m\", \"2h\", \"1d\""
#define NO_KEEP(v) \
	"2: keep = \"" v "\" is not known; write \"yes\", \"no\", or a time " \
	"as in \"30d\""
#define NO_SIZE(v) \
	"2: max_size = \"" v "\" is no size; write as in \"500k\", \"10M\", " \
	"\"1G\", or octets"

static void
numbers_have_ranges(void **state)
{
	static const char *const rows[][2] = {
		{ "max_connections = 0",
		    "2: max_connections = \"0\" is no number; write 1 or "
		    "more" },
		{ "port = 0", "2: port = \"0\"" NO_PORT },
		{ "port = 65536", "2: port = \"65536\"" NO_PORT },
		{ "port = pop3", "2: port = \"pop3\"" NO_PORT },
		{ "timeout = 0", NO_TIME("timeout", "0", "1d") },
		{ "timeout = -1", NO_TIME("timeout", "-1", "1d") },
		{ "timeout = m", NO_TIME("timeout", "m", "1d") },
		{ "timeout = 5M", NO_TIME("timeout", "5M", "1d") },
		{ "timeout = '5 m'", NO_TIME("timeout", "5 m", "1d") },
		{ "timeout = 86401", NO_TIME("timeout", "86401", "1d") },
		{ "timeout = 25h", NO_TIME("timeout", "25h", "1d") },
		{ "session_timeout = 8d",
		    NO_TIME("session_timeout", "8d", "7d") },
		{ "patience = -1", NO_TIME("patience", "-1", "1d") },
		{ "interval = 53w", NO_TIME("interval", "53w", "365d") },
		{ "interval = 99999999999999999999w",
		    NO_TIME("interval", "99999999999999999999w", "365d") },
		/* Of six months nobody means six minutes. */
		{ "keep = 6M", NO_KEEP("6M") },
		{ "keep = true", NO_KEEP("true") },
		{ "keep = 30x", NO_KEEP("30x") },
		{ "keep = 36501d", NO_KEEP("36501d") },
		{ "keep = 30500568904943w", NO_KEEP("30500568904943w") },
		{ "keep = 30",
		    "2: keep = \"30\" does not say of what; write \"30d\" for "
		    "days, or another of s, m, h, w" },
		{ "max_size = 0", NO_SIZE("0") },
		{ "max_size = 10MB", NO_SIZE("10MB") },
		{ "max_size = 17179869184G", NO_SIZE("17179869184G") },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
}

#define NO_FINGERPRINT \
	"2: fingerprint is no SHA-256; write 64 hexadecimal digits, or " \
	"\"sha256/\" and base64"
#define NO_PROXY \
	"2: proxy is not understood; write " \
	"\"socks5://[USER:PASSWORD@]HOST[:PORT]\""
#define HEX_16 "0123456789abcDEF"

static void
words_are_of_their_kind(void **state)
{
	static const char *const rows[][2] = {
		{ "security = tsl",
		    "2: security = \"tsl\" is not known; write \"tls\", "
		    "\"starttls\" or \"none\"" },
		{ "security = \"caf\xc3\xa9\"",
		    "2: security = \"caf\\xc3\\xa9\" is not known; write "
		    "\"tls\", \"starttls\" or \"none\"" },
		{ "auth = digest-md5",
		    "2: auth = \"digest-md5\" is not known; write \"auto\", "
		    "or a way to sign in that malote.conf(5) lists" },
		{ "keyring = true",
		    "2: keyring = \"true\" is not known; write \"yes\" or "
		    "\"no\"" },
		{ "fingerprint = " HEX_16, NO_FINGERPRINT },
		{ "fingerprint = '" HEX_16 HEX_16 HEX_16 HEX_16 "0'",
		    NO_FINGERPRINT },
		{ "fingerprint = '" HEX_16 HEX_16 HEX_16 "0123456789abcdeg'",
		    NO_FINGERPRINT },
		{ "fingerprint = 'sha256/AAAA'", NO_FINGERPRINT },
		{ "fingerprint = 'sha256/"
		  "*******************************************!'",
		    NO_FINGERPRINT },
		{ "proxy = 'http://x:80'", NO_PROXY },
		{ "proxy = ':1080'", NO_PROXY },
		{ "proxy = 'x:0'", NO_PROXY },
		{ "proxy = 'x:'", NO_PROXY },
		{ "proxy = 'ana@x'", NO_PROXY },
		{ "proxy = '[::1'", NO_PROXY },
		{ "proxy = '::1'", NO_PROXY },
		{ "proxy = 'a b'", NO_PROXY },
		{ "ca_file = '~bob/ca'",
		    "2: ca_file: \"~bob/ca\" is nobody's home; ~ is yours "
		    "before a / only" },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
	account(with("fingerprint = '" HEX_16 HEX_16 HEX_16 HEX_16 "'"));
	account(
	    with("fingerprint = 'AB:CD:" HEX_16 HEX_16 HEX_16 "0123456789ab'"));
	account(with("proxy = 'localhost'"));
	assert_string_equal(
	    account(with("proxy = 'socks5h://localhost:9050'"))->proxy,
	    "localhost:9050");
	account(with("proxy = 'SOCKS5://localhost:9050' keyring = YES"));
}

static void
destinations_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "}\ndestination \"h\" { password = a\nkeyring = yes",
		    "4: there are several of password, password_command and "
		    "keyring; leave one of them" },
		{ "}\ndestination \"h\" { auth = gssapi",
		    "3: auth = \"gssapi\" is not possible at a destination; "
		    "leave it out, or write \"login\", \"plain\" or "
		    "\"scram-sha-256\"" },
		{ "}\ndestination \"h\" { flags = 'a{b'",
		    "3: flags is not understood; write \"seen\", \"flagged\", "
		    "\"answered\", \"draft\" or keywords, with spaces "
		    "between" },
		{ "}\ndestination \"h\" { oauth = x",
		    "3: there is no block oauth \"x\"; malote.conf(5) says "
		    "how to write one" },
		{ NULL, NULL },
	};

	expect_each_refused(rows);
}

#define NO_PLACE \
	"; write \"maildir:PATH\", \"mbox:PATH\", \"command:PROGRAM\", " \
	"\"lmtp:PLACE\", \"imaps://USER@HOST/MAILBOX\", " \
	"\"gmail:USER@gmail.com\" or \"jmap:USER@DOMAIN\""
#define NO_LMTP(at) \
	"2: deliver: \"" at "\" is no place for LMTP; write " \
	"\"lmtp:/PATH/SOCKET\" or \"lmtp:HOST:PORT\""

#define NO_IMAP(kind) \
	"2: deliver is no place for IMAP; write \"" kind \
	"://USER@HOST/MAILBOX\", and how to sign in into a block destination " \
	"\"HOST\""

static void
bad_places_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "deliver = '~/Mail'",
		    "2: deliver = \"~/Mail\" does not say where" NO_PLACE },
		{ "deliver = 'maildir:'",
		    "2: deliver = \"maildir:\" does not say where" NO_PLACE },
		{ "deliver = 'lmtp: '",
		    "2: deliver = \"lmtp: \" does not say where" NO_PLACE },
		{ "deliver = 'Mail:/x'", "2: deliver = \"Mail:/x\" is no kind "
					 "of delivery" NO_PLACE },
		{ "deliver = 'maildir:~ana/x'",
		    "2: deliver: \"~ana/x\" is nobody's home; ~ is yours "
		    "before a / only" },
		{ "deliver = 'command:a \"b'",
		    "2: deliver: a quotation mark in the command has no "
		    "partner; close it" },
		{ "deliver = 'command:\"\" b'",
		    "2: deliver names no program; write "
		    "\"command:/PATH/PROGRAM ARGUMENTS\"" },
		{ "deliver = 'lmtp:host:0'", NO_LMTP("host:0") },
		{ "deliver = 'lmtp:host:x'", NO_LMTP("host:x") },
		{ "deliver = 'lmtp::24'", NO_LMTP(":24") },
		{ "deliver = 'lmtp:[::1'", NO_LMTP("[::1") },
		{ "deliver = 'lmtp:[::1]24'", NO_LMTP("[::1]24") },
		{ "deliver = 'lmtp:/s a b'",
		    "2: deliver: \"a b\" is no recipient; write one "
		    "address" },
		{ "deliver = 'lmtp:/s <a>'",
		    "2: deliver: \"<a>\" is no recipient; write one "
		    "address" },
		{ "deliver = 'imap:h/x'", NO_IMAP("imap") },
		{ "deliver = 'imaps://a:b@h/x'", NO_IMAP("imaps") },
		{ "deliver = 'imaps://@h/x'", NO_IMAP("imaps") },
		{ "deliver = 'imaps://a@h:0/x'", NO_IMAP("imaps") },
		{ "deliver = 'imaps://a@/x'", NO_IMAP("imaps") },
		{ "deliver = 'imaps://a@h/%FF'", NO_IMAP("imaps") },
		{ "deliver = 'lmtp:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaa'",
		    "2: deliver: the socket's path is too long; at most 107 "
		    "octets are possible" },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
}

#define SEVERAL \
	"there are several of password, password_command and keyring; leave " \
	"one of them"

#define NO_TLS(setting) "security = \"kpop\" has no TLS; leave " setting " out"

static void
settings_go_together(void **state)
{
	static const char *const rows[][2] = {
		{ "password = a\npassword_command = b", "3: " SEVERAL },
		{ "password = a\nkeyring = yes", "3: " SEVERAL },
		{ "password_command = a\nkeyring = yes", "3: " SEVERAL },
		{ "auth = xoauth2",
		    "2: auth = \"xoauth2\" needs a token; write oauth = "
		    "\"NAME\" or token_command = 'COMMAND'" },
		{ "\nauth = oauthbearer\npassword = x",
		    "3: auth = \"oauthbearer\" needs a token; write oauth = "
		    "\"NAME\" or token_command = 'COMMAND'" },
		{ "auth = external",
		    "2: auth = \"external\" needs a certificate; write "
		    "client_certificate = \"FILE\"" },
		{ "\nclient_key = x",
		    "3: there is a client_key but no client_certificate; "
		    "write client_certificate = \"FILE\"" },
		{ "security = kpop\nfingerprint = "
		  "'sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='",
		    "3: " NO_TLS("fingerprint") },
		{ "security = kpop\nca_file = x", "3: " NO_TLS("ca_file") },
		{ "security = kpop\nclient_certificate = x",
		    "3: " NO_TLS("client_certificate") },
		{ "auth = gssapi\nsecurity = kpop",
		    "2: security = \"kpop\" signs in by itself; leave auth "
		    "out" },
		{ "security = kpop\nauth = user",
		    "3: security = \"kpop\" signs in by itself; leave auth "
		    "out" },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
	account(with("password = a\nkeyring = no\ntoken_command = t"));
	account(with("security = kpop\nauth = auto"));
}

#define NO_SERVER(v) \
	"1: server = \"" v "\" is no name of a server; write " \
	"only its name or address"
#define NO_NAME(v) \
	"\"" v "\" cannot be an account's name; write letters and digits"

static void
an_account_says_who_and_where(void **state)
{
	static const char *const rows[][2] = {
		{ "account a { email = a@b }",
		    "1: account \"a\" has no server; write server = "
		    "\"NAME\"" },
		{ "\naccount a {\nserver = s\n}",
		    "2: account \"a\" has no address; write email = "
		    "\"NAME@DOMAIN\"" },
		{ "account a { email = a@b server = s sdps = yes\nfolders = x@ "
		  "}",
		    "2: folders: \"x@\" is nobody's; write an address, or "
		    "what stands before its @" },
		{ "account a { email = a@b server = s sdps = yes }",
		    "1: sdps sorts mail into folders, and there are none; "
		    "write folders = \"NAME NAME\", or leave sdps out" },
		{ "account a { server = s user = ana }",
		    "1: account \"a\" has no address; write email = "
		    "\"NAME@DOMAIN\"" },
		{ "account a { server = s user = '@ana' }",
		    "1: account \"a\" has no address; write email = "
		    "\"NAME@DOMAIN\"" },
		{ "account a { email = ana }",
		    "1: email = \"ana\" is no address; write NAME@DOMAIN" },
		{ "account a { email = 'ana@' }",
		    "1: email = \"ana@\" is no address; write NAME@DOMAIN" },
		{ "account a { email = 'Ana <a@b>' }",
		    "1: email = \"Ana <a@b>\" is no address; write "
		    "NAME@DOMAIN" },
		{ "account a { server = 'pop:995' }",
		    "1: server = \"pop:995\" holds more than a name; write "
		    "the port as port = NUMBER" },
		{ "account a { server = 'pop3://pop' }",
		    NO_SERVER("pop3://pop") },
		{ "account a { server = '[::1]' }", NO_SERVER("[::1]") },
		{ "account a { server = 'a b' }", NO_SERVER("a b") },
		{ "account 'a/b' { email = a@b server = s }",
		    "1: " NO_NAME("a/b") },
		{ "\naccount '' { email = a@b server = s }",
		    "2: " NO_NAME("") },
		{ "account \"a\\x1b\" { email = a@b server = s }",
		    "1: " NO_NAME("a\\x1b") },
		{ "account \"a\\xe9\" { email = a@b server = s }",
		    "1: " NO_NAME("a\\xe9") },
		/* The first of several faults, in the second account. */
		{ "account a { email = a@b server = s }\n\n"
		  "account b {\nport = 0\nuser = \"a\\nb\"\n}",
		    "4: port = \"0\"" NO_PORT },
		{ NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; rows[i][0] != NULL; i++)
		expect_refused(rows[i][0], rows[i][1]);
}

#define HASH \
	"2: a # outside of quotation marks begins a comment; write the value " \
	"within single quotes, or a space before the comment"

#define LOST(c) \
	"2: a " c " outside of quotation marks would be lost; write the " \
	"value within single quotes"

/* Nothing of a value may get lost in silence. */
static void
a_value_is_whole_or_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "password = S3nha#x", HASH },
		{ "password = #x", HASH },
		{ "password = #x\nuser = ana", HASH },
		{ "password = //x", HASH },
		{ "keep = no# comment", HASH },
		{ "password = +351x", LOST("+") },
		{ "password = S3nha+", LOST("+") },
		{ "user+ = ana", LOST("+") },
		{ "password = *x", LOST("*") },
		{ "password = S3nha*x", LOST("*") },
		{ "password = \"S3nha\\tx\"",
		    "2: password holds a control character, perhaps made of a "
		    "\\; write the value within single quotes" },
		{ "password = \"S3\\nha\\gx\"",
		    "2: a \\ has no meaning there and would be lost; write "
		    "the value within single quotes" },
		{ "password = \"S3nha\\9\"",
		    "2: a \\ has no meaning there and would be lost; write "
		    "the value within single quotes" },
		{ "password = \"S3nha\\xg\"",
		    "2: a \\ has no meaning there and would be lost; write "
		    "the value within single quotes" },
		{ "password = \u201cx y\u201d",
		    "2: \u201c is no quotation mark here; write \" or '" },
		{ "user = \u00abana\u00bb",
		    "2: \u00ab is no quotation mark here; write \" or '" },
		{ "}\naccount \u201cobra\u201d {",
		    "3: \u201c is no quotation mark here; write \" or '" },
		{ NULL, NULL },
	};

	(void)state;
	expect_each_refused(rows);
	assert_null(strstr(said, "S3nha"));
	assert_string_equal(
	    account(with("password = \"a\"# comment"))->password, "a");
	assert_string_equal(
	    account(with("password = a//b # x"))->password, "a//b");
	assert_string_equal(
	    account(with("password = \"\\\"\\$\\x41\\102\""))->password,
	    "\"$AB");
	assert_string_equal(
	    account(with("password = 'a\u00a0\u201c'"))->password,
	    "a\u00a0\u201c");
}

/* What editors and other systems put into a file. */
static void
marks_of_an_editor_are_no_text(void **state)
{
	(void)state;
	account("\xef\xbb\xbf"
		"account a { email = a@b server = s }");
	assert_string_equal(
	    account("account a {\r\nemail = a@b\r\nserver = s\r\n}\r\n")
		->server,
	    "s");
	assert_string_equal(
	    account("account a {\u00a0email\u00a0= a@b\n\u00a0server = s }")
		->server,
	    "s");
}

static void
expect_all(const char *text, const char *const *faults)
{
	char want[4096] = "";
	size_t n = 0;

	assert_int_equal(load(text, 0600), E_CONFIG);
	for (; *faults != NULL; faults++)
		n += (size_t)snprintf(
		    want + n, sizeof(want) - n, "%s:%s\n", file, *faults);
	assert_string_equal(said, want);
}

/* One reading shows all that is to be mended, and nothing that is not. */
static void
all_faults_are_said(void **state)
{
	(void)state;
	expect_all("account a {\n host = pop\n email = ana\n}\n"
		   "account b {\n port = 0\n colour = red\n keep = 30\n"
		   " server = s\n}\n"
		   "account c {\n keep = maybe\n server = s\n}\n"
		   "nonsense = 1\n"
		   "account d {\n server = s\n prot 3\n}\n",
	    (const char *[]){
		"2: there is no setting host; did you mean server?",
		"3: email = \"ana\" is no address; write NAME@DOMAIN",
		"6: port = \"0\"" NO_PORT,
		"7: there is no setting colour in a block account; "
		"malote.conf(5) lists them",
		"8: keep = \"30\" does not say of what; write \"30d\" for "
		"days, or another of s, m, h, w",
		"12: keep = \"maybe\" is not known; write \"yes\", \"no\", or "
		"a time as in \"30d\"",
		"11: account \"c\" has no address; write email = "
		"\"NAME@DOMAIN\"",
		"15: there is no setting nonsense; malote.conf(5) lists them",
		"18: there is no setting prot; did you mean port?", NULL });
	expect_all(with("password = a#b\nuser = ''\ncolour = x colour = y"),
	    (const char *[]){ HASH,
		"3: user is empty; give it a value, or leave it out",
		"4: there is no setting colour in a block account; "
		"malote.conf(5) lists them",
		"4: there is no setting colour in a block account; "
		"malote.conf(5) lists them",
		NULL });
}

static void
expect_meant(const char *name, const char *meant)
{
	char text[128], want[128] = "malote.conf(5) lists them\n";

	if (meant != NULL)
		snprintf(want, sizeof(want), "did you mean %s?\n", meant);
	snprintf(text, sizeof(text), "%s = x", name);
	assert_int_equal(load(with(text), 0600), E_CONFIG);
	if (strstr(said, want) == NULL)
		fail_msg("of %s is said: %s", name, said);
}

/* Typing errors and what others call it, in both languages; no guess where none
 * is near. */
static void
what_is_meant_is_known(void **state)
{
	static const char *const rows[][2] = {
		{ "host", "server" },
		{ "Hostname", "server" },
		{ "servidor", "server" },
		{ "senha", "password" },
		{ "usu\u00e1rio", "user" },
		{ "username", "user" },
		{ "porta", "port" },
		{ "Server", "server" },
		{ "srever", "server" },
		{ "pasword", "password" },
		{ "usr", "user" },
		{ "prot", "port" },
		{ "time_out", "timeout" },
		{ "mailbox", "deliver" },
		{ "ssl", "security" },
		{ "manter", "keep" },
		{ "kind", NULL },
		{ "sort", "port" },
		{ "id", NULL },
		{ "folders_of_mail", NULL },
		{ "name", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_meant(rows[i][0], rows[i][1]);
	expect_refused("acount a { email = a@b }",
	    "1: there is no setting acount; did you mean account?");
}

/* Where a secret stands nothing is repeated, whatever it looks like. */
static void
an_unknown_name_may_be_part_of_a_secret(void **state)
{
	(void)state;
	assert_int_equal(load(with("password = my pass=word"), 0600), E_CONFIG);
	assert_null(strstr(said, "pass=") ?: strstr(said, "setting pass"));
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
		cmocka_unit_test(mail_goes_to_files),
		cmocka_unit_test(a_command_is_cut_into_words),
		cmocka_unit_test(lmtp_is_a_socket_or_a_host),
		cmocka_unit_test(imap_is_a_mailbox_of_a_host),
		cmocka_unit_test(destinations_say_how_to_sign_in),
		cmocka_unit_test(gmail_is_a_label_of_an_address),
		cmocka_unit_test(jmap_is_a_mailbox_of_a_domain),
		cmocka_unit_test(rules_name_places_too),
		cmocka_unit_test(destinations_are_refused),
		cmocka_unit_test(bad_text_is_named_with_its_line),
		cmocka_unit_test(comment_in_another_encoding),
		cmocka_unit_test(a_language_changes_no_sense),
		cmocka_unit_test(nothing_is_replaced),
		cmocka_unit_test(an_end_of_line_is_in_no_value),
		cmocka_unit_test(numbers_have_ranges),
		cmocka_unit_test(words_are_of_their_kind),
		cmocka_unit_test(bad_places_are_refused),
		cmocka_unit_test(settings_go_together),
		cmocka_unit_test(an_account_says_who_and_where),
		cmocka_unit_test(a_value_is_whole_or_refused),
		cmocka_unit_test(marks_of_an_editor_are_no_text),
		cmocka_unit_test(all_faults_are_said),
		cmocka_unit_test(what_is_meant_is_known),
		cmocka_unit_test(an_unknown_name_may_be_part_of_a_secret),
		cmocka_unit_test(a_secret_is_in_a_file_of_ones_own),
		cmocka_unit_test(a_file_of_somebody_else_holds_no_secret),
		cmocka_unit_test(a_missing_file_or_account_leads_to_add),
		cmocka_unit_test(the_example_is_right),
		cmocka_unit_test(paths_follow_from_the_place_of_the_file),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* The client's configuration: where mail goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client_conf_rig.h"

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

/* What changes nothing is told, with its line. */
static void
destinations_are_warned_about(void **state)
{
	char want[512];

	imap_dest("jmap:rui@example.org",
	    "destination \"example.org\" { password = a\nauth = plain }\n");
	assert_non_null(strstr(warned,
	    "warning: auth changes nothing for \"gmail\" and \"jmap\""));
	imap_dest("imaps://ana@h/x", "destination \"h\" { password = a }\n");
	assert_string_equal(warned, "");
	account("account \"a\" { email = \"ana@example.org\" server = \"pop\"\n"
		"}\n"
		"destination \"h\" { password = a }\n");
	snprintf(want, sizeof(want),
	    "%s:3: warning: nothing is put to destination \"h\": no deliver or "
	    "sent names it\n",
	    file);
	assert_string_equal(warned, want);
}

/* What cannot be taken is told once. */
static void
bad_match_is_told_once(void **state)
{
	static const char text[] =
	    "account \"a\" { email = \"ana@example.org\" server = \"pop\" }\n"
	    "rule \"r\" { match = 'x:y' deliver = 'maildir:/z' }\n";

	assert_int_equal(load(text, 0600), E_CONFIG);
	assert_non_null(strstr(said, "says nothing to look for"));
	assert_null(strstr(said, "looks for nothing"));
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_goes_to_files),
		cmocka_unit_test(a_command_is_cut_into_words),
		cmocka_unit_test(lmtp_is_a_socket_or_a_host),
		cmocka_unit_test(imap_is_a_mailbox_of_a_host),
		cmocka_unit_test(destinations_say_how_to_sign_in),
		cmocka_unit_test(gmail_is_a_label_of_an_address),
		cmocka_unit_test(jmap_is_a_mailbox_of_a_domain),
		cmocka_unit_test(destinations_are_warned_about),
		cmocka_unit_test(bad_match_is_told_once),
		cmocka_unit_test(rules_name_places_too),
		cmocka_unit_test(destinations_are_refused),
		cmocka_unit_test(bad_places_are_refused),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

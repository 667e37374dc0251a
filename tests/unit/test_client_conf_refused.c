/* The client's configuration: what is said about what is not taken. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_conf_rig.h"

/* ---- what is refused ---- */

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
}

static void
bad_blocks_are_named_with_their_line(void **state)
{
	(void)state;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_text_is_named_with_its_line),
		cmocka_unit_test(bad_blocks_are_named_with_their_line),
		cmocka_unit_test(comment_in_another_encoding),
		cmocka_unit_test(a_language_changes_no_sense),
		cmocka_unit_test(nothing_is_replaced),
		cmocka_unit_test(an_end_of_line_is_in_no_value),
		cmocka_unit_test(numbers_have_ranges),
		cmocka_unit_test(words_are_of_their_kind),
		cmocka_unit_test(settings_go_together),
		cmocka_unit_test(an_account_says_who_and_where),
		cmocka_unit_test(a_value_is_whole_or_refused),
		cmocka_unit_test(marks_of_an_editor_are_no_text),
		cmocka_unit_test(all_faults_are_said),
		cmocka_unit_test(what_is_meant_is_known),
		cmocka_unit_test(an_unknown_name_may_be_part_of_a_secret),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* Messages as programs hand them over, their addresses, and how they are sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/send/address_list.h"
#include "client/send/header_field.h"
#include "client/send/letter.h"
#include "guard.h"

/* ---- addresses ---- */

/* expected: the addresses with "|" between them; NULL: it is no list. */
static void
assert_list(const char *list, const char *expected)
{
	struct addresses a = { .n = 0 };
	struct errbuf eb = { .text = "" };
	char got[2048] = "";
	size_t n = strlen(list);
	enum err e =
	    addresses_add(&a, (struct slice){ guard_copy(0, list, n), n }, &eb);

	for (size_t i = 0; i < a.n; i++) {
		strcat(got, i != 0 ? "|" : "");
		strcat(got, a.v[i]);
	}
	addresses_free(&a);
	if (expected == NULL) {
		assert_int_equal(e, E_FORMAT);
		assert_string_not_equal(eb.text, "");
		return;
	}
	assert_int_equal(e, E_OK);
	assert_string_equal(got, expected);
}

static void
lists_of_addresses(void **state)
{
	assert_list("", "");
	assert_list(" \t\r\n ", "");
	assert_list("ana@example.org", "ana@example.org");
	assert_list("a@b, c@d,\r\n\te@f", "a@b|c@d|e@f");
	assert_list(",, a@b ,", "a@b");
	assert_list("Ana <a@b>", "a@b");
	assert_list("\"Silva, Ana <x@y>\" <a@b>, Bo M. Ko <c@d>", "a@b|c@d");
	assert_list("=?utf-8?Q?Jos=C3=A9?= <a@b>", "a@b");
	assert_list("Jos\xc3\xa9 da Silva <a@b>", "a@b");
	/* Each once; case counts before the @. */
	assert_list("a@b, a@B, A@b", "a@b|A@b");
	assert_list("root", "root");
}

static void
comments_are_left_out(void **state)
{
	assert_list("a@b (Ana)", "a@b");
	assert_list("(one (two \\) ) three) a@b(x), c@d (\")", "a@b|c@d");
	assert_list("ana(x)@(y)example(z).org", "ana@example.org");
	assert_list("Ana (x) Silva <a@b> (y)", "a@b");
	assert_list("root (Cron Daemon)", "root");
}

static void
quoted_and_literal(void **state)
{
	assert_list("\"a b\"@c", "\"a b\"@c");
	assert_list("\"a\\\"b,>\"@c, d@e", "\"a\\\"b,>\"@c|d@e");
	assert_list("\"a\r\n b\"@c", "\"a b\"@c");
	assert_list("a@[127.0.0.1]", "a@[127.0.0.1]");
	assert_list("a@[IPv6:::1]", "a@[IPv6:::1]");
	assert_list("<jos\xc3\xa9@caf\xc3\xa9.example>",
	    "jos\xc3\xa9@caf\xc3\xa9.example");
}

static void
groups(void **state)
{
	assert_list("undisclosed-recipients:;", "");
	assert_list("friends: a@b, Bo <c@d>;, e@f", "a@b|c@d|e@f");
	assert_list("My friends (x): a@b;", "a@b");
	assert_list("\"one: two\": a@b;", "a@b");
	assert_list("a: b: c@d;;", NULL);
	assert_list("a@b;", NULL);
}

static void
old_forms(void **state)
{
	assert_list("ana @ example . org", "ana@example.org");
	assert_list("<@one,@two:a@b>", "a@b");
	assert_list("Ana <@one.example:a@b>", "a@b");
}

static void
what_is_no_list(void **state)
{
	static const char *const bad[] = { "Ana Silva", "a@b c@d", "<a@b",
		"a@b>", "<a@b> <c@d>", "<a@b> c", "\"a@b", "(a@b", "a@", "@b",
		"a@[b", "a\\b@c", "a@b\x01", "a)@b", "<a b@c>", "a\xff@b",
		"x@y\"z" };
	char text[1000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_list(bad[i], NULL);
	memset(text, 'x', sizeof(text));
	memcpy(text + 500, "@y", 3);
	assert_list(text, NULL);
}

static void
domains_for_dns(void **state)
{
	char out[ADDRESS_SIZE];

	assert_int_equal(
	    address_for_dns(out, "a@caf\xc3\xa9.example", NULL), E_OK);
	assert_string_equal(out, "a@xn--caf-dma.example");
	assert_int_equal(address_for_dns(out, "jos\xc3\xa9@b", NULL), E_OK);
	assert_string_equal(out, "jos\xc3\xa9@b");
	assert_int_equal(address_for_dns(out, "a@[::1]", NULL), E_OK);
	assert_string_equal(out, "a@[::1]");
}

/* ---- letters ---- */

static const struct letter_signature signature = {
	.address = "ana@example.org",
	.name = "Ana \"A\"",
	.date = 1795978800, /* 2026-11-29 19:00 UTC */
	.random = { 1, 2, 3 },
};

#define ADDED \
	"Date: Sun, 29 Nov 2026 19:00:00 +0000\n" \
	"Message-ID: <010203000000000000000000@example.org>\n"

static enum err
convert(const char *text, size_t n, struct buf *out, struct letter_needs *needs)
{
	struct errbuf eb = { .text = "" };
	struct letter l;
	enum err e = letter_read(
	    &l, (struct slice){ guard_copy(0, text, n), n }, true, &eb);

	buf_init(out, 1 << 20, false);
	if (e == E_OK)
		e = letter_write(out, &l, &signature, needs, &eb);
	letter_free(&l);
	assert_true(e == E_OK || eb.text[0] != '\0');
	return e;
}

static void
assert_letter(const char *text, const char *expected)
{
	struct letter_needs needs;
	struct buf out;

	assert_int_equal(convert(text, strlen(text), &out, &needs), E_OK);
	assert_int_equal(buf_put(&out, "", 1), E_OK);
	assert_string_equal(buf_data(&out), expected);
	buf_free(&out);
}

static void
what_is_missing_is_added(void **state)
{
	assert_letter(
	    "", "From: \"Ana \\\"A\\\"\" <ana@example.org>\n" ADDED "\n");
	assert_letter("From: x@y\n\nbody", "From: x@y\n" ADDED "\nbody\n");
	assert_letter("From: x@y\nmessage-id : <a>\ndate:\n \n\nb\n",
	    "From: x@y\nmessage-id : <a>\ndate:\n \n\nb\n");
}

static void
ends_of_lines(void **state)
{
	assert_letter("From: x@y\r\nX-A: b\r\n c\r\n\r\none\r\ntwo\n\r\n",
	    "From: x@y\nX-A: b\n c\n" ADDED "\none\ntwo\n\n");
}

static void
where_the_header_ends(void **state)
{
	assert_letter("From ana Sun Nov 29 2026\nFrom: x@y\n\nb\n",
	    "From: x@y\n" ADDED "\nb\n");
	assert_letter(
	    "From: x@y\nno field\nb\n", "From: x@y\n" ADDED "\nno field\nb\n");
	assert_letter("From: x@y", "From: x@y\n" ADDED "\n");
	assert_letter("From: x@y\n\n\n", "From: x@y\n" ADDED "\n\n");
}

static void
what_is_nobodys_business(void **state)
{
	assert_letter("From: x@y\nBcc: a@b,\n c@d\nbCC:e@f\nReturn-Path: <>\n"
		      "Content-Length: 3\nResent-Bcc: g@h\nTo: i@j\n\nBcc: k\n",
	    "From: x@y\nTo: i@j\n" ADDED "\nBcc: k\n");
}

static void
subjects_are_encoded(void **state)
{
	assert_letter("From: x@y\nSubject: Ol\xc3\xa1\n\n",
	    "From: x@y\nSubject: =?utf-8?B?T2zDoQ==?=\n" ADDED "\n");
	/* No character is cut. */
	assert_letter(
	    "From: x@y\nSubject: "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa1\n\n",
	    "From: x@y\nSubject: =?utf-8?B?"
	    "YWFhYWFhYWFhYWFhYWFhYWFhYWFh"
	    "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=?=\n =?utf-8?B?w6E=?=\n" ADDED
	    "\n");
	assert_letter("From: x@y\nSubject: =?utf-8?B?T2zDoQ==?=\n\n",
	    "From: x@y\nSubject: =?utf-8?B?T2zDoQ==?=\n" ADDED "\n");
}

static struct addresses
recipients_of(const char *text)
{
	struct letter l;
	struct addresses to;

	assert_int_equal(
	    letter_read(&l, (struct slice){ text, strlen(text) }, true, NULL),
	    E_OK);
	to = l.to;
	l.to = (struct addresses){ .n = 0 };
	letter_free(&l);
	return to;
}

static void
recipients(void **state)
{
	struct addresses to = recipients_of(
	    "To: a@b,\n\tAna <c@d>\nCC: e@f\nbcc: g@h\nTo: a@b\n\nTo: i@j\n");

	assert_int_equal(to.n, 4);
	assert_string_equal(to.v[3], "g@h");
	addresses_free(&to);
	to =
	    recipients_of("To: a@b\nResent-To: c@d\nResent-Cc: e@f\nCc: g@h\n");
	assert_int_equal(to.n, 2);
	assert_string_equal(to.v[0], "c@d");
	addresses_free(&to);
}

static void
needs(void **state)
{
	struct letter_needs n;
	struct buf out;
	static const char plain[] =
	    "From: x@y\nDate: d\nMessage-ID: <a>\n\nab\n";
	static const char body[] = "From: x@y\n\n\xc3\xa9\n";
	static const char header[] = "From: \xc3\xa9 <x@y>\n\n\n";

	assert_int_equal(convert(plain, strlen(plain), &out, &n), E_OK);
	assert_false(n.eightbit || n.utf8);
	assert_int_equal(n.octets, out.len + 5);
	buf_free(&out);
	assert_int_equal(convert(body, strlen(body), &out, &n), E_OK);
	assert_true(n.eightbit && !n.utf8);
	buf_free(&out);
	assert_int_equal(convert(header, strlen(header), &out, &n), E_OK);
	assert_true(!n.eightbit && n.utf8);
	buf_free(&out);
}

static void
what_smtp_cannot_carry(void **state)
{
	static const char nul[] = "From: x@y\n\na\0=\xc3\xa9 \n";
	struct letter_needs n;
	struct buf out;

	assert_letter("From: x@y\n\na\rb\n",
	    "From: x@y\n" ADDED "MIME-Version: 1.0\n"
	    "Content-Transfer-Encoding: quoted-printable\n\na=0Db\n");
	assert_letter("From: x@y\nMIME-Version: 1.0\nContent-Type: TEXT/html\n"
		      "content-transfer-encoding: 8bit\n\na\rb\r\n",
	    "From: x@y\nMIME-Version: 1.0\nContent-Type: TEXT/html\n" ADDED
	    "Content-Transfer-Encoding: quoted-printable\n\na=0Db\n");
	assert_int_equal(convert(nul, sizeof(nul) - 1, &out, &n), E_OK);
	assert_non_null(strstr(buf_data(&out), "charset=utf-8\n"));
	assert_memory_equal(
	    buf_data(&out) + out.len - 18, "\na=00=3D=C3=A9=20\n", 18);
	assert_false(n.eightbit);
	buf_free(&out);
}

static void
what_cannot_be_sent(void **state)
{
	static const char *const bad[] = {
		"Content-Type: multipart/mixed; boundary=x\n\na\rb\n",
		("Content-Type: text/plain\nContent-Transfer-Encoding: "
		 "base64\n\na\rb\n"),
		"X-A: a\rb\n\n",
		"Subject: \xc3\xa9\rBcc: b\n\n",
		"X-A: a\r\r\n\n",
		"To: a b c\n\n",
		"From: a@b c@d\n\n",
	};
	struct letter_needs n;
	struct buf out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    convert(bad[i], strlen(bad[i]), &out, &n), E_FORMAT);
		buf_free(&out);
	}
}

/* An end of line in it would begin a field. */
static void
names_are_one_line(void **state)
{
	struct buf out;

	buf_init(&out, 1000, false);
	assert_int_equal(header_put_name(&out, "Eve\nBcc: x@y\r\x7f"), E_OK);
	assert_int_equal(header_put_name(&out, "\xc3\xa9\n"), E_OK);
	assert_int_equal(buf_put(&out, "", 1), E_OK);
	assert_string_equal(
	    buf_data(&out), "\"Eve Bcc: x@y  \"=?utf-8?B?w6kg?=");
	buf_free(&out);
}

static void
lines_of_998_octets(void **state)
{
	char text[1200] = "From: x@y\nContent-Type: image/png\n\n";
	size_t n = strlen(text);
	struct letter_needs needs_it;
	struct buf out;

	memset(text + n, 'x', 998);
	memcpy(text + n + 998, "\r\n", 2);
	assert_int_equal(convert(text, n + 1000, &out, &needs_it), E_OK);
	buf_free(&out);
	text[n + 998] = 'x';
	assert_int_equal(convert(text, n + 1000, &out, &needs_it), E_FORMAT);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_addresses),
		cmocka_unit_test(comments_are_left_out),
		cmocka_unit_test(quoted_and_literal),
		cmocka_unit_test(groups),
		cmocka_unit_test(old_forms),
		cmocka_unit_test(what_is_no_list),
		cmocka_unit_test(domains_for_dns),
		cmocka_unit_test(what_is_missing_is_added),
		cmocka_unit_test(ends_of_lines),
		cmocka_unit_test(where_the_header_ends),
		cmocka_unit_test(what_is_nobodys_business),
		cmocka_unit_test(subjects_are_encoded),
		cmocka_unit_test(recipients),
		cmocka_unit_test(needs),
		cmocka_unit_test(what_smtp_cannot_carry),
		cmocka_unit_test(what_cannot_be_sent),
		cmocka_unit_test(names_are_one_line),
		cmocka_unit_test(lines_of_998_octets),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

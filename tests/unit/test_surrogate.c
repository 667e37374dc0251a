/* Headers in UTF-8 for clients that know ASCII only: RFC 6857, 6858. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/store/surrogate/surrogate.h"
#include "server/store/surrogate/words.h"

enum { OUT_MAX = 4 << 20 };

static enum err
take(void *out, const void *p, size_t n, struct errbuf *eb)
{
	return buf_put(out, p, n);
}

/* In pieces of that size; returns whether it was needed. */
static bool
run(struct buf *out, enum surrogate_how how, const char *p, size_t n,
    size_t piece)
{
	struct surrogate s;
	struct errbuf eb;
	enum err e = E_OK;

	buf_init(out, OUT_MAX, false);
	surrogate_begin(&s, how, take, out);
	for (size_t at = 0; at < n && e == E_OK; at += piece)
		e = surrogate_put(
		    &s, p + at, n - at < piece ? n - at : piece, &eb);
	assert_int_equal(surrogate_end(&s, e, &eb), E_OK);
	return s.needed;
}

static void
becomes(enum surrogate_how how, const char *from, const char *to)
{
	struct buf out;
	size_t n = strlen(from);

	for (size_t piece = 1; piece <= n; piece++) {
		assert_true(run(&out, how, from, n, piece));
		if (out.len != strlen(to) ||
		    memcmp(buf_data(&out), to, out.len) != 0) {
			print_error("%zu: %s-> %.*s", piece, from, (int)out.len,
			    buf_data(&out));
			fail();
		}
		buf_free(&out);
	}
	assert_true(run(&out, SURROGATE_NONE, from, n, n));
	assert_int_equal(out.len, n);
	assert_memory_equal(buf_data(&out), from, n);
	buf_free(&out);
}

#define SPACE  " =?utf-8?B?IA==?=\n"
#define NOBODY "<invalid@internationalized-address.invalid>"

/* S-6857-01 */
static void
test_full(void **state)
{
	static const char *const row[][2] = {
		{ "Subject: José\n\nbody é\n",
		    "Subject: =?utf-8?B?Sm9zw6k=?=\n\nbody é\n" },
		{ "A: b\r\nsubject:José\r\n schön\r\nC: d\r\n\r\n",
		    "A: b\r\nsubject: =?utf-8?B?Sm9zw6kgc2Now7Zu?=\n"
		    "C: d\r\n\r\n" },
		{ "Subject: =?utf-8?Q?=C3=A7?= é =?a?b?c?= =?utf-8?Q?x?=\n\n",
		    "Subject: =?utf-8?Q?=C3=A7?=\n =?utf-8?B?IMOpIA==?=\n"
		    " =?a?b?c?=\n =?utf-8?Q?x?=\n\n" },
		{ "Subject: é=?a?b?c?= =?a?b? =?é?b?c?= ?=\n\n",
		    "Subject: "
		    "=?utf-8?B?w6k9P2E/Yj9jPz0gPT9hP2I/ID0/w6k/Yj9jPz0g"
		    "Pz0=?=\n\n" },
		{ "From: \"=?a?q?,<b@c>,?= é\" <j@a>, =?a?q?b?= é <j@a>\n",
		    "From: =?utf-8?B?PT9hP3E/LDxiQGM+LD89IMOp?=\n <j@a>,\n"
		    " =?a?q?b?=\n =?utf-8?B?IMOp?=\n <j@a>\n" },
		{ "From: José <j@a.example>\n",
		    "From: =?utf-8?B?Sm9zw6k=?=\n <j@a.example>\n" },
		{ "From: \"J. \\\"é\\\"\" <j@a.example>\n",
		    "From: =?utf-8?B?Si4gIsOpIg==?=\n <j@a.example>\n" },
		{ "From: j@a.example (José)\n",
		    "From: <j@a.example>\n (=?utf-8?B?Sm9zw6k=?=)\n" },
		{ "From: j@bücher.example\n",
		    "From: <j@xn--bcher-kva.example>\n" },
		{ "From: José <jose@bücher.example>\n",
		    "From: =?utf-8?B?Sm9zw6k=?=\n"
		    " <jose@xn--bcher-kva.example>\n" },
		{ "To: josé@a.example\n",
		    "To: =?utf-8?B?am9zw6lAYS5leGFtcGxl?= :;\n" },
		{ "To: José <josé@a.example>\n",
		    "To: =?utf-8?B?Sm9zw6k=?=\n" SPACE
		    " =?utf-8?B?am9zw6lAYS5leGFtcGxl?= :;\n" },
		{ "To: J. <josé@a.example>\n",
		    "To: J.\n =?utf-8?B?am9zw6lAYS5leGFtcGxl?= :;\n" },
		{ "To: josé@a.example (é)\n",
		    "To: =?utf-8?B?am9zw6lAYS5leGFtcGxl?= :;\n"
		    " (=?utf-8?B?w6k=?=)\n" },
		{ "To: J. <j@a.example> (é)\n",
		    "To: J.\n <j@a.example>\n (=?utf-8?B?w6k=?=)\n" },
		{ "To: (a (b\\) é)) j@a.example (c)\n",
		    "To: <j@a.example>\n (=?utf-8?B?YSAoYlwpIMOpKQ==?=)\n" },
		{ "To: \\é, )é, <a@b> )é, (\\\n",
		    "To: =?utf-8?B?XMOp?= :;,\n =?utf-8?B?KcOp?= :;,\n"
		    " <a@b>,\n (\\\n" },
		{ "To: (é j@a.example\n", "To: <>\n (=?utf-8?B?w6kgakBhLmV4"
					  "YW1wbGU=?=)\n" },
		{ "To: a@b, \"x, y\" <c@d>, é <e@f>,\n",
		    "To: a@b,\n \"x, y\" <c@d>,\n"
		    " =?utf-8?B?w6k=?=\n <e@f>\n" },
		{ "To: friends: a@b, é <c@d>; e@f\n",
		    "To: friends: a@b,\n =?utf-8?B?w6k=?=\n <c@d>;,\n e@f\n" },
		{ "To: friends: a@b, é@d;\n",
		    "To: friends\n =?utf-8?B?YUBiLCDDqUBk?= :;\n" },
		{ "To: é: a@b;, ç: é@d;\n",
		    "To: =?utf-8?B?w6k=?= : a@b;,\n =?utf-8?B?w6c=?=\n" SPACE
		    " =?utf-8?B?w6lAZA==?= :;\n" },
		{ "Content-Type: a/b; charset=utf-8; name=\"é b.txt\"\n",
		    "Content-Type: a/b; charset=utf-8;\n "
		    "name*=utf-8''%C3%A9%20b.txt\n" },
		{ "Message-ID: <é@b>\n",
		    "Downgraded-Message-ID: =?utf-8?B?PMOpQGI+?=\n" },
		{ "X-Any \t: é\n", "X-Any: =?utf-8?B?w6k=?=\n" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		becomes(SURROGATE_FULL, row[i][0], row[i][1]);
}

/* S-6858-01, S-6858-02 */
static void
test_simple(void **state)
{
	static const char *const row[][2] = {
		{ "Subject: José\n\nbody é\n",
		    "Subject: =?utf-8?B?Sm9zw6k=?=\n\nbody é\n" },
		{ "From: José <j@a.example>\n",
		    "From: =?utf-8?B?Sm9zw6k=?=\n <j@a.example>\n" },
		{ "From: josé@a.example\n",
		    "From: =?utf-8?B?am9zw6lAYS5leGFtcGxl?=\n " NOBODY "\n" },
		{ "From: José <j@bücher.example>, b@c\n",
		    "From: =?utf-8?B?Sm9zw6k=?=\n " NOBODY ",\n b@c\n" },
		{ "To: g: é@b, c@d;\n",
		    "To: g: =?utf-8?B?w6lAYg==?=\n " NOBODY ",\n c@d;\n" },
		{ "Content-Disposition: attachment; filename=é\n",
		    "Content-Disposition: attachment\n" },
		{ "Content-Type: é/b; charset=utf-8\nA: b\n", "A: b\n" },
		{ "Received: from é by b\nMessage-ID: <é@b>\nX: é\n y\nA: b\n",
		    "A: b\n" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		becomes(SURROGATE_SIMPLE, row[i][0], row[i][1]);
}

#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\n\n"
#define NAME     "Content-Disposition: attachment; filename=\"\u00e9\"\n\n"
#define NAMED    "Content-Disposition: attachment;\n filename*=utf-8''%C3%A9\n\n"
#define SUBJECT  "Subject: \u00e9\n\n"
#define SUBJECTS "Subject: =?utf-8?B?w6k=?=\n\n"

/* S-6857-03: headers within the message.  What surrounds them stays. */
static void
test_parts(void **state)
{
	static const char *const row[][2] = {
		{ MIXED("x") "é\n--x\n" NAME "é: é\n--x--\n" NAME,
		    MIXED("x") "é\n--x\n" NAMED "é: é\n--x--\n" NAME },
		{ MIXED("x") "--x \r\n" NAME "--xx\n --x\n\n--x-\n" NAME
			     "-\n--x\nA: b\n\n--x\n\n" NAME "--x\n" NAME,
		    MIXED("x") "--x \r\n" NAMED "--xx\n --x\n\n--x-\n" NAME
			       "-\n--x\nA: b\n\n--x\n\n" NAME "--x\n" NAMED },
		/* A boundary that looks like a field, and a header that it
		 * ends. */
		{ MIXED("\"a: \\\"(b\"") "--a: \"(b\n" NAME "--a: \"(b\nA: b\n"
					 "--a: \"(b\n" NAME,
		    MIXED(
			"\"a: \\\"(b\"") "--a: \"(b\n" NAMED
					 "--a: \"(b\nA: b\n--a: \"(b\n" NAMED },
		{ MIXED("x; a=b") "--x\n" MIXED(
		      "y (c)") "--y\n" NAME "--x\n" NAME "--y\n" NAME,
		    MIXED("x; a=b") "--x\n" MIXED(
			"y (c)") "--y\n" NAMED "--x\n" NAMED "--y\n" NAME },
		{ MIXED("x") "--x\n" MIXED("y") "--y--\n" NAME "--x\n" NAME,
		    MIXED("x") "--x\n" MIXED("y") "--y--\n" NAME
						  "--x\n" NAMED },
		{ MIXED(
		      "x") "--x\nContent-Type: message/rfc822\n\n" SUBJECT
			   "--x\nContent-Type: Message/Global (c)\n\n" SUBJECT,
		    MIXED("x") "--x\nContent-Type: message/rfc822\n\n" SUBJECTS
			       "--x\nContent-Type: Message/rfc822 "
			       "(c)\n\n" SUBJECTS },
		{ "Content-Type: message/rfc822\n\n" MIXED("x") "--x\n" NAME,
		    "Content-Type: message/rfc822\n\n" MIXED(
			"x") "--x\n" NAMED },
		{ "Content-Type: multipart/digest; boundary=x\n\n"
		  "--x\n\n" SUBJECT SUBJECT "--x\nA: b\n\n" SUBJECT
		  "--x\nContent-Type: text/plain\n\n" SUBJECT,
		    "Content-Type: multipart/digest; boundary=x\n\n"
		    "--x\n\n" SUBJECTS SUBJECT "--x\nA: b\n\n" SUBJECTS
		    "--x\nContent-Type: text/plain\n\n" SUBJECT },
		/* Without an empty line. */
		{ "Content-Type: multipart/mixed; boundary=x\n--x\n" NAME,
		    "Content-Type: multipart/mixed; boundary=x\n--x\n" NAMED },
		{ "Content-Type: message/global\nno field\n" SUBJECT,
		    "Content-Type: message/rfc822\nno field\n" SUBJECT },
		{ "Content-Type: message/global",
		    "Content-Type: message/rfc822" },
		/* The header of the message, too. */
		{ "A: é\n" MIXED("x") "--x\n" NAME,
		    "A: =?utf-8?B?w6k=?=\n" MIXED("x") "--x\n" NAMED },
		/* One that is not in UTF-8 hides none. */
		{ "A: \xe9\n" MIXED("x") "--x\n" NAME,
		    "A: \xe9\n" MIXED("x") "--x\n" NAMED },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		becomes(SURROGATE_FULL, row[i][0], row[i][1]);
	becomes(SURROGATE_SIMPLE, MIXED("x") "--x\n" NAME "--x--\n",
	    MIXED("x") "--x\nContent-Disposition: attachment\n\n--x--\n");
	becomes(SURROGATE_SIMPLE,
	    "Content-Type: message/global\n\nReceived: é\n" SUBJECT,
	    "Content-Type: message/rfc822\n\n" SUBJECTS);
}

static void
stays(const char *from, size_t n)
{
	struct buf out;

	for (enum surrogate_how how = SURROGATE_NONE; how <= SURROGATE_SIMPLE;
	     how++) {
		assert_false(run(&out, how, from, n, 7));
		assert_int_equal(out.len, n);
		assert_true(n == 0 || memcmp(buf_data(&out), from, n) == 0);
		buf_free(&out);
	}
}

/* What is no header in UTF-8 is passed on. */
static void
test_passed(void **state)
{
	static const char *const row[] = {
		"",
		"A: b\n\nbody é\n",
		"A: b\nno field é\nSubject: é\n\nbody\n",
		"Subject: Jos\xe9\n\nbody\n",
		"Subject: é\nFrom: Jos\xe9 <a@b>\n\nbody\n",
		"\nSubject: é\n",
		"é: b\n\n",
		"Subject",
		/* No parts, or encoded ones. */
		"A: b\n\n--x\n" NAME,
		"Content-Type: multipart/mixed\n\n--\n" NAME,
		"Content-Type: multipart/mixed; boundary=\"\"\n\n--\n" NAME,
		"Content-Type: text/plain; boundary=x\n\n--x\n" NAME,
		"Content-Transfer-Encoding: Base64\n" MIXED("x") "--x\n" NAME,
		"Content-Transfer-Encoding: quoted-printable (c)\n"
		"Content-Type: message/global\n\n" SUBJECT,
		"Content-Type: message/partial\n\n" SUBJECT,
		MIXED("x") "--x--\n--x\n" NAME,
		MIXED("x") "--x\nA: \xe9\n" NAME,
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		stays(row[i], strlen(row[i]));
}

/* Multiparts in each other; the last has a header that needs it. */
static bool
nested(unsigned levels, unsigned boundary)
{
	static char text[MIME_LEVELS_MAX * 1000];
	char name[MIME_BOUNDARY_MAX + 2];
	struct buf out;
	bool needed;
	int n = 0;

	for (unsigned i = 0; i < levels; i++) {
		snprintf(name, sizeof(name), "%0*u", (int)boundary, i);
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    MIXED("%s") "--%s\n", name, name);
	}
	n += snprintf(text + n, sizeof(text) - (size_t)n, NAME);
	needed = run(&out, SURROGATE_FULL, text, (size_t)n, 11);
	assert_true(needed || out.len == (size_t)n);
	buf_free(&out);
	return needed;
}

static void
test_bounds(void **state)
{
	assert_true(nested(MIME_LEVELS_MAX, MIME_BOUNDARY_MAX));
	assert_false(nested(MIME_LEVELS_MAX + 1, 9));
	assert_false(nested(1, MIME_BOUNDARY_MAX + 1));
}

/* A part whose header is too long; the next one is converted. */
static void
test_long_part(void **state)
{
	static char text[SURROGATE_HEAD + 1000];
	size_t n = (size_t)snprintf(text, sizeof(text), MIXED("x") "--x\n");
	struct buf out;

	while (n < SURROGATE_HEAD + 500)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "A: é\n");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\n--x\n" NAME);
	assert_true(run(&out, SURROGATE_FULL, text, n, 4096));
	assert_int_equal(out.len, n - strlen(NAME) + strlen(NAMED));
	assert_memory_equal(buf_data(&out), text, n - strlen(NAME));
	buf_free(&out);
}

/* Words of 75 octets at most, of whole characters; a header that is too long. */
static void
test_long(void **state)
{
	static char text[SURROGATE_HEAD + 100];
	struct buf out;
	const char *line;
	size_t n = 9;

	memcpy(text, "Subject: ", n);
	while (n < 40000) {
		memcpy(text + n, "\u20ac", 3);
		n += 3;
	}
	memcpy(text + n, "\n\nx", 3);
	assert_true(run(&out, SURROGATE_FULL, text, n + 3, 4096));
	assert_int_equal(buf_put(&out, "", 1), E_OK);
	line = buf_data(&out) + 9;
	for (size_t len; *line == '='; line += len + 2) {
		len = strcspn(line, "\n");
		assert_true(len <= 75);
		assert_int_equal((len - 12) % 4, 0);
	}
	assert_string_equal(line - 1, "\nx");
	buf_free(&out);
	memset(text + 40000, 'x', sizeof(text) - 40000);
	stays(text, sizeof(text));
}

/* The sink's error comes back, and nothing is lost by it. */
static enum err
refuse(void *arg, const void *p, size_t n, struct errbuf *eb)
{
	return err_set(eb, E_FULL, "full");
}

/* A stranger may send a list of which more is made than is kept in memory: that
 * header stays as it is, and the message is none the less there. */
static void
test_too_much(void **state)
{
	static char text[SURROGATE_HEAD];
	struct buf out;
	size_t n = 0;

	n += (size_t)sprintf(text, MIXED("x") "--x\nTo: ");
	while (n < SURROGATE_HEAD - 100)
		n += (size_t)sprintf(text + n, "é,");
	n += (size_t)sprintf(text + n, "\n\n--x\n");
	assert_true(run(&out, SURROGATE_SIMPLE, text, n, n));
	assert_int_equal(out.len, n);
	assert_memory_equal(buf_data(&out), text, n);
	buf_free(&out);
	n += (size_t)sprintf(text + n, "X: é\n\n--x--\n");
	assert_true(run(&out, SURROGATE_SIMPLE, text, n, 1000));
	assert_int_equal(out.len, n - strlen("X: é\n"));
	buf_free(&out);
}

static void
test_sink(void **state)
{
	static const char text[] = "Subject: é\n\nbody";
	struct surrogate s;
	struct errbuf eb;
	enum err e;

	surrogate_begin(&s, SURROGATE_FULL, refuse, NULL);
	e = surrogate_put(&s, text, sizeof(text) - 1, &eb);
	assert_int_equal(e, E_FULL);
	assert_int_equal(surrogate_end(&s, e, &eb), E_FULL);
	assert_string_equal(eb.text, "full");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_long_part),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

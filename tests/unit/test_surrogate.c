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
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		stays(row[i], strlen(row[i]));
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
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

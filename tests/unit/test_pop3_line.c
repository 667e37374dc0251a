/* Command lines: their ends, their limits, cut at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"
#include "pop3/server_line.h"

enum { MAX = 20, RESULTS = 4096 };

/* What came out: "<line>" for each line, "L" for a long one, "E" at the end of
 * all. */
struct result {
	char text[RESULTS];
	size_t n;
};

static void
add(struct result *r, const char *p, size_t n)
{
	assert_true(r->n + n < sizeof(r->text));
	memcpy(r->text + r->n, p, n);
	r->n += n;
	r->text[r->n] = '\0';
}

/* A driver: what is there is text[*at..upto).  False: it gave up. */
static bool
take(struct pop3_line *l, const char *text, size_t *at, size_t upto, size_t max,
    struct result *r)
{
	for (;;) {
		size_t n = upto - *at, len = 99, used = 99;
		const char *in = guard_copy(0, text + *at, n);
		enum pop3_line_result res =
		    pop3_line_next(l, in, n, max, &len, &used);

		assert_true(used <= n);
		assert_true(len <= used);
		*at += used;
		switch (res) {
		case POP3_LINE_OK:
			assert_true(used <= max);
			add(r, "<", 1);
			add(r, in, len);
			add(r, ">", 1);
			break;
		case POP3_LINE_LONG: add(r, "L", 1); break;
		case POP3_LINE_ENDLESS: add(r, "E", 1); return false;
		case POP3_LINE_MORE: return true;
		}
	}
}

static void
check(const char *text, size_t n, const char *want)
{
	struct result r;
	struct pop3_line l;
	size_t at;

	for (size_t split = 0; split <= n; split++)
		for (size_t split2 = split; split2 <= n; split2++) {
			r.n = at = 0;
			r.text[0] = '\0';
			l = (struct pop3_line){ 0 };
			if (take(&l, text, &at, split, MAX, &r) &&
			    take(&l, text, &at, split2, MAX, &r))
				take(&l, text, &at, n, MAX, &r);
			assert_string_equal(r.text, want);
		}
	r.n = at = 0;
	r.text[0] = '\0';
	l = (struct pop3_line){ 0 };
	for (size_t i = 1; i <= n; i++)
		if (!take(&l, text, &at, i, MAX, &r))
			break;
	assert_string_equal(r.text, want);
}

#define CHECK(text, want) check(text, sizeof(text) - 1, want)

/* S-1939-02, S-ENG-02 */
static void
test_lines(void **state)
{
	(void)state;
	CHECK("QUIT\r\n", "<QUIT>");
	CHECK("QUIT\n", "<QUIT>");
	CHECK("QUIT\r", "");
	CHECK("\r\n\n\r\r\n", "<><><\r>");
	CHECK("a\rb\r\nc", "<a\rb>");
	CHECK("a\r\r\n", "<a\r>");
	CHECK("STAT\r\nLIST 1\r\nRETR 1\n", "<STAT><LIST 1><RETR 1>");
}

static void
test_nul(void **state)
{
	struct pop3_line l = { 0 };
	size_t len, used;

	(void)state; /* S-ENG-01 */
	assert_int_equal(
	    pop3_line_next(&l, "a\0b\r\n", 5, MAX, &len, &used), POP3_LINE_OK);
	assert_int_equal(len, 3);
	assert_int_equal(used, 5);
}

/* S-2449-02, M-23 */
static void
test_long(void **state)
{
	(void)state;
	CHECK("123456789012345678\r\nNOOP\r\n", "<123456789012345678><NOOP>");
	CHECK("1234567890123456789\r\nNOOP\r\n", "L<NOOP>");
	CHECK("12345678901234567890\r\nNOOP\r\n", "L<NOOP>");
	CHECK("1234567890123456789\nNOOP\r\n", "<1234567890123456789><NOOP>");
	CHECK("12345678901234567890\nNOOP\r\n", "L<NOOP>");
	CHECK("12345678901234567890 DELE 1\r\n"
	      "12345678901234567890 DELE 1\r\nNOOP\r\n",
	    "LL<NOOP>");
	CHECK("12345678901234567890123456789012345678901234", "");
}

/* The line of exactly the limit that gives up, and the one that does not, in
 * one piece and in pieces of every size. */
static void
test_endless(void **state)
{
	static char text[POP3_LINE_DROP + 100];
	static const size_t piece[] = { 1, 2, 19, 20, 21, 1000, 4096,
		sizeof(text) };

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t lf = POP3_LINE_DROP - 2; lf < POP3_LINE_DROP + 3; lf++) {
		const char *want = lf + 1 <= POP3_LINE_DROP ? "L" : "E";

		text[lf] = '\n';
		for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++) {
			struct pop3_line l = { 0 };
			struct result r = { 0 };
			size_t at = 0, upto = 0;

			do {
				upto += piece[i];
				if (upto > lf + 1)
					upto = lf + 1;
			} while (take(&l, text, &at, upto, MAX, &r) &&
				 upto < lf + 1);
			assert_string_equal(r.text, want);
		}
		text[lf] = 'x';
	}
}

/* While a line is dropped nothing of it stays in the caller's buffer. */
static void
test_drops_at_once(void **state)
{
	struct pop3_line l = { 0 };
	char text[MAX];
	size_t len, used;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(pop3_line_next(&l, text, MAX - 1, MAX, &len, &used),
	    POP3_LINE_MORE);
	assert_int_equal(used, 0);
	assert_int_equal(l.seen, MAX - 1);
	assert_int_equal(
	    pop3_line_next(&l, text, MAX, MAX, &len, &used), POP3_LINE_MORE);
	assert_int_equal(used, MAX);
	assert_int_equal(
	    pop3_line_next(&l, text, 5, MAX, &len, &used), POP3_LINE_MORE);
	assert_int_equal(used, 5);
}

/* S-2449-03: the limit of a longer line does not stay. */
static void
test_other_limit(void **state)
{
	static const char text[] = "12345678901234567890123\r\n";
	struct pop3_line l = { 0 };
	size_t len, used;

	(void)state;
	assert_int_equal(
	    pop3_line_next(&l, text, 25, 25, &len, &used), POP3_LINE_OK);
	assert_int_equal(
	    pop3_line_next(&l, text, 25, MAX, &len, &used), POP3_LINE_LONG);
	assert_int_equal(used, 25);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_drops_at_once),
		cmocka_unit_test(test_other_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

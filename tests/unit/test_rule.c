/* Which rule is for a message: fields, addresses, lists, subjects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/conf/rule.h"
#include "client/message/address.h"
#include "client/message/fields.h"
#include "guard.h"

static struct slice
text(const char *s)
{
	size_t n = strlen(s);

	return (struct slice){ guard_copy(0, s, n), n };
}

/* All fields "X", with a | behind each. */
static void
assert_fields(const char *header, const char *expected)
{
	struct slice rest = text(header), value;
	char all[512] = "";
	size_t n = 0;

	while (field_next(&rest, "X", &value))
		n += (size_t)snprintf(
		    all + n, sizeof(all) - n, "%.*s|", (int)value.n, value.p);
	assert_string_equal(all, expected);
}

static void
fields_are_cut(void **state)
{
	assert_fields("", "");
	assert_fields("X: a\nX: b\n", "a\n|b\n|");
	assert_fields("x:a\r\nY: X: b\r\n X: c\r\nX :\td", "a\r\n|d|");
	assert_fields("X: a\n b\n\tc\nXY: d\nX", "a\n b\n\tc\n|");
	/* Behind the header there is none. */
	assert_fields("X: a\n\nX: b\n", "a\n|");
	assert_fields("X: a\r\n\r\nX: b\n", "a\r\n|");
	assert_fields("\nX: a\n", "");
	assert_fields("X:", "|");
	assert_fields("X:\n \n", "\n \n|");
}

/* All addresses, with a | behind each. */
static void
assert_addresses(const char *value, const char *expected)
{
	struct slice rest = text(value);
	struct address a;
	char all[1024] = "";
	size_t n = 0;

	while (address_next(&rest, &a)) {
		assert_int_equal(a.domain[-1], '@');
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s|", a.text);
	}
	assert_string_equal(all, expected);
}

static void
addresses_are_cut(void **state)
{
	char many[400];

	assert_addresses("", "");
	assert_addresses("a@b", "a@b|");
	assert_addresses("A <a@b>, \"B, c@d\" <e@f> , g@h\r\n", "a@b|e@f|g@h|");
	assert_addresses("undisclosed-recipients:;", "");
	assert_addresses("g: a@b, C <c@d>;, e@f", "a@b|c@d|e@f|");
	assert_addresses("<@x,@y:a@b>", "a@b|");
	assert_addresses("a@b (c@d, (e@f)) , g@h", "a@b|g@h|");
	assert_addresses("\"a@b\" <c@d> <e", "");
	assert_addresses("\"a@b\" <c@d>", "c@d|");
	assert_addresses("a@b <c@d>", "c@d|");
	assert_addresses("<c@d> a@b", "c@d|");
	assert_addresses("\"a@b\"", "");
	assert_addresses("\"a b\"@c", "a b@c|");
	assert_addresses("a @\r\n b", "a@b|");
	assert_addresses("a@[IPv6:::1], b@c", "a@[IPv6:::1]|b@c|");
	assert_addresses("A <a@b, c@d", "a@b|c@d|");
	assert_addresses("\"a", "");
	assert_addresses("(a@b", "");
	assert_addresses("a@b\\", "a@b\\|");
	assert_addresses("\"a\\", "");
	/* What is too long for one is none, and hides no other. */
	memset(many, 'x', sizeof(many));
	strcpy(many + 330, "@a, b@c");
	assert_addresses(many, "b@c|");
}

static void
assert_fits(const char *match, const char *header, bool expected)
{
	char copy[128];
	const struct rule r = { .match = copy };

	snprintf(copy, sizeof(copy), "%s", match);
	if (rule_fits(&r, text(header)) != expected)
		fail_msg("%s in %s", match, header);
}

static void
rules_fit(void **state)
{
	assert_fits("list:a.b", "List-Id: A <a.b>\n", true);
	assert_fits("LIST: a.B", "List-Id: <x> <a.b>\r\n", true);
	assert_fits("list:a.b", "List-Id: a.b\r\n", true);
	assert_fits("list:a.b", "List-Id: A\n\t<a.b>\n", true);
	assert_fits("list:a.b", "List-Id: <a.b.c>\nList-ID: <a.b>\n", true);
	assert_fits("list:a.b", "List-Id: <a.b.c>\n", false);
	assert_fits("list:a.b", "List-Id: <>\nX-List-Id: <a.b>\n", false);
	assert_fits("list:a.b", "List-Id: >a.b<\n", false);
	assert_fits("from:a@b", "From: X <A@B>\n", true);
	assert_fits("from:b", "From: X <a@b>\n", true);
	assert_fits("from:@b", "From: X <a@b>\n", true);
	assert_fits("from:b", "From: X <a@c.b>\n", false);
	assert_fits("from:a@b", "Sender: a@b\nTo: a@b\n", false);
	assert_fits("from:a@b", "From: a@b@c\n", false);
	assert_fits("to:a@b", "To: x@y\nCc: z@y,\n a@b\n", true);
	assert_fits("to:a@b", "X-Original-To: a@b\n", true);
	assert_fits("to:a@b", "Bcc: a@b\nFrom: a@b\n", false);
	assert_fits("subject:b c", "Subject: =?utf-8?q?A=20B=20C?= d\n", true);
	assert_fits("subject:b c", "Subject: a b\n c\n", true);
	assert_fits("subject:b c", "Subject: bc\nComments: b c\n", false);
	assert_fits("subject:b", "", false);
}

/* The first counts, and those of one place are one. */
static void
first_counts(void **state)
{
	char list[] = "list:a.b", from[] = "from:b", path[] = "/x";
	char one[] = "maildir:/x", two[] = "maildir:./x", three[] = "lmtp:x";
	const struct rule v[] = {
		{ .match = list,
		    .dest = { DEST_MAILDIR, .text = one, .path = path } },
		{ .match = from, .dest = { DEST_LMTP, .text = three } },
		{ .match = list,
		    .dest = { DEST_MAILDIR, .text = two, .path = path } },
	};
	const struct rule *rules[] = { &v[0], &v[1], &v[2], NULL };

	assert_int_equal(
	    rule_find(rules, text("From: a@b\nList-Id: <a.b>\n")), 0);
	assert_int_equal(
	    rule_find(rules + 1, text("From: a@b\nList-Id: <a.b>\n")), 0);
	assert_int_equal(rule_find(rules, text("From: a@b\n")), 1);
	assert_true(rule_find(rules, text("From: a@c\n")) == SIZE_MAX);
	assert_int_equal(rule_place(rules, 1), 1);
	assert_int_equal(rule_place(rules, 2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_cut),
		cmocka_unit_test(addresses_are_cut),
		cmocka_unit_test(rules_fit),
		cmocka_unit_test(first_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

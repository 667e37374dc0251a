/* The envelope out of a header: which field counts, what is no address, and the
 * same at every way to cut the octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "pop3/server_envelope.h"

static const struct {
	const char *header, *sender, *recipient;
} cases[] = {
	{ "", "", "" },
	{ "\n", "", "" },
	{ "Return-Path: <a@b>\nDelivered-To: c@d\n\n", "a@b", "c@d" },
	{ "Return-Path: <a@b>\r\nDelivered-To: c@d\r\n\r\n", "a@b", "c@d" },
	{ "return-path:a@b\nDELIVERED-TO :\t<c@d> \n\n", "a@b", "c@d" },
	/* the null sender */
	{ "Return-Path: <>\nX-Original-To: c@d\n\n", "", "c@d" },
	/* folded */
	{ "Return-Path:\n <a@b>\nDelivered-To:\r\n\t c@d\r\n\r\n", "a@b",
	    "c@d" },
	/* the topmost counts, and one that is no address hides those below */
	{ "X-Original-To: s@d\nDelivered-To: c@d\nReturn-Path: <a@b>\n"
	  "Return-Path: <z@z>\n\n",
	    "a@b", "s@d" },
	{ "Delivered-To: c@d\nX-Original-To: s@d\n\n", "", "c@d" },
	{ "Delivered-To: c\x01@d\nX-Original-To: s@d\n\n", "", "" },
	{ "Delivered-To: c @d\nReturn-Path: \"a b\"@c\n\n", "\"a b\"@c", "" },
	{ "Delivered-To: \xff@d\nReturn-Path: <\xc3\xa9@c>\n\n", "\xc3\xa9@c",
	    "" },
	/* not a field, or below the header */
	{ "X-Delivered-To: c@d\n Delivered-To: e@f\nDelivered-To\n\n"
	  "Delivered-To: body@d\n",
	    "", "" },
	/* no end */
	{ "Return-Path: <a@b>\nDelivered-To: c@d", "a@b", "c@d" },
	{ "Delivered-To: c@d\n\tand more", "", "" },
};

static void
expect(const struct pop3_envelope *e, size_t i)
{
	assert_string_equal(e->sender, cases[i].sender);
	assert_string_equal(e->recipient, cases[i].recipient);
}

/* Each piece ends where memory ends. */
static bool
add(struct pop3_envelope *e, const char *p, size_t n)
{
	return pop3_envelope_add(e, guard_copy(0, p, n), n);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *header = cases[i].header;
		size_t n = strlen(header);

		for (size_t cut = 0; cut <= n; cut++) {
			struct pop3_envelope e;

			pop3_envelope_init(&e);
			if (!add(&e, header, cut))
				(void)add(&e, header + cut, n - cut);
			pop3_envelope_end(&e);
			expect(&e, i);
		}
	}
}

/* As soon as all is known, no more is read. */
static void
test_enough(void **state)
{
	static const char all[] = "Return-Path: <a@b>\nDelivered-To: c@d\nX:\n";
	struct pop3_envelope e;

	(void)state;
	pop3_envelope_init(&e);
	assert_false(add(&e, all, sizeof(all) - 4));
	assert_true(add(&e, all + sizeof(all) - 4, 3));
	pop3_envelope_init(&e);
	assert_true(add(&e, "Subject: x\n\n", 12));
}

/* An address may have 320 octets, and no line is too long to be passed over. */
static void
test_long(void **state)
{
	static char text[2000];
	struct pop3_envelope e;

	(void)state;
	for (size_t n = 310; n < 1500; n += n < 330 ? 1 : 97) {
		size_t at = 14 + n;

		memcpy(text, "Delivered-To: ", 14);
		memset(text + 14, 'x', n);
		memcpy(text + at, "\nReturn-Path: <a@b>\n\n", 21);
		pop3_envelope_init(&e);
		assert_true(add(&e, text, at + 21));
		assert_int_equal(strlen(e.recipient), n <= 320 ? n : 0);
		assert_string_equal(e.sender, "a@b");
	}
}

/* A header without an end is not read on for ever, nor is what is half there
 * taken for an address. */
static void
test_endless(void **state)
{
	static char text[4096];
	struct pop3_envelope e;
	unsigned n = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	pop3_envelope_init(&e);
	assert_false(add(&e, "Delivered-To: c@d\n ", 19));
	while (!add(&e, text, sizeof(text)))
		assert_true(++n < 100);
	pop3_envelope_end(&e);
	assert_string_equal(e.recipient, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_enough),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Which message is this: the digest of a header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "client/message/identity.h"

/* Piece by piece of `step` octets, each in memory of its own. */
static struct identity
read_steps(const char *p, size_t n, size_t step)
{
	struct identity_reader *r = identity_reader_new();
	struct identity id;

	assert_non_null(r);
	for (size_t i = 0; i < n; i += step) {
		size_t m = n - i < step ? n - i : step;
		char *piece = malloc(m);

		assert_non_null(piece);
		memcpy(piece, p + i, m);
		identity_reader_add(r, piece, m);
		free(piece);
	}
	id = identity_reader_end(r);
	identity_reader_free(r);
	return id;
}

static struct identity
identity_of(const char *text)
{
	size_t n = strlen(text);
	struct identity id = read_steps(text, n, n + 1);

	for (size_t step = 1; step < n; step++) {
		struct identity other = read_steps(text, n, step);

		assert_true(digest_eq(id.header, other.header));
		assert_int_equal(id.strong, other.strong);
	}
	return id;
}

static bool
same(const char *a, const char *b)
{
	return digest_eq(identity_of(a).header, identity_of(b).header);
}

static const char header[] = "Received: from a by b;\n"
			     "\tTue, 1 Dec 2026 10:00:00 +0000\n"
			     "Received: from c by a; Tue, 1 Dec\n"
			     "From: Ana <ana@example.org>\n"
			     "To: rui@example.org\n"
			     "Subject: Ola\n"
			     "Date: Tue, 1 Dec 2026 09:00:00 +0000\n"
			     "Message-ID: <1@example.org>\n"
			     "\n";

/* The digest is what the state and the names of files keep: it never changes. */
static void
test_known(void **state)
{
	char text[DIGEST_TEXT];

	(void)state;
	/* printf 'subject:Ola\n' | sha256sum, its first 80 bits in base32 */
	assert_string_equal(
	    digest_text(text, identity_of("Subject: Ola\n\n").header),
	    "njsungf3hyeruzqi");
	assert_string_equal(
	    digest_text(text, identity_of("X-Other: 1\n\n").header),
	    "4oymiquy7qobjgx3");
	assert_string_equal(
	    digest_text(text, digest_of((struct slice){ "abc", 3 })),
	    "xj4bnp4pahh6uqkb");
}

static void
test_body(void **state)
{
	char text[sizeof(header) + 64];
	struct identity_reader *r = identity_reader_new();

	(void)state;
	strcpy(text, header);
	strcat(text, "From: nobody\n\nMessage-ID: <2>\n");
	assert_true(same(header, text));
	/* TOP of a message without a body may lack the empty line. */
	strcpy(text, header);
	text[strlen(text) - 1] = '\0';
	assert_true(same(header, text));
	text[strlen(text) - 1] = '\0';
	assert_true(same(header, text));

	identity_reader_add(r, header, sizeof(header) - 2);
	assert_false(identity_reader_done(r));
	identity_reader_add(r, "\nx", 2);
	assert_true(identity_reader_done(r));
	identity_reader_free(r);
}

static void
test_lines(void **state)
{
	char text[2 * sizeof(header)], *p = text;

	(void)state;
	for (const char *s = header; *s != '\0'; s++) {
		if (*s == '\n')
			*p++ = '\r';
		*p++ = *s;
	}
	*p = '\0';
	assert_true(same(header, text));
	assert_true(same("Subject: a\r\r\n\r\r\nTo: b\n", "Subject: a\n\n"));
	assert_true(same("Subject: a\r", "Subject: a\n\n"));
	/* Others are part of it. */
	assert_false(same("Subject: a\rb\n\n", "Subject: ab\n\n"));
	assert_false(same("Subject: a\rb\n\n", "Subject: a\r\rb\n\n"));
	assert_false(same("Subject: a\n\rTo: b\n\n", "Subject: a\nTo: b\n\n"));
	assert_true(same("Subject: a\n\rX: b\n\n", "Subject: a\n\n"));
}

static void
test_folding(void **state)
{
	(void)state;
	assert_true(same("Subject: a b c\n\n", "Subject: a\n b\r\n c\n\n"));
	assert_true(same("Subject: a\tb\n\n", "Subject:\n  a\n\tb \n \t\n\n"));
	assert_true(same("Subject: a\n\n", "Subject:a\n\n"));
	assert_true(same("Subject: a\n\n", "Subject \t: a  \n\n"));
	assert_true(same("Subject: a\n\n", "SUBJECT: a\n\n"));
	/* Runs of white space are kept. */
	assert_false(same("Subject: a b\n\n", "Subject: a  b\n\n"));
	assert_false(same("Subject: a b\n\n", "Subject: a\n  b\n\n"));
	assert_false(same("Subject: a b\n\n", "Subject: a\tb\n\n"));
	/* What is folded belongs to the field above, also to no field. */
	assert_true(same(" a\nSubject: b\n\n", "Subject: b\n\n"));
	assert_true(same("X: a\n Subject: b\n\n", "\n"));
	assert_true(same("Subject\n : a\n\n", "\n"));
	assert_true(
	    same("Subject: a\n Subject: b\n\n", "Subject: a Subject: b\n\n"));
}

static void
test_fields(void **state)
{
	(void)state;
	/* Each of the six counts. */
	assert_false(same("From: a\n\n", "\n"));
	assert_false(same("To: a\n\n", "From: a\n\n"));
	assert_false(same("Date: a\n\n", "Date: b\n\n"));
	assert_false(same("Message-ID: a\n\n", "Message-ID: A\n\n"));
	assert_false(same("Received: a\n\n", "\n"));
	/* Order and number. */
	assert_false(same(
	    "Received: a\nReceived: b\n\n", "Received: b\nReceived: a\n\n"));
	assert_false(same("Received: a\n\n", "Received: a\nReceived: a\n\n"));
	assert_false(same("From: a\nTo: b\n\n", "To: b\nFrom: a\n\n"));
	/* No two make the same octets. */
	assert_false(same("From: ato: b\n\n", "From: a\nTo: b\n\n"));
	assert_false(same("From:\nTo:\n\n", "From: To:\n\n"));
	/* No other does, nor a name that only begins or ends so. */
	assert_true(
	    same("Status: RO\nX-UIDL: 1\nCc: c\nFrom: a\n\n", "From: a\n\n"));
	assert_true(same("Message-ID-2: a\nMessage-I: b\nFromm: c\n\n", "\n"));
	assert_true(same("From a@b Tue\nFrom: a\n\n", "From: a\n\n"));
	assert_true(same("From a: b\nFr om: a\n: x\nno colon\n\n", "\n"));
}

static void
test_strong(void **state)
{
	(void)state;
	assert_true(identity_of("Message-ID: <1>\n\n").strong);
	assert_true(identity_of("Received: by a\n\n").strong);
	assert_true(identity_of("received:\n by a").strong);
	assert_false(identity_of("From: a\nTo: b\nDate: c\n\n").strong);
	assert_false(identity_of("Message-ID:\n\n").strong);
	assert_false(identity_of("Received: \n \n\n").strong);
	assert_false(identity_of("").strong);
	assert_false(identity_of("\nMessage-ID: <1>\n").strong);
}

static void
test_reset(void **state)
{
	struct identity_reader *r = identity_reader_new();
	struct identity id;

	(void)state;
	identity_reader_add(r, header, sizeof(header) - 1);
	identity_reader_end(r);
	identity_reader_reset(r);
	identity_reader_add(r, "Message-ID: a\r ", 15);
	identity_reader_reset(r);
	identity_reader_add(r, "To: b\n", 6);
	id = identity_reader_end(r);
	assert_true(digest_eq(id.header, identity_of("To: b\n\n").header));
	assert_false(id.strong);
	identity_reader_free(r);
}

/* `before`, n times c, `after` */
static struct identity
with_run(const char *before, size_t n, char c, const char *after, size_t step)
{
	size_t b = strlen(before), a = strlen(after);
	char *text = malloc(b + n + a);
	struct identity id;

	assert_non_null(text);
	memcpy(text, before, b);
	memset(text + b, c, n);
	memcpy(text + b + n, after, a);
	id = read_steps(text, b + n + a, step);
	free(text);
	return id;
}

static void
test_long(void **state)
{
	struct identity a = identity_of("Subject: a\n\n");

	(void)state;
	for (size_t n = 1; n < 1000000; n = 3 * n + 1) {
		struct identity mid = with_run("Subject: a", n, ' ', "b\n", n);
		struct identity end = with_run("Subject: a", n, ' ', "\n", 777);

		assert_true(digest_eq(end.header, a.header));
		assert_true(digest_eq(mid.header,
		    with_run("Subject: a", n, ' ', "b\n", 999).header));
		assert_false(digest_eq(mid.header,
		    with_run("Subject: a", n + 1, ' ', "b\n", n).header));
		end = with_run("Subject: a", n, '\r', "\n", 777);
		assert_true(digest_eq(end.header, a.header));
		mid = with_run("Subject: ", n, 'x', "\n", n);
		assert_true(digest_eq(mid.header,
		    with_run("Subject:\n ", n, 'x', " \n", 999).header));
	}
	assert_true(digest_eq(
	    with_run("Subject: a\nX:", 3000000, '\0', "\n\n", 4096).header,
	    a.header));
	assert_true(digest_eq(
	    with_run("Subject: a\n", 3000000, 'z', "\n\n", 4096).header,
	    a.header));
}

static void
test_octets(void **state)
{
	static const char nul[] = "Subject: a\0b\n\n";

	(void)state;
	assert_false(digest_eq(read_steps(nul, sizeof(nul) - 1, 3).header,
	    read_steps("Subject: a\0c\n\n", 14, 3).header));
	assert_false(same("Subject: \xc3\xa9\n\n", "Subject: \xe9\n\n"));
}

static void
test_text(void **state)
{
	static const char *const bad[] = { "", "aaaaaaaaaaaaaaa",
		"aaaaaaaaaaaaaaaaa", "Aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaa1",
		"aaaaaaaaaaaaaaa8", "aaaaaaa=aaaaaaaa" };
	struct digest d, back;
	char text[DIGEST_TEXT];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		d = digest_of((struct slice){ (const char *)&i, sizeof(i) });
		digest_text(text, d);
		assert_int_equal(strlen(text), 16);
		assert_int_equal(
		    strspn(text, "abcdefghijklmnopqrstuvwxyz234567"), 16);
		assert_true(digest_parse((struct slice){ text, 16 }, &back));
		assert_true(digest_eq(d, back));
	}
	memset(&d, 0xff, sizeof(d));
	assert_string_equal(digest_text(text, d), "7777777777777777");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(digest_parse(
		    (struct slice){ bad[i], strlen(bad[i]) }, &back));
	assert_false(
	    digest_parse((struct slice){ "aaaaaaaa\0aaaaaaa", 16 }, &back));
}

static void
test_memory(void **state)
{
	(void)state;
	alloc_fail(1);
	assert_null(identity_reader_new());
	alloc_fail(0);
	identity_reader_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_folding),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_strong),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}

/* A short message in place of a large one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/message/identity.h"
#include "client/message/stub.h"
#include "guard.h"

static struct buf out;

static const char *
stub_of(const char *header, const char *account)
{
	const struct stub s = { account, "pop.example.org", 7, 35000000,
		{ { 1 } } };
	size_t n = strlen(header);

	buf_free(&out);
	buf_init(&out, 64 * 1024, false);
	assert_int_equal(
	    stub_make(&out, &s, (struct slice){ guard_copy(0, header, n), n }),
	    E_OK);
	assert_int_equal(buf_put(&out, "", 1), E_OK);
	return buf_data(&out);
}

static void
assert_begins(const char *text, const char *with)
{
	if (strncmp(text, with, strlen(with)) != 0)
		fail_msg("%s does not begin with %s", text, with);
}

static void
fields_stay_or_go(void **state)
{
	const char *s = stub_of("Return-Path: <a@b>\r\nFrom: a@b\n"
				"Content-Type: multipart/mixed;\n boundary=x\n"
				"mime-version: 1.0\nSubject: a\n\tb\n"
				"Message-ID: <1@x>\nReferences: <0@x>\n"
				"\t<00@x>\nReturn-Receipt-To: a@b\n"
				"X-Malote-Size: 1\nno field\n\nFrom: body\n",
	    "casa");

	assert_begins(s, "Return-Path: <a@b>\nFrom: a@b\nSubject: a\n\tb\n"
			 "Message-ID: <stub.");
	assert_non_null(strstr(s, "\nIn-Reply-To: <1@x>\nReferences: <1@x>\n"
				  "X-Malote-Size: 35000000\n"
				  "X-Malote-Number: 7\nMIME-Version: 1.0\n"));
	assert_null(strstr(s, "boundary"));
	assert_null(strstr(s, "00@x"));
	assert_null(strstr(s, "Receipt"));
	assert_null(strstr(s, "body"));
	assert_null(strstr(s, "no field"));
	assert_non_null(strstr(s, "\n\n"));
	assert_non_null(strstr(s, "message of 35"));
	assert_non_null(strstr(s, "pop.example.org"));
	assert_non_null(strstr(s, "\tmalote fetch casa 7\n"));
}

/* What is no Message-ID is not repeated, and none is needed. */
static void
ids_are_looked_at(void **state)
{
	assert_null(strstr(stub_of("Message-ID: <a\n b>\n", "a"), "In-Reply"));
	assert_null(strstr(stub_of("Message-ID: x\n", "a"), "In-Reply"));
	assert_begins(stub_of("", "a"), "Message-ID: <stub.");
	assert_begins(stub_of("\n", "a"), "Message-ID: <stub.");
	assert_begins(stub_of(" x\nTo: a", "a"), "To: a\nMessage-ID: ");
}

/* What a stranger, or a person, writes at length is no reason to have none. */
static void
long_ones_are_borne(void **state)
{
	char header[2000] = "Message-ID: <", account[1024];

	memset(header + 13, 'x', 1500);
	strcpy(header + 1513, ">\nFrom: a\n");
	assert_null(strstr(stub_of(header, "a"), "In-Reply"));
	memset(account, '\'', sizeof(account) - 1);
	account[sizeof(account) - 1] = '\0';
	assert_non_null(strstr(stub_of("", account), "\\''' 7\n"));
}

static void
names_are_words(void **state)
{
	assert_non_null(strstr(stub_of("", "a b"), "fetch 'a b' 7\n"));
	assert_non_null(strstr(stub_of("", "a';rm"), "fetch 'a'\\'';rm' 7\n"));
	assert_non_null(strstr(stub_of("", "a@b"), "fetch a@b 7\n"));
}

static struct identity
identity_of(const char *text)
{
	struct identity_reader *r = identity_reader_new();
	struct identity id;

	identity_reader_add(r, text, strlen(text));
	id = identity_reader_end(r);
	identity_reader_free(r);
	return id;
}

/* It is never taken for the message that it stands for. */
static void
is_another_message(void **state)
{
	static const char *const headers[] = { "Message-ID: <1@x>\nFrom: a\n",
		"From: a\n", "Received: x\n", "" };

	for (size_t i = 0; i < 4; i++) {
		struct identity one = identity_of(headers[i]);
		struct identity other =
		    identity_of(stub_of(headers[i], "casa"));

		assert_false(digest_eq(one.header, other.header));
		assert_true(other.strong);
	}
}

static bool
reads(const char *text, struct stub_said *said)
{
	size_t n = strlen(text);

	return stub_read((struct slice){ guard_copy(0, text, n), n }, said);
}

static void
what_it_says_is_read(void **state)
{
#define ID \
	"Message-ID: " \
	"<stub.aaaaaaaaaaaaaaaa.aeaaaaaaaaaaaaaa@malote.invalid>\n"
#define SIZE "X-Malote-Size: 35000000\n"
	static const char *const none[] = { "", "From: a@b\n\n", ID,
		ID SIZE "\nX-Malote-Number: 7\n", ID "X-Malote-Number: 7\n",
		ID SIZE "X-Malote-Number: 0\n",
		ID SIZE "X-Malote-Number: 4294967296\n",
		ID SIZE "X-Malote-Number: 7 8\n",
		SIZE "X-Malote-Number: 7\nMessage-ID: <1@x>\n",
		SIZE "X-Malote-Number: 7\nMessage-ID: "
		     "<stub.aaaaaaaaaaaaaaaa.aeaaaaaaaaaaaaaa@example.org>\n" };
	struct stub_said said;

	assert_true(
	    reads(stub_of("From: a@b\nMessage-ID: <1@x>\n", "casa"), &said));
	assert_int_equal(said.number, 7);
	assert_true(said.size == 35000000);
	assert_true(digest_eq(said.key, (struct digest){ { 1 } }));
	assert_true(reads(ID SIZE "X-Malote-Number: \t7 \r\n", &said));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(reads(none[i], &said));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_read),
		cmocka_unit_test(fields_stay_or_go),
		cmocka_unit_test(ids_are_looked_at),
		cmocka_unit_test(long_ones_are_borne),
		cmocka_unit_test(names_are_words),
		cmocka_unit_test(is_another_message),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&out);
	return failed;
}

/* What Gmail's API answers, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/deliver/gmail_answer.h"

static struct slice
slice(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* ---- errors ---- */

#define ERROR(reason) \
	"{\"error\":{\"code\":1,\"message\":\"W\\no\\\"\",\"errors\":[{" \
	"\"domain\":\"d\",\"reason\":\"" reason "\"}]}}"

static void
what_follows_from_an_error(void **state)
{
	static const struct {
		unsigned status;
		const char *json;
		enum gmail_meaning meaning;
	} cases[] = {
		{ 400, ERROR("badRequest"), GMAIL_REFUSED },
		{ 400, ERROR("failedPrecondition"), GMAIL_FORBIDDEN },
		{ 401, ERROR("authError"), GMAIL_FORBIDDEN },
		{ 403, ERROR("rateLimitExceeded"), GMAIL_SLOWER },
		{ 403, ERROR("userRateLimitExceeded"), GMAIL_SLOWER },
		{ 403, ERROR("dailyLimitExceeded"), GMAIL_LATER },
		{ 403, ERROR("quotaExceeded"), GMAIL_LATER },
		{ 403, ERROR("domainPolicy"), GMAIL_FORBIDDEN },
		{ 403, ERROR("insufficientPermissions"), GMAIL_FORBIDDEN },
		{ 403, "<html>", GMAIL_FORBIDDEN },
		{ 403, "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}",
		    GMAIL_LATER },
		{ 404, ERROR("notFound"), GMAIL_GONE },
		{ 413, "", GMAIL_REFUSED },
		{ 429, "[]", GMAIL_SLOWER },
		{ 500, ERROR("backendError"), GMAIL_DOUBT },
		{ 503, "{\"error\":7}", GMAIL_DOUBT },
		{ 504, "{\"error\":{\"errors\":{\"reason\":1}}}", GMAIL_DOUBT },
		{ 302, "", GMAIL_LATER },
		{ 408, "", GMAIL_LATER },
	};
	struct gmail_error r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		gmail_error_read(&r, cases[i].status, slice(cases[i].json));
		if (r.meaning != cases[i].meaning)
			fail_msg("%zu: %d", i, r.meaning);
		assert_int_equal(r.status, cases[i].status);
	}
}

static void
words_cannot_end_a_line(void **state)
{
	struct gmail_error r;

	gmail_error_read(&r, 400, slice(ERROR("bad\\u0007Request")));
	assert_string_equal(r.words, "W\\x0ao\\x22");
	assert_string_equal(r.reason, "bad\\x07Request");
}

/* ---- one thing ---- */

static void
an_id_can_stand_in_a_url(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{}", "{\"id\":1}",
		"{\"id\":\"\"}", "{\"id\":\"a/b\"}", "{\"id\":\"..\"}",
		"{\"id\":\"a\\u0000\"}",
		("{\"id\":\"0123456789012345678901234567890123456789"
		 "012345678901234567890123\"}") };
	char id[GMAIL_ID];

	assert_int_equal(
	    gmail_id_read(id, slice("{\"id\":\"18c-_A\",\"x\":[]}")), E_OK);
	assert_string_equal(id, "18c-_A");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(gmail_id_read(id, slice(bad[i])), E_FORMAT);
}

static void
a_history_is_a_number(void **state)
{
	static const char *const bad[] = { "{\"historyId\":5}",
		"{\"historyId\":\"0\"}", "{\"historyId\":\"-1\"}",
		"{\"historyId\":\"9223372036854775808\"}", "{}", "null" };
	uint64_t n;

	assert_int_equal(
	    gmail_profile_read(&n, slice("{\"historyId\":\"4711\"}")), E_OK);
	assert_int_equal(n, 4711);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    gmail_profile_read(&n, slice(bad[i])), E_FORMAT);
}

static void
a_label_is_found_by_its_name(void **state)
{
	const char *json = "{\"labels\":[{\"id\":\"INBOX\"},{\"id\":\"L1\","
			   "\"name\":\"Lists\"},{\"name\":\"bad\"}]}";
	char id[GMAIL_ID];

	assert_int_equal(gmail_label_read(id, "lists", slice(json)), E_OK);
	assert_string_equal(id, "L1");
	assert_int_equal(gmail_label_read(id, "x", slice(json)), E_NOENT);
	assert_int_equal(gmail_label_read(id, "bad", slice(json)), E_FORMAT);
	assert_int_equal(gmail_label_read(id, "x", slice("{}")), E_NOENT);
	assert_int_equal(gmail_label_read(id, "x", slice("[")), E_FORMAT);
}

/* ---- lists ---- */

static void
pages_are_added(void **state)
{
	struct api_ids ids = { .n = 0 };
	char page[GMAIL_PAGE];

	assert_int_equal(
	    gmail_list_read(&ids, page,
		slice("{\"messages\":[{\"id\":\"a\"},{\"id\":\"b\"}],"
		      "\"nextPageToken\":\"p\"}")),
	    E_OK);
	assert_string_equal(page, "p");
	assert_int_equal(gmail_history_read(&ids, page,
			     slice("{\"historyId\":\"9\",\"history\":[{},"
				   "{\"messagesAdded\":[{\"message\":{\"id\":"
				   "\"b\"}},{\"message\":{\"id\":\"c\"}}]}]}")),
	    E_OK);
	assert_string_equal(page, "");
	assert_int_equal(ids.n, 3);
	assert_true(api_ids_has(&ids, "c") && !api_ids_has(&ids, "d"));
	assert_int_equal(gmail_list_read(&ids, page, slice("{}")), E_OK);
	api_ids_free(&ids);
}

/* An empty answer is not one that says that there is nothing. */
static void
what_is_no_list_is_none(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"history\":[]}",
		"{\"historyId\":\"9\",\"history\":{}}",
		"{\"historyId\":\"9\",\"history\":[7]}",
		"{\"historyId\":\"9\",\"history\":[{\"messagesAdded\":7}]}",
		"{\"historyId\":\"9\",\"history\":[{\"messagesAdded\":[{}]}]}",
		"{\"historyId\":\"9\",\"nextPageToken\":7}",
		"{\"historyId\":\"9\",\"nextPageToken\":\"a\\u0000b\"}" };
	struct api_ids ids = { .n = 0 };
	char page[GMAIL_PAGE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (gmail_history_read(&ids, page, slice(bad[i])) != E_FORMAT)
			fail_msg("%s", bad[i]);
	assert_int_equal(gmail_list_read(&ids, page,
			     slice("{\"messages\":[{\"id\":\"/\"}]}")),
	    E_FORMAT);
	api_ids_free(&ids);
}

/* ---- a message ---- */

static void
the_first_message_id_counts(void **state)
{
	char id[GMAIL_MESSAGE_ID];

	assert_int_equal(
	    gmail_message_id_read(id,
		slice("{\"payload\":{\"headers\":[{\"name\":\"X\",\"value\":"
		      "\"x\"},{\"name\":\"Message-Id\",\"value\":\"<a@b>\"},"
		      "{\"name\":\"Message-ID\",\"value\":\"<c@d>\"}]}}")),
	    E_OK);
	assert_string_equal(id, "<a@b>");
	assert_int_equal(
	    gmail_message_id_read(id, slice("{\"payload\":[]}")), E_OK);
	assert_string_equal(id, "");
	assert_int_equal(gmail_message_id_read(id, slice("7")), E_FORMAT);
}

static void
octets_are_decoded(void **state)
{
	static const struct {
		const char *json;
		size_t n;
		const char *octets;
	} good[] = {
		{ "{\"raw\":\"\"}", 0, "" },
		{ "{\"raw\":\"-_8\"}", 2, "\xfb\xff" },
		{ "{\"raw\":\"-_8=\"}", 2, "\xfb\xff" },
		{ "{\"raw\":\"QQ\"}", 1, "A" },
		{ "{\"raw\":\"QUJD\"}", 3, "ABC" },
	};
	static const char *const bad[] = { "{}", "{\"raw\":1}",
		"{\"raw\":\"A\"}", "{\"raw\":\"QQ\\n=\"}", "{\"raw\":\"QR\"}",
		"{\"raw\":\"===\"}" };
	char *octets = NULL;
	size_t n;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(
		    gmail_raw_read(&octets, &n, slice(good[i].json)), E_OK);
		assert_int_equal(n, good[i].n);
		assert_memory_equal(octets, good[i].octets, n);
		free(octets);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    gmail_raw_read(&octets, &n, slice(bad[i])), E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_from_an_error),
		cmocka_unit_test(words_cannot_end_a_line),
		cmocka_unit_test(an_id_can_stand_in_a_url),
		cmocka_unit_test(a_history_is_a_number),
		cmocka_unit_test(a_label_is_found_by_its_name),
		cmocka_unit_test(pages_are_added),
		cmocka_unit_test(what_is_no_list_is_none),
		cmocka_unit_test(the_first_message_id_counts),
		cmocka_unit_test(octets_are_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

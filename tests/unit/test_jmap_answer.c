/* What a JMAP server answers, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/deliver/jmap_answer.h"

#define HERE "https://h:8443/a/jmap"

static struct jmap_error r;

static struct slice
slice(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* One answer to one call. */
#define SAID(method, args) \
	"{\"methodResponses\":[[\"" method "\"," args ",\"c\"]]}"

/* ---- errors ---- */

static void
what_follows_from_an_error(void **state)
{
	static const struct {
		unsigned status;
		const char *json;
		enum jmap_meaning meaning;
	} cases[] = {
		{ 400, "{\"type\":\"urn:ietf:params:jmap:error:limit\"}",
		    JMAP_SLOWER },
		{ 400,
		    "{\"type\":\"urn:ietf:params:jmap:error:limit\","
		    "\"limit\":\"maxSizeUpload\"}",
		    JMAP_REFUSED },
		{ 400, "{\"type\":\"urn:ietf:params:jmap:error:notJSON\"}",
		    JMAP_FORBIDDEN },
		{ 401, "", JMAP_FORBIDDEN },
		{ 404, "{\"type\":\"about:blank\"}", JMAP_FORBIDDEN },
		{ 413, "<html>", JMAP_REFUSED },
		{ 429, "[]", JMAP_SLOWER },
		{ 302, "", JMAP_LATER },
		{ 500, "{\"type\":7}", JMAP_DOUBT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		jmap_error_read(&r, cases[i].status, slice(cases[i].json));
		if (r.meaning != cases[i].meaning)
			fail_msg("%zu: %d", i, r.meaning);
		assert_true(r.words[0] != '\0');
	}
}

static void
an_error_of_a_call(void **state)
{
	static const struct {
		const char *type;
		enum jmap_meaning meaning;
	} cases[] = {
		{ "serverUnavailable", JMAP_LATER },
		{ "serverFail", JMAP_DOUBT },
		{ "serverPartialFail", JMAP_DOUBT },
		{ "cannotCalculateChanges", JMAP_GONE },
		{ "accountReadOnly", JMAP_FORBIDDEN },
		{ "rateLimit", JMAP_SLOWER },
		{ "what\\nis this", JMAP_LATER },
	};
	char json[256], state_of[JMAP_STATE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(json, sizeof(json), SAID("error", "{\"type\":\"%s\"}"),
		    cases[i].type);
		assert_int_equal(
		    jmap_state_read(state_of, &r, slice(json)), E_DENIED);
		assert_int_equal(r.meaning, cases[i].meaning);
		assert_null(strchr(r.words, '\n'));
	}
}

/* ---- the session ---- */

#define SESSION(more) \
	"{\"apiUrl\":\"/api\",\"uploadUrl\":\"https://x/u/{accountId}\"," \
	"\"downloadUrl\":\"/d/{accountId}/{blobId}\"" more "}"
#define MAIL "\"urn:ietf:params:jmap:mail\":\"A-1\""

static void
a_session_is_taken(void **state)
{
	struct jmap_session s;
	char url[JMAP_URL];

	assert_int_equal(
	    jmap_session_read(&s, HERE,
		slice(SESSION(",\"primaryAccounts\":{" MAIL "},"
			      "\"accounts\":{\"A-1\":{}},\"capabilities\":{"
			      "\"urn:ietf:params:jmap:core\":{"
			      "\"maxSizeUpload\":5,\"maxObjectsInSet\":0}}"))),
	    E_OK);
	assert_string_equal(s.account, "A-1");
	assert_string_equal(s.api, "https://h:8443/api");
	assert_int_equal(s.max_upload, 5);
	assert_true(s.max_objects > 1000);
	assert_true(jmap_url(url, s.upload, s.account, ""));
	assert_string_equal(url, "https://x/u/A-1");
	assert_true(jmap_url(url, s.download, s.account, "b"));
	assert_string_equal(url, "https://h:8443/d/A-1/b");
}

static void
a_session_without_mail_is_none(void **state)
{
	static const struct {
		const char *json;
		enum err e;
	} cases[] = {
		{ SESSION(""), E_NOENT },
		{ SESSION(",\"primaryAccounts\":{" MAIL "},\"accounts\":{"
			  "\"A-1\":{\"isReadOnly\":true}}"),
		    E_NOENT },
		{ SESSION(",\"primaryAccounts\":{\"urn:ietf:params:jmap:mail\":"
			  "\"../x\"}"),
		    E_FORMAT },
		{ "{}", E_FORMAT },
		{ "[]", E_FORMAT },
		{ "{\"apiUrl\":\"//x\"}", E_FORMAT },
		{ "{\"apiUrl\":\"http://x\"}", E_FORMAT },
	};
	struct jmap_session s;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
		    jmap_session_read(&s, HERE, slice(cases[i].json)),
		    cases[i].e);
}

static void
a_template_is_bounded(void **state)
{
	char long_one[JMAP_URL + 10], url[JMAP_URL];

	memset(long_one, 'a', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	assert_false(jmap_url(url, long_one, "", ""));
	memcpy(long_one + JMAP_URL - 20, "{blobId}", 9);
	assert_false(jmap_url(url, long_one, "", "0123456789012345678901"));
	assert_true(jmap_url(url, "{type}{x}", "", ""));
	assert_string_equal(url, "application%2Foctet-stream{x}");
}

/* ---- mailboxes ---- */

static void
a_mailbox_is_found_by_its_path(void **state)
{
	const char *json = SAID("Mailbox/get",
	    "{\"list\":[{\"id\":\"1\",\"name\":\"Eingang\",\"role\":\"inbox\"},"
	    "{\"id\":\"2\",\"name\":\"a\",\"parentId\":null},"
	    "{\"id\":\"3\",\"name\":\"b\",\"parentId\":\"2\"},"
	    "{\"id\":\"4\",\"name\":\"c\",\"parentId\":\"4\"},"
	    "{\"id\":\"5\",\"name\":\"d\",\"parentId\":\"9\"},"
	    "{\"id\":\"6\"}]}");
	char id[JMAP_ID];

	assert_int_equal(jmap_mailbox_read(id, "inbox", &r, slice(json)), E_OK);
	assert_string_equal(id, "1");
	assert_int_equal(jmap_mailbox_read(id, "a/b", &r, slice(json)), E_OK);
	assert_string_equal(id, "3");
	assert_int_equal(jmap_mailbox_read(id, "b", &r, slice(json)), E_NOENT);
	assert_int_equal(
	    jmap_mailbox_read(id, "c/c/c", &r, slice(json)), E_NOENT);
	assert_int_equal(jmap_mailbox_read(id, "d", &r, slice(json)), E_NOENT);
	assert_int_equal(jmap_mailbox_read(id, "d", &r, slice("{}")), E_FORMAT);
}

/* ---- messages ---- */

static void
each_of_a_call_has_its_answer(void **state)
{
	const char *json = SAID("Email/import",
	    "{\"created\":{\"m0\":{\"id\":\"x\"},\"m5\":{\"id\":\"/\"}},"
	    "\"notCreated\":{\"m1\":{\"type\":\"alreadyExists\",\"existingId\":"
	    "\"y\"},\"m2\":{\"type\":\"overQuota\"},\"m3\":{\"type\":"
	    "\"invalidEmail\",\"description\":\"W\"},\"m4\":{\"type\":"
	    "\"invalidProperties\",\"properties\":[\"mailboxIds/x\"]}}}");
	char id[JMAP_ID];

	assert_int_equal(jmap_import_read(id, 0, &r, slice(json)), E_OK);
	assert_string_equal(id, "x");
	assert_int_equal(jmap_import_read(id, 1, &r, slice(json)), E_DENIED);
	assert_int_equal(r.meaning, JMAP_EXISTS);
	assert_string_equal(r.id, "y");
	assert_int_equal(jmap_import_read(id, 2, &r, slice(json)), E_DENIED);
	assert_int_equal(r.meaning, JMAP_FULL);
	assert_int_equal(jmap_import_read(id, 3, &r, slice(json)), E_DENIED);
	assert_int_equal(r.meaning, JMAP_REFUSED);
	assert_string_equal(r.words, "W");
	assert_int_equal(jmap_import_read(id, 4, &r, slice(json)), E_DENIED);
	assert_int_equal(r.meaning, JMAP_LATER);
	/* Nothing that is understood. */
	assert_int_equal(jmap_import_read(id, 5, &r, slice(json)), E_FORMAT);
	assert_int_equal(jmap_import_read(id, 6, &r, slice(json)), E_FORMAT);
	assert_int_equal(jmap_import_read(id, 0, &r, slice("")), E_FORMAT);
}

static void
changes_are_whole_or_none(void **state)
{
	static const char *const bad[] = { "{}", "{\"created\":[]}",
		"{\"created\":[],\"newState\":\"s\"}",
		"{\"created\":[1],\"newState\":\"s\",\"hasMoreChanges\":false}",
		("{\"created\":[\"a b\"],\"newState\":\"s\","
		 "\"hasMoreChanges\":false}") };
	struct api_ids ids = { .n = 0 };
	char now[JMAP_STATE], json[256];
	bool more;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(
		    json, sizeof(json), SAID("Email/changes", "%s"), bad[i]);
		assert_int_equal(
		    jmap_changes_read(&ids, now, &more, &r, slice(json)),
		    E_FORMAT);
	}
	assert_int_equal(
	    jmap_changes_read(&ids, now, &more, &r,
		slice(SAID("Email/changes",
		    "{\"created\":[\"a\",\"b\",\"a\"],\"newState\":\"s2\","
		    "\"hasMoreChanges\":true}"))),
	    E_OK);
	assert_int_equal(ids.n, 2);
	assert_true(more);
	assert_string_equal(now, "s2");
	assert_int_equal(jmap_query_read(&ids, &r,
			     slice(SAID("Email/query", "{\"ids\":[\"c\"]}"))),
	    E_OK);
	assert_true(api_ids_has(&ids, "c"));
	api_ids_free(&ids);
}

static void
an_email_may_have_gone(void **state)
{
	struct jmap_email m;

	assert_int_equal(
	    jmap_email_read(&m, &r,
		slice(SAID("Email/get",
		    "{\"list\":[{\"blobId\":\"b\",\"size\":7,\"messageId\":"
		    "[\"a@b\"]}]}"))),
	    E_OK);
	assert_int_equal(m.size, 7);
	assert_string_equal(m.message_id, "a@b");
	assert_int_equal(
	    jmap_email_read(&m, &r,
		slice(SAID("Email/get", "{\"list\":[],\"notFound\":[1]}"))),
	    E_NOENT);
	assert_int_equal(
	    jmap_email_read(&m, &r, slice(SAID("Email/get", "{}"))), E_FORMAT);
	assert_int_equal(
	    jmap_email_read(&m, &r, slice(SAID("Email/set", "{}"))), E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_from_an_error),
		cmocka_unit_test(an_error_of_a_call),
		cmocka_unit_test(a_session_is_taken),
		cmocka_unit_test(a_session_without_mail_is_none),
		cmocka_unit_test(a_template_is_bounded),
		cmocka_unit_test(a_mailbox_is_found_by_its_path),
		cmocka_unit_test(each_of_a_call_has_its_answer),
		cmocka_unit_test(changes_are_whole_or_none),
		cmocka_unit_test(an_email_may_have_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

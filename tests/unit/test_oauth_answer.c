/* What an authorisation server answers, right and wrong; what is kept of it; the
 * forms that are sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/oauth/answer.h"
#include "client/oauth/tokens.h"
#include "client/web/form.h"

static struct errbuf eb;
static struct oauth_refusal refusal;
static struct oauth_grant grant;
static struct oauth_device device;

static struct slice
slice(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* ---- grants ---- */

static void
take(const char *json, enum err e)
{
	oauth_grant_clear(&grant);
	eb.text[0] = '\0';
	if (oauth_answer_grant(&grant, &refusal, slice(json), &eb) != e)
		fail_msg("%s: %s", json, eb.text);
	assert_true((e == E_OK) == (grant.access != NULL));
}

static void
refuse(const char *json, const char *words)
{
	take(json, E_FORMAT);
	if (strstr(eb.text, words) == NULL)
		fail_msg("%s: %s", json, eb.text);
}

static void
a_grant_is_taken(void **state)
{
	take("{\"access_token\":\"a\",\"token_type\":\"bearer\","
	     "\"expires_in\":3599,\"refresh_token\":\"r\",\"more\":[1]}",
	    E_OK);
	assert_string_equal(grant.access, "a");
	assert_string_equal(grant.refresh, "r");
	assert_int_equal(grant.seconds, 3599);
	take("{\"access_token\":\"a\"}", E_OK);
	assert_null(grant.refresh);
	assert_int_equal(grant.seconds, 0);
	take("{\"access_token\":\"a\",\"refresh_token\":null}", E_OK);
	assert_null(grant.refresh);
	take("{\"access_token\":\"a\",\"refresh_token\":\"\"}", E_OK);
	assert_null(grant.refresh);
}

static void
seconds_are_a_number_of_some_form(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = { { "\"3600\"", 3600 }, { "12.9", 12 }, { "-5", 0 },
		{ "\"soon\"", 0 }, { "true", 0 },
		{ "9223372036854775807", 365 * 24 * 3600 },
		{ "1e300", 365 * 24 * 3600 } };
	char json[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(json, sizeof(json),
		    "{\"access_token\":\"a\",\"expires_in\":%s}",
		    cases[i].text);
		take(json, E_OK);
		assert_int_equal(grant.seconds, cases[i].seconds);
	}
}

static void
what_is_no_grant_is_refused(void **state)
{
	char *json;

	refuse("", "no JSON object");
	refuse("<html>", "no JSON object");
	refuse("[]", "no JSON object");
	refuse("{\"access_token\":\"a\"} more", "no JSON object");
	refuse("{\"access_token\":\"a\",\"access_token\":\"b\"}",
	    "no JSON object");
	refuse("{}", "it has no \"access_token\"");
	refuse("{\"access_token\":\"\"}", "it has no \"access_token\"");
	refuse("{\"access_token\":5}", "its \"access_token\" is not");
	refuse("{\"access_token\":\"a b\"}", "its \"access_token\" is not");
	refuse("{\"access_token\":\"a\\r\\nDELE 1\"}",
	    "its \"access_token\" is not");
	refuse("{\"access_token\":\"a\\u0000b\"}", "no JSON object");
	refuse("{\"access_token\":\"\u00e1\"}", "its \"access_token\" is not");
	refuse("{\"access_token\":\"a\",\"refresh_token\":\"a\\nb\"}",
	    "its \"refresh_token\" is not");
	refuse("{\"access_token\":\"a\",\"token_type\":\"mac\"}",
	    "not one of a bearer");
	assert_true(asprintf(&json, "{\"access_token\":\"%0*d\"}",
			OAUTH_TOKEN_MAX + 1, 0) > 0);
	refuse(json, "its \"access_token\" is not");
	free(json);
}

static void
a_refusal_is_quoted(void **state)
{
	take(
	    "{\"error\":\"invalid_grant\",\"error_description\":\"It is \\u001b"
	    "[31m \\\"gone\\\"\",\"access_token\":\"a\"}",
	    E_DENIED);
	assert_string_equal(refusal.code, "invalid_grant");
	assert_string_equal(refusal.words, "It is \\x1b[31m \\x22gone\\x22");
	take("{\"error\":\"slow_down\",\"error_description\":7}", E_DENIED);
	assert_string_equal(refusal.code, "slow_down");
	assert_string_equal(refusal.words, "");
}

/* ---- devices ---- */

static void
take_device(const char *json, enum err e)
{
	oauth_device_clear(&device);
	if (oauth_answer_device(&device, &refusal, slice(json), &eb) != e)
		fail_msg("%s: %s", json, eb.text);
}

static void
a_device_code_is_taken(void **state)
{
	take_device("{\"device_code\":\"d\",\"user_code\":\"AB-CD\","
		    "\"verification_uri\":\"https://a/\",\"expires_in\":900,"
		    "\"interval\":7}",
	    E_OK);
	assert_string_equal(device.code, "d");
	assert_string_equal(device.user_code, "AB-CD");
	assert_string_equal(device.uri, "https://a/");
	assert_int_equal(device.seconds, 900);
	assert_int_equal(device.interval, 7);
	take_device("{\"device_code\":\"d\",\"user_code\":\"AB\","
		    "\"verification_url\":\"https://b/\"}",
	    E_OK);
	assert_string_equal(device.uri, "https://b/");
	assert_int_equal(device.interval, 5);
	take_device("{\"device_code\":\"d\",\"user_code\":\"AB\","
		    "\"verification_uri\":\"https://b/\",\"interval\":99999}",
	    E_OK);
	assert_int_equal(device.interval, 60);
	take_device("{\"error\":\"unauthorized_client\"}", E_DENIED);
	take_device("{\"device_code\":\"d\",\"user_code\":\"AB\"}", E_FORMAT);
	take_device("{\"device_code\":\"d\",\"user_code\":\"\\u001b[2J\","
		    "\"verification_uri\":\"https://b/\"}",
	    E_FORMAT);
}

/* ---- what is kept ---- */

static void
tokens_are_read_as_they_were_written(void **state)
{
	struct oauth_tokens t = { NULL, NULL, 0 };
	struct buf b;

	take("{\"access_token\":\"a1\",\"refresh_token\":\"r1\","
	     "\"expires_in\":100}",
	    E_OK);
	oauth_tokens_take(&t, &grant, 1000);
	take("{\"access_token\":\"a2\",\"expires_in\":200}", E_OK);
	oauth_tokens_take(&t, &grant, 1000);
	buf_init(&b, TOKENS_TEXT_MAX, true);
	assert_int_equal(oauth_tokens_write(&t, &b), E_OK);
	oauth_tokens_clear(&t);
	assert_int_equal(
	    oauth_tokens_parse(&t, (struct slice){ buf_data(&b), b.len }),
	    E_OK);
	assert_string_equal(t.access, "a2");
	assert_string_equal(t.refresh, "r1");
	assert_int_equal(t.expires, 1200);
	oauth_tokens_clear(&t);
	buf_free(&b);
}

static void
other_texts_are_no_tokens(void **state)
{
	static const char *const texts[] = { "", "1\na\n", "1\na\nb",
		"x\na\nb\n", "1\na b\nc\n", "1\na\nb\nc\n", "-1\na\nb\n",
		"99999999999999999999\na\nb\n", "1\na\r\nb\n" };
	struct oauth_tokens t;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(
		    oauth_tokens_parse(&t, slice(texts[i])), E_FORMAT);
	assert_int_equal(oauth_tokens_parse(&t, slice("0\n\n\n")), E_OK);
	assert_null(t.access);
	assert_null(t.refresh);
}

static void
tokens_that_end_soon_are_not_fresh(void **state)
{
	struct oauth_tokens t = { NULL, NULL, 0 };

	assert_false(oauth_tokens_are_fresh(&t, 0));
	t.access = (char *)"a";
	assert_true(oauth_tokens_are_fresh(&t, 1 << 30)); /* who knows */
	t.expires = 1000;
	assert_true(oauth_tokens_are_fresh(&t, 939));
	assert_false(oauth_tokens_are_fresh(&t, 940));
	assert_false(oauth_tokens_are_fresh(&t, 2000));
}

/* ---- forms ---- */

static void
forms_are_coded(void **state)
{
	struct buf b;

	buf_init(&b, 200, false);
	assert_int_equal(form_put(&b, "a", "x y&z=\u00e9/~"), E_OK);
	assert_int_equal(form_put(&b, "b", NULL), E_OK);
	assert_int_equal(form_put(&b, "c", ""), E_OK);
	assert_int_equal(buf_put(&b, "", 1), E_OK);
	assert_string_equal(buf_data(&b), "a=x%20y%26z%3D%C3%A9%2F~&c=");
	buf_free(&b);
	assert_int_equal(buf_put(&b, "https://a/?", 11), E_OK);
	assert_int_equal(form_put(&b, "a", "b"), E_OK);
	assert_int_equal(buf_put(&b, "", 1), E_OK);
	assert_string_equal(buf_data(&b), "https://a/?a=b");
	buf_free(&b);
}

static void
get(const char *form, const char *name, enum err e, const char *value)
{
	struct buf b;

	buf_init(&b, 8, false);
	if (form_get(slice(form), name, &b) != e)
		fail_msg("%s", form);
	if (e == E_OK)
		assert_memory_equal(
		    b.len != 0 ? buf_data(&b) : "", value, strlen(value));
	if (e == E_OK)
		assert_int_equal(b.len, strlen(value));
	buf_free(&b);
}

static void
forms_are_read(void **state)
{
	get("a=b&code=4%2F0A+b&c=d", "code", E_OK, "4/0A b");
	get("code=&c=d", "code", E_OK, "");
	get("xcode=1&code=2", "code", E_OK, "2");
	get("code", "code", E_NOENT, "");
	get("", "code", E_NOENT, "");
	get("code=%", "code", E_FORMAT, "");
	get("code=%2", "code", E_FORMAT, "");
	get("code=%0a", "code", E_FORMAT, "");
	get("code=%00", "code", E_FORMAT, "");
	get("code=123456789", "code", E_FULL, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_grant_is_taken),
		cmocka_unit_test(seconds_are_a_number_of_some_form),
		cmocka_unit_test(what_is_no_grant_is_refused),
		cmocka_unit_test(a_refusal_is_quoted),
		cmocka_unit_test(a_device_code_is_taken),
		cmocka_unit_test(tokens_are_read_as_they_were_written),
		cmocka_unit_test(other_texts_are_no_tokens),
		cmocka_unit_test(tokens_that_end_soon_are_not_fresh),
		cmocka_unit_test(forms_are_coded),
		cmocka_unit_test(forms_are_read),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	oauth_grant_clear(&grant);
	oauth_device_clear(&device);
	return failed;
}

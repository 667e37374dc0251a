/* What a browser comes back with, and what a person pastes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/oauth/redirect.h"

static struct buf code;
static struct oauth_refusal refusal;

static struct slice
slice(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static enum redirect
request(const char *text)
{
	return redirect_of_request(slice(text), "/", "s1", &code, &refusal);
}

static void
expect_code(enum redirect said, const char *wanted)
{
	assert_int_equal(said, REDIRECT_CODE);
	assert_int_equal(code.len, strlen(wanted));
	assert_memory_equal(buf_data(&code), wanted, code.len);
}

#define END " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void
a_code_is_taken(void **state)
{
	expect_code(request("GET /?code=4%2F0Ab&state=s1" END), "4/0Ab");
	expect_code(request("GET /?state=s1&iss=x&code=a+b" END), "a b");
}

static void
a_request_comes_in_pieces(void **state)
{
	static const char whole[] = "GET /?code=a&state=s1" END;

	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_int_equal(redirect_of_request((struct slice){ whole, n },
				     "/", "s1", &code, &refusal),
		    REDIRECT_MORE);
	expect_code(request(whole), "a");
}

static void
another_state_is_foreign(void **state)
{
	static const char *const queries[] = { "code=a",
		"code=a&state=", "code=a&state=s", "code=a&state=s11",
		"code=a&state=s2", "code=a&state=%731x", "error=x&state=s2",
		"" };
	char text[128];

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		snprintf(text, sizeof(text), "GET /?%s" END, queries[i]);
		assert_int_equal(request(text), REDIRECT_FOREIGN);
	}
}

static void
a_refusal_is_quoted(void **state)
{
	assert_int_equal(
	    request("GET /?error=access_denied&"
		    "error_description=It+is+%22no%22&state=s1" END),
	    REDIRECT_REFUSED);
	assert_string_equal(refusal.code, "access_denied");
	assert_string_equal(refusal.words, "It is \\x22no\\x22");
	assert_int_equal(
	    request("GET /?error=x&code=a&state=s1" END), REDIRECT_REFUSED);
	assert_string_equal(refusal.words, "");
}

static void
all_else_is_nothing(void **state)
{
	static const char *const texts[] = { "GET /" END,
		"GET /favicon.ico" END, "GET /x?code=a&state=s1" END,
		"POST /?code=a&state=s1" END, "GET /?state=s1" END,
		"GET /?code=&state=s1" END, "GET /?code=%0a&state=s1" END,
		"\r\n\r\n", "GET\r\n\r\n" };
	static char endless[REDIRECT_MAX + 1];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(request(texts[i]), REDIRECT_OTHER);
	memset(endless, 'x', REDIRECT_MAX);
	assert_int_equal(request(endless), REDIRECT_OTHER);
}

static void
an_address_is_pasted(void **state)
{
	static const char *const good[] = {
		"http://127.0.0.1:1/?code=a&state=s1",
		"  http://localhost:1/?state=s1&code=a \r",
		"http://localhost:1/?code=a&state=s1#_=_",
		"?code=a&state=s1",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		expect_code(
		    redirect_of_address(slice(good[i]), "s1", &code, &refusal),
		    "a");
	assert_int_equal(
	    redirect_of_address(slice("a code"), "s1", &code, &refusal),
	    REDIRECT_OTHER);
	assert_int_equal(redirect_of_address(slice("http://x/?code=a&state=s2"),
			     "s1", &code, &refusal),
	    REDIRECT_FOREIGN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_code_is_taken),
		cmocka_unit_test(a_request_comes_in_pieces),
		cmocka_unit_test(another_state_is_foreign),
		cmocka_unit_test(a_refusal_is_quoted),
		cmocka_unit_test(all_else_is_nothing),
		cmocka_unit_test(an_address_is_pasted),
	};
	int failed;

	buf_init(&code, REDIRECT_MAX, true);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_free(&code);
	return failed;
}

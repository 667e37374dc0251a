/*
 * What a proxy says of its client by XCLIENT: S-XCLIENT-01, 05.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "net/addr.h"
#include "net/xclient.h"

static struct xclient x;

static bool
parse(const char *text)
{
	size_t n = strlen(text);

	return xclient_parse(&x, (struct slice){ guard_copy(0, text, n), n });
}

static void
test_all(void **state)
{
	char text[ADDR_TEXT];

	assert_true(parse("ADDR=192.0.2.7 PORT=65535 SESSION=a=b+/ TTL=0 "
			  "FORWARD=QUJD"));
	assert_string_equal(addr_text(text, &x.client), "192.0.2.7");
	assert_int_equal(x.port, 65535);
	assert_true(slice_eq(x.session, "a=b+/"));
	assert_int_equal(x.ttl, 0);
	assert_true(parse("  ttl=5  addr=2001:db8::7 "));
	assert_string_equal(addr_text(text, &x.client), "2001:db8::7");
	assert_int_equal(x.ttl, 5);
}

static void
test_nothing(void **state)
{
	assert_true(parse("SESSION= OTHER=1 OTHER=2"));
	assert_int_equal(x.client.ss_family, AF_UNSPEC);
	assert_int_equal(x.ttl, UINT32_MAX);
	assert_int_equal(x.session.n, 0);
}

static void
test_wrong(void **state)
{
	static const char *const wrong[] = { "ADDR", "=1", "ADDR=", "ADDR=host",
		"ADDR=192.0.2.256", "ADDR=[192.0.2.1]", "ADDR=fe80::1%lo",
		"PORT=65536", "PORT=-1", "PORT=", "TTL=x", "TTL=4294967295",
		"TTL=4294967296", "ADDR=192.0.2.1 ADDR=192.0.2.2",
		"TTL=1 ttl=1",
		("SESSION=12345678901234567890123456789012345678901234567890"
		 "123456789012345") };
	char nul[] = "ADDR=192.0.2.1\0";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (parse(wrong[i]))
			fail_msg("\"%s\" was taken", wrong[i]);
	assert_false(xclient_parse(&x, (struct slice){ nul, sizeof(nul) - 1 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

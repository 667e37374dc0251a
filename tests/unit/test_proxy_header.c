/*
 * What a proxy says of its client, cut anywhere, and that what it may not say is
 * refused: S-PROXY-01 to 05.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "net/addr.h"
#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define ADDRESSES "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x00\x6e"
#define SSL       "\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
#define OF(text)  (text), sizeof(text) - 1

static struct proxy_header header;
static size_t used;

static enum proxy_result
read_all(const char *p, size_t n)
{
	return proxy_header_read(&header, guard_copy(0, p, n), n, &used);
}

/* Every piece of it only says that it goes on, and nothing behind it matters. */
static void
assert_read(const char *p, size_t n)
{
	char more[2 * PROXY_HEADER_MAX] = { 0 };

	for (size_t part = 0; part < n; part++)
		assert_int_equal(read_all(p, part), PROXY_MORE);
	memcpy(more, p, n);
	memset(more + n, '\n', 9);
	assert_int_equal(read_all(more, n + 9), PROXY_READ);
	assert_int_equal(used, n);
	assert_int_equal(read_all(p, n), PROXY_READ);
	assert_int_equal(used, n);
}

static void
assert_client(const char *address, unsigned port)
{
	const struct sockaddr_in *in4 = (const void *)&header.client;
	const struct sockaddr_in6 *in6 = (const void *)&header.client;
	char text[ADDR_TEXT];

	assert_string_equal(addr_text(text, &header.client), address);
	assert_int_equal(
	    ntohs(header.client.ss_family == AF_INET ? in4->sin_port
						     : in6->sin6_port),
	    port);
	assert_false(header.local);
}

static void
assert_nobody(void)
{
	assert_int_equal(header.client.ss_family, AF_UNSPEC);
}

static void
assert_bad(const char *p, size_t n, const char *why)
{
	assert_int_equal(read_all(p, n), PROXY_BAD);
	assert_string_equal(header.why, why);
}

static void
test_line(void **state)
{
	assert_read(OF("PROXY TCP4 192.0.2.1 198.51.100.2 56324 110\r\n"));
	assert_client("192.0.2.1", 56324);
	assert_read(OF("PROXY TCP4 255.255.255.255 255.255.255.255 65535 "
		       "65535\r\n"));
	assert_read(OF("PROXY TCP6 2001:db8::1 2001:db8::2 0 110\r\n"));
	assert_client("2001:db8::1", 0);
	assert_read(OF("PROXY UNKNOWN\r\n"));
	assert_nobody();
	assert_read(OF("PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n"));
	assert_nobody();
	assert_false(header.local);
}

/* The longest that there may be has 107 octets. */
static void
test_line_ends(void **state)
{
	char line[] = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"
		      "...";

	assert_int_equal(strlen(line), 107 + 3);
	assert_read(line, 107);
	memcpy(line + 105, ".\r\n", 3);
	assert_bad(line, 107, "proxy-too-long");
	assert_bad(line, 108, "proxy-too-long");
}

static void
test_bad_lines(void **state)
{
	static const char *const bad[][2] = {
		{ "USER ann\r\n", "proxy-header-missing" },
		{ "PRoxy UNKNOWN\r\n", "proxy-header-missing" },
		{ "\r\n\r\nCAPA", "proxy-header-missing" },
		{ "PROXY UNKNOWN\n", "proxy-line" },
		{ "PROXY \n", "proxy-line" },
		{ "PROXY \r\n", "proxy-family" },
		{ "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "proxy-family" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "proxy-address" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "proxy-address" },
		{ "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "proxy-address" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		    "proxy-address" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "proxy-address" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "proxy-address" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", "proxy-address" },
		{ "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", "proxy-address" },
		{ "PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", "proxy-address" },
		{ "PROXY TCP6 192.0.2.1 2001:db8::1 1 2\r\n", "proxy-address" },
		{ "PROXY TCP6 ::%lo ::1 1 2\r\n", "proxy-address" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_bad(bad[i][0], strlen(bad[i][0]), bad[i][1]);
	assert_bad(
	    OF("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), "proxy-address");
}

static void
test_octets(void **state)
{
	char unix_stream[16 + 216] = SIGNATURE "\x21\x31\x00\xd8/run/a";

	assert_read(OF(SIGNATURE "\x21\x11\x00\x0c" ADDRESSES));
	assert_client("192.0.2.1", 56324);
	assert_int_equal(header.tls, PROXY_TLS_UNSAID);
	assert_read(OF(SIGNATURE "\x21\x21\x00\x24"
				 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
				 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
				 "\x00\x01\x00\x6e"));
	assert_client("2001:db8::1", 1);
	assert_read(OF(SIGNATURE "\x21\x00\x00\x00"));
	assert_nobody();
	assert_read(unix_stream, sizeof(unix_stream));
	assert_nobody();
	assert_false(header.local);
}

/* What stands behind it is not looked at. */
static void
test_local(void **state)
{
	assert_read(OF(SIGNATURE "\x20\x00\x00\x00"));
	assert_true(header.local);
	assert_nobody();
	assert_read(OF(SIGNATURE "\x20\x11\x00\x0c" ADDRESSES));
	assert_true(header.local);
	assert_nobody();
	assert_read(OF(SIGNATURE "\x20\xff\x00\x03\x03\xff\xff"));
	assert_true(header.local);
}

static void
test_bad_octets(void **state)
{
	char longest[16 + 520 + 1] =
	    SIGNATURE "\x21\x11\x02\x08" ADDRESSES "\x04\x01\xf9";

	assert_bad(OF(SIGNATURE "\x11"), "proxy-version");
	assert_bad(OF(SIGNATURE "\x22\x11\x00\x0c"), "proxy-version");
	assert_bad(OF(SIGNATURE "\x21\x12\x00\x0c" ADDRESSES), "proxy-family");
	assert_bad(OF(SIGNATURE "\x21\x11\x00\x0b\0\0\0\0\0\0\0\0\0\0\0"),
	    "proxy-address");
	assert_read(longest, 16 + 520);
	longest[15]++;
	assert_bad(longest, 16, "proxy-too-long");
	assert_bad(OF(SIGNATURE "\x21\x11\x00\x0e" ADDRESSES "\x04\x00"),
	    "proxy-field");
	assert_bad(OF(SIGNATURE "\x21\x11\x00\x0f" ADDRESSES "\x04\x00\x01"),
	    "proxy-field");
}

static void
test_tls(void **state)
{
	assert_read(OF(SIGNATURE "\x21\x11\x00\x1e" ADDRESSES SSL));
	assert_int_equal(header.tls, PROXY_TLS_SPOKEN);
	assert_string_equal(header.tls_version, "TLSv1.3");
	assert_read(OF(SIGNATURE "\x21\x11\x00\x14" ADDRESSES
				 "\x20\x00\x05\x00\x00\x00\x00\x00"));
	assert_int_equal(header.tls, PROXY_TLS_NONE);
	assert_string_equal(header.tls_version, "");
	assert_read(OF(SIGNATURE "\x21\x11\x00\x2b" ADDRESSES
				 "\x20\x00\x1c\x01\x00\x00\x00\x00"
				 "\x21\x00\x14\x1b\"3456789abcdefghijk"));
	assert_string_equal(header.tls_version, "??3456789abcdef");
	assert_bad(OF(SIGNATURE "\x21\x11\x00\x13" ADDRESSES
				"\x20\x00\x04\x01\x00\x00\x00"),
	    "proxy-field");
	assert_bad(OF(SIGNATURE "\x21\x11\x00\x16" ADDRESSES
				"\x20\x00\x07\x01\x00\x00\x00\x00\x21\x00"),
	    "proxy-field");
}

/* The sum was made by another program. */
static void
test_sum(void **state)
{
	char good[] = SIGNATURE "\x21\x11\x00\x13" ADDRESSES
				"\x03\x00\x04\xcc\xcc\xcc\xcc";
	size_t n = sizeof(good) - 1;

	memcpy(good + n - 4, "\x16\x84\xe8\xa9", 4);
	assert_read(good, n);
	assert_client("192.0.2.1", 56324);
	for (size_t i = 16; i < n; i++) {
		if (i >= 28 && i < 31)
			continue; /* that would be no sum */
		good[i] ^= 1;
		assert_bad(good, n, "proxy-sum");
		good[i] ^= 1;
	}
	assert_bad(OF(SIGNATURE "\x21\x11\x00\x12" ADDRESSES
				"\x03\x00\x03\x00\x00\x00"),
	    "proxy-sum");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_bad_octets),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

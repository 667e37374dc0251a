/*
 * Networks, and which addresses are in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "net/cidr.h"

static struct slice
words(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static bool
is_in(const char *address, const char *network)
{
	struct cidr net;
	uint8_t a[16];

	assert_int_equal(cidr_parse(&net, words(network), NULL), E_OK);
	assert_true(cidr_address(a, address));
	return cidr_has(&net, a);
}

static void
test_networks(void **state)
{
	static const struct {
		const char *network, *within[3], *outside[3];
	} v[] = {
		{ "192.0.2.0/24", { "192.0.2.0", "192.0.2.255" },
		    { "192.0.3.0", "192.0.1.255", "::192.0.2.1" } },
		{ "192.0.2.128/25", { "192.0.2.128", "192.0.2.255" },
		    { "192.0.2.127" } },
		{ "192.0.2.8/31", { "192.0.2.8", "192.0.2.9" },
		    { "192.0.2.7", "192.0.2.10" } },
		{ "192.0.2.1", { "192.0.2.1", "::ffff:192.0.2.1" },
		    { "192.0.2.2" } },
		{ "0.0.0.0/0", { "0.0.0.0", "255.255.255.255" },
		    { "::1", "2001:db8::1" } },
		{ "::/0", { "::1" }, { "192.0.2.1", "::ffff:192.0.2.1" } },
		{ "::ffff:0:0/96", { "192.0.2.1" }, { "::1" } },
		{ "2001:db8::/33", { "2001:db8:7fff:ffff::1" },
		    { "2001:db8:8000::1", "2001:db9::" } },
		{ "fe80::1", { "fe80::1%eth0" }, { "fe80::2%eth0" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		for (size_t k = 0; k < 3; k++) {
			if (v[i].within[k] != NULL)
				assert_true(
				    is_in(v[i].within[k], v[i].network));
			if (v[i].outside[k] != NULL)
				assert_false(
				    is_in(v[i].outside[k], v[i].network));
		}
}

static void
test_what_is_none(void **state)
{
	static const char *const bad[] = { "", "/", "/24", "192.0.2.0/",
		"192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/ 8",
		"192.0.2.0/024/1", "192.0.2.0/4294967320", "192.0.2.256",
		"192.0.2", "192.0.2.0/255.255.255.0", "2001:db8::/129",
		"2001:db8::/g", "2001:db8:::/32", "::ffff:192.0.2.0/24",
		"fe80::1%eth0", "host", "192.0.2.1/24", "2001:db8::1/32",
		"128.0.0.0/0", "2001:db8:2001:db8:2001:db8:2001:db8:1",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222" };
	struct errbuf eb;
	struct cidr net;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		eb.text[0] = '\0';
		assert_int_equal(
		    cidr_parse(&net, words(bad[i]), &eb), E_FORMAT);
		assert_non_null(strstr(eb.text, "; write "));
	}
	assert_int_equal(
	    cidr_parse(&net, (struct slice){ "::1\0", 4 }, &eb), E_FORMAT);
}

static void
test_lists(void **state)
{
	struct cidr net[3];
	uint8_t a[16];
	size_t n;

	(void)state;
	assert_int_equal(cidr_parse_list(net, 3, &n,
			     words(" 192.0.2.0/24,2001:db8::/32 , ::1 "), NULL),
	    E_OK);
	assert_int_equal(n, 3);
	assert_true(cidr_address(a, "::1") && cidr_any_has(net, n, a));
	assert_false(cidr_any_has(net, 2, a));
	assert_true(cidr_address(a, "2001:db8:9::") && cidr_any_has(net, n, a));
	assert_true(cidr_address(a, "192.0.3.1"));
	assert_false(cidr_any_has(net, n, a));
	assert_int_equal(cidr_parse_list(net, 3, &n, words(" , "), NULL), E_OK);
	assert_int_equal(n, 0);
	assert_int_equal(
	    cidr_parse_list(net, 3, &n, words("::1 ::2 ::3 ::4"), NULL),
	    E_FULL);
	assert_int_equal(
	    cidr_parse_list(net, 3, &n, words("::1 x"), NULL), E_FORMAT);
}

/* As they stand in a users file. */
static void
test_lists_as_written(void **state)
{
	struct slice list = words("192.0.2.9/24,2001:db8::/32");

	(void)state;
	assert_true(cidr_list_is_good(list));
	assert_true(cidr_list_has(list, "192.0.2.200"));
	assert_true(cidr_list_has(list, "::ffff:192.0.2.200"));
	assert_true(cidr_list_has(list, "2001:db8::1"));
	assert_false(cidr_list_has(list, "192.0.3.9"));
	assert_false(cidr_list_has(list, "unix"));
	assert_false(cidr_list_is_good(words("")));
	assert_false(cidr_list_is_good(words(",")));
	assert_false(cidr_list_is_good((struct slice){ 0 }));
	assert_false(cidr_list_is_good(words("192.0.2.0/24,home")));
	assert_true(cidr_list_has(words("home,192.0.2.0/24"), "192.0.2.1"));
}

static void
test_of_a_socket(void **state)
{
	struct sockaddr_storage a = { .ss_family = AF_INET };
	struct sockaddr_in *in4 = (void *)&a;
	struct sockaddr_in6 *in6 = (void *)&a;
	uint8_t out[16], want[16];

	(void)state;
	in4->sin_addr.s_addr = htonl(0xc0000201);
	assert_true(cidr_address_of(out, &a));
	assert_true(cidr_address(want, "192.0.2.1"));
	assert_memory_equal(out, want, 16);
	assert_true(cidr_is_ipv4(out));
	memset(&a, 0, sizeof(a));
	a.ss_family = AF_INET6;
	memcpy(&in6->sin6_addr, want, 16);
	assert_true(cidr_address_of(out, &a));
	assert_memory_equal(out, want, 16);
	assert_true(cidr_address(want, "2001:db8::1"));
	memcpy(&in6->sin6_addr, want, 16);
	assert_true(cidr_address_of(out, &a));
	assert_memory_equal(out, want, 16);
	assert_false(cidr_is_ipv4(out));
	a.ss_family = AF_UNIX;
	assert_false(cidr_address_of(out, &a));
	assert_false(cidr_address(out, ""));
	assert_false(cidr_address(out, "?"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lists_as_written),
		cmocka_unit_test(test_of_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

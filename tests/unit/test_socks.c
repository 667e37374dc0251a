/* SOCKS5 without I/O, proxies as people write them, names of computers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "net/socks.h"

/* ---- names ---- */

static void
names_become_ascii(void **state)
{
	static const char *const pairs[][2] = {
		{ "pop.example.org", "pop.example.org" },
		{ "pop.example.org.", "pop.example.org." },
		{ "LOCALHOST", "LOCALHOST" },
		{ "mail_1.example", "mail_1.example" },
		{ "127.0.0.1", "127.0.0.1" },
		{ "2001:db8::7", "2001:db8::7" },
		{ "fe80::1%lo", "fe80::1%lo" },
		{ "fe80::1%7", "fe80::1%7" },
		{ "b\xc3\xbc"
		  "cher.example",
		    "xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.example",
		    "xn--bcher-kva.example" },
		{ "fa\xc3\x9f.example", "xn--fa-hia.example" },
		{ "a\xe3\x80\x82"
		  "example",
		    "a.example" },
	};
	char out[HOST_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(host_ascii(out, pairs[i][0], NULL), E_OK);
		assert_string_equal(out, pairs[i][1]);
	}
}

static void
what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "", ".", ".example.org", "a..b",
		"a b", "a/b", "a@b", "a:b", "pop.example.org:995", "a\nb",
		"[::1]", "fe80::1%", "fe80::1%nosuch", "*.example.org",
		"b\xfc"
		"cher.example",
		"a\xe3\x80\x82\xe3\x80\x82"
		"b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaa.b" };
	char out[HOST_MAX], n254[256], n253[256];
	struct errbuf eb;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(host_ascii(out, bad[i], &eb), E_CONFIG);
		assert_null(strchr(eb.text, '\n'));
		assert_non_null(strstr(eb.text, "not a name"));
	}
	memset(n254, 'a', sizeof(n254));
	for (size_t i = 60; i < sizeof(n254); i += 60)
		n254[i] = '.';
	n254[254] = '\0';
	memcpy(n253, n254, sizeof(n253));
	n253[253] = '\0';
	assert_int_equal(host_ascii(out, n254, NULL), E_CONFIG);
	assert_int_equal(host_ascii(out, n253, NULL), E_OK);
}

static void
address_literals(void **state)
{
	struct sockaddr_storage a;

	(void)state;
	assert_true(host_address(&a, "127.0.0.1"));
	assert_int_equal(a.ss_family, AF_INET);
	assert_true(host_address(&a, "::1"));
	assert_int_equal(a.ss_family, AF_INET6);
	assert_false(host_address(&a, "127.1"));
	assert_false(host_address(&a, "0x7f.0.0.1"));
	assert_false(host_address(&a, "1.2.3.4.5"));
	assert_false(host_address(&a, "localhost"));
	assert_false(host_address(&a, "127.0.0.1%lo"));
}

/* ---- proxies ---- */

static void
proxies_are_understood(void **state)
{
	static const struct {
		const char *text, *host, *user, *password;
		unsigned port;
	} good[] = {
		{ "localhost", "localhost", "", "", 1080 },
		{ "socks5://localhost", "localhost", "", "", 1080 },
		{ "127.0.0.1:9050", "127.0.0.1", "", "", 9050 },
		{ "[::1]", "::1", "", "", 1080 },
		{ "socks5://[::1]:9050", "::1", "", "", 9050 },
		{ "socks5://ana:p:a@ss@h:1", "h", "ana", "p:a@ss", 1 },
		{ "ana:x@[::1]:65535", "::1", "ana", "x", 65535 },
	};
	struct socks_proxy p;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(
		    socks_proxy_parse(&p, good[i].text, NULL), E_OK);
		assert_string_equal(p.host, good[i].host);
		assert_string_equal(p.user, good[i].user);
		assert_string_equal(p.password, good[i].password);
		assert_int_equal(p.port, good[i].port);
		assert_int_equal(p.signs_in, good[i].user[0] != '\0');
	}
}

static void
bad_proxies_are_refused(void **state)
{
	static const char *const bad[] = { "", "socks5://", "http://h:80",
		"socks4://h", "h:", "h:0", "h:65536", "h:1x", "h:-1", "::1",
		"::1:1080", "[::1", "[::1]x", "[::1]1080", "ana@h",
		"ana:hidden@", ":hidden@h", "ana:@h", "a b", "h:1/", "[]:1" };
	struct socks_proxy p;
	struct errbuf eb;
	char longer[700];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(socks_proxy_parse(&p, bad[i], &eb), E_CONFIG);
		assert_null(strstr(eb.text, "hidden"));
	}
	memset(longer, 'x', sizeof(longer));
	longer[256] = ':';
	memcpy(longer + 300, "@h", 3);
	assert_int_equal(socks_proxy_parse(&p, longer, NULL), E_CONFIG);
	assert_int_equal(socks_proxy_parse(&p, longer + 1, NULL), E_OK);
}

/* ---- the exchange ---- */

struct reply {
	const char *p;
	size_t n;
};
#define REPLY(s) \
	{ \
		s, sizeof(s) - 1 \
	}

/* Feeds what the proxy says, `step` octets at a time; out gets all that was
 * sent to it. */
static enum err
exchange(const struct socks_proxy *proxy, const char *host, struct reply said,
    size_t step, char *out, size_t *out_n, struct errbuf *eb)
{
	char *in = guard_room(0, said.n);
	struct socks s;
	enum err e = E_AGAIN;
	size_t n;

	memcpy(in, said.p, said.n);
	*out_n = 0;
	socks_start(&s, proxy, host, 995);
	for (size_t at = 0; e == E_AGAIN; at += n) {
		memcpy(out + *out_n, s.out, s.out_n);
		*out_n += s.out_n;
		s.out_n = 0;
		n = socks_wants(&s);
		assert_true(n > 0);
		n = n < step ? n : step;
		n = n < said.n - at ? n : said.n - at;
		if (n == 0)
			return E_AGAIN;
		e = socks_take(&s, in + at, n, eb);
		/* What follows is the server's: it is not asked for. */
		if (e == E_OK)
			assert_int_equal(said.n - at - n, 5);
	}
	return e;
}

static void
check(const char *proxy, const char *host, struct reply said,
    struct reply expect, enum err want, const char *words)
{
	struct socks_proxy p;
	struct errbuf eb;
	char out[1024];
	size_t n;

	assert_int_equal(socks_proxy_parse(&p, proxy, NULL), E_OK);
	for (size_t step = 1; step <= said.n; step++) {
		assert_int_equal(
		    exchange(&p, host, said, step, out, &n, &eb), want);
		assert_int_equal(n, expect.n);
		assert_memory_equal(out, expect.p, n);
		if (words != NULL)
			assert_non_null(strstr(eb.text, words));
	}
	if (want == E_OK)
		for (size_t cut = said.n - 6; cut > 0; cut--) {
			said.n = cut;
			assert_int_equal(
			    exchange(&p, host, said, 9, out, &n, &eb), E_AGAIN);
		}
}

static void
connections_are_asked_for(void **state)
{
	static const struct reply by_name =
	    REPLY("\5\1\0\5\1\0\3\xfpop.example.org\3\xe3");
	static const struct reply by_v4 =
	    REPLY("\5\1\0\5\1\0\1\xcb\0\x71\7\3\xe3");
	static const struct reply by_v6 =
	    REPLY("\5\1\0\5\1\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7\3\xe3");
	static const struct reply with_password =
	    REPLY("\5\2\0\2\1\3ana\6secret\5\1\0\3\1h\3\xe3");
	static const struct reply unasked = REPLY("\5\2\0\2\5\1\0\3\1h\3\xe3");

	(void)state;
	check("p", "pop.example.org",
	    (struct reply)REPLY("\5\0\5\0\0\1\1\2\3\4\5\6+OK\r\n"), by_name,
	    E_OK, NULL);
	check("p", "203.0.113.7",
	    (struct reply)REPLY("\5\0\5\0\0\3\2ab\5\6+OK\r\n"), by_v4, E_OK,
	    NULL);
	check("p", "2001:db8::7",
	    (struct reply)REPLY("\5\0\5\0\0\4abcdefghijklmnop\5\6+OK\r\n"),
	    by_v6, E_OK, NULL);
	check("p", "2001:db8::7",
	    (struct reply)REPLY("\5\0\5\0\0\3\0\5\6+OK\r\n"), by_v6, E_OK,
	    NULL);
	check("ana:secret@p", "h",
	    (struct reply)REPLY("\5\2\1\0\5\0\0\1\1\2\3\4\5\6+OK\r\n"),
	    with_password, E_OK, NULL);
	check("ana:secret@p", "h",
	    (struct reply)REPLY("\5\0\5\0\0\1\1\2\3\4\5\6+OK\r\n"), unasked,
	    E_OK, NULL);
}

static void
refusals_have_words(void **state)
{
	static const struct reply hello = REPLY("\5\1\0");
	static const struct reply asked = REPLY("\5\1\0\5\1\0\3\1h\3\xe3");
	static const struct reply hello2 = REPLY("\5\2\0\2");
	static const struct reply signed_in = REPLY("\5\2\0\2\1\1a\1b");
	static const struct {
		struct reply said;
		enum err e;
		const char *words;
	} codes[] = {
		{ REPLY("\5\0\5\1"), E_IO, "refused: general failure" },
		{ REPLY("\5\0\5\2"), E_DENIED, "rules" },
		{ REPLY("\5\0\5\3\0\1"), E_IO, "network" },
		{ REPLY("\5\0\5\4\0\1\0\0\0\0\0\0"), E_IO, "that computer" },
		{ REPLY("\5\0\5\5"), E_IO, "refused there" },
		{ REPLY("\5\0\5\6"), E_IO, "TTL" },
		{ REPLY("\5\0\5\7"), E_IO, "connect for others" },
		{ REPLY("\5\0\5\10"), E_IO, "kind of address" },
		{ REPLY("\5\0\5\11"), E_IO, "code 9" },
		{ REPLY("\5\0\5\xff"), E_IO, "code 255" },
		{ REPLY("\5\0\4\0"), E_FORMAT, "SOCKS5" },
		{ REPLY("\5\0\5\0\0\2\0"), E_FORMAT, "SOCKS5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		check(
		    "p", "h", codes[i].said, asked, codes[i].e, codes[i].words);
	check("p", "h", (struct reply)REPLY("HTTP/1.1 400"), hello, E_FORMAT,
	    "does not speak SOCKS5");
	check("p", "h", (struct reply)REPLY("\4\0"), hello, E_FORMAT, "SOCKS5");
	check("p", "h", (struct reply)REPLY("\5\xff"), hello, E_DENIED,
	    "wants a user");
	/* A method that was not offered. */
	check("p", "h", (struct reply)REPLY("\5\2"), hello, E_FORMAT, "SOCKS5");
	check("p", "h", (struct reply)REPLY("\5\1"), hello, E_FORMAT, "SOCKS5");
	check("a:b@p", "h", (struct reply)REPLY("\5\xff"), hello2, E_DENIED,
	    "takes no user");
	check("a:b@p", "h", (struct reply)REPLY("\5\2\1\1"), signed_in,
	    E_DENIED, "wrong user or password");
	check("a:b@p", "h", (struct reply)REPLY("\5\2\5\0"), signed_in,
	    E_FORMAT, "SOCKS5");
}

static void
the_longest_of_all_fits(void **state)
{
	char text[520], host[HOST_MAX], out[1024];
	struct reply said = REPLY("\5\2\1\0\5\0\0\1\1\2\3\4\5\6+OK\r\n");
	struct socks_proxy p;
	size_t n;

	(void)state;
	memset(text, 'u', 255);
	text[255] = ':';
	memset(text + 256, 'p', 255);
	memcpy(text + 511, "@h", 3);
	memset(host, 'a', sizeof(host));
	for (size_t i = 60; i < sizeof(host); i += 60)
		host[i] = '.';
	host[253] = '\0';
	assert_int_equal(socks_proxy_parse(&p, text, NULL), E_OK);
	assert_int_equal(exchange(&p, host, said, 99, out, &n, NULL), E_OK);
	assert_int_equal(n, 4 + 3 + 255 + 255 + 4 + 1 + 253 + 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_ascii),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(address_literals),
		cmocka_unit_test(proxies_are_understood),
		cmocka_unit_test(bad_proxies_are_refused),
		cmocka_unit_test(connections_are_asked_for),
		cmocka_unit_test(refusals_have_words),
		cmocka_unit_test(the_longest_of_all_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

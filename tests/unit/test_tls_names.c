/*
 * The names of certificates, and which of them a client means: S-SNI-01, 02.
 */
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/tls_names.h"

static struct tls_names
names_of(const char *san)
{
	struct tls_names out;
	X509 *x = X509_new();
	X509_EXTENSION *e;

	if (san != NULL) {
		e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
		assert_non_null(e);
		X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	assert_int_equal(tls_names_of(&out, x), E_OK);
	X509_free(x);
	return out;
}

static void
test_names(void **state)
{
	struct tls_names a = names_of("DNS:pop.Example.org,DNS:*.example.net,"
				      "IP:192.0.2.1,DNS:POP.example.org,"
				      "DNS:*,DNS:*.net,DNS:*x.example,"
				      "DNS:a.*.example,DNS:.x.example,"
				      "DNS:x.example.,email:a@example.org"),
			 b = names_of("DNS:*.example.net,DNS:pop.example.org"),
			 c = names_of("DNS:*.example.net"),
			 none = names_of(NULL);

	assert_int_equal(a.n, 2);
	assert_string_equal(a.name[0], "*.example.net");
	assert_string_equal(a.name[1], "pop.example.org");
	assert_true(tls_names_are_same(&a, &b));
	assert_false(tls_names_are_same(&a, &c));
	assert_int_equal(none.n, 0);
	assert_true(tls_names_are_same(&none, &none));
	tls_names_free(&a);
	tls_names_free(&b);
	tls_names_free(&c);
	tls_names_free(&none);
}

static void
test_match(void **state)
{
	static const struct {
		const char *host;
		enum tls_name_match match;
	} cases[] = {
		{ "pop.example.org", TLS_NAME_ITSELF },
		{ "POP.EXAMPLE.ORG", TLS_NAME_ITSELF },
		{ "op.example.org", TLS_NAME_NOT },
		{ "x.pop.example.org", TLS_NAME_NOT },
		{ "mail.example.net", TLS_NAME_BY_STAR },
		{ "Mail.Example.NET", TLS_NAME_BY_STAR },
		{ "example.net", TLS_NAME_NOT },
		{ ".example.net", TLS_NAME_NOT },
		{ "a.b.example.net", TLS_NAME_NOT },
		{ "*.example.net", TLS_NAME_ITSELF },
		{ "net", TLS_NAME_NOT },
		{ "", TLS_NAME_NOT },
	};
	struct tls_names v = names_of("DNS:pop.example.org,DNS:*.example.net");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (tls_names_match(&v, cases[i].host) != cases[i].match)
			fail_msg("%s", cases[i].host);
	tls_names_free(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

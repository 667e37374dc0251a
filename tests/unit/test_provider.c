/* What is known of providers, and whose a server is. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/setup/domain.h"
#include "client/setup/mail_provider.h"
#include "net/host.h"

/* ---- the table ---- */

/* Words as they are looked up: one space between, lower case, each with a
 * dot. */
static void
check_names(const char *words)
{
	char name[HOST_MAX], ascii[HOST_MAX];
	size_t n;

	for (const char *w = words; w != NULL && *w != '\0';) {
		n = strcspn(w, " ");
		assert_true(n > 0 && n < sizeof(name));
		memcpy(name, w, n);
		name[n] = '\0';
		for (size_t i = 0; i < n; i++)
			assert_int_equal(name[i], tolower(name[i]));
		assert_non_null(strchr(name, '.'));
		assert_int_equal(host_ascii(ascii, name, NULL), 0);
		w += n;
		if (*w != '\0')
			assert_true(*w++ == ' ' && *w != '\0');
	}
}

static void
each_row_is_whole(void **state)
{
	for (size_t i = 0; i < providers_n; i++) {
		const struct provider *p = &providers[i];

		assert_true(p->name != NULL && p->name[0] != '\0');
		assert_true(p->domains != NULL || p->mx != NULL);
		check_names(p->domains);
		check_names(p->mx);
		if (p->server != NULL) {
			check_names(p->server);
			assert_null(strchr(p->server, ' '));
			assert_int_equal(
			    p->port, p->security == SECURITY_TLS ? 995 : 110);
			assert_int_not_equal(p->security, SECURITY_NONE);
		} else {
			assert_non_null(p->first); /* what else there is */
		}
		if (p->secret == TAKES_TOKEN)
			assert_non_null(p->oauth);
		if (p->page != NULL)
			assert_ptr_equal(strstr(p->page, "https://"), p->page);
	}
}

/* The first row that fits is taken: another one would never be. */
static void
no_domain_stands_twice(void **state)
{
	char word[HOST_MAX];
	int n;

	for (size_t i = 0; i < providers_n; i++) {
		for (const char *w = providers[i].domains;
		     w != NULL && sscanf(w, "%255s%n", word, &n) == 1; w += n)
			assert_ptr_equal(
			    provider_of_domain(word), &providers[i]);
		for (const char *w = providers[i].mx;
		     w != NULL && sscanf(w, "%255s%n", word, &n) == 1; w += n)
			assert_ptr_equal(provider_of_mx(word), &providers[i]);
	}
}

static void
providers_are_found_by_domain_and_mx(void **state)
{
	assert_string_equal(provider_of_domain("gmail.com")->name, "Gmail");
	assert_string_equal(
	    provider_of_domain("uol.com.br")->server, "pop3.uol.com.br");
	assert_null(provider_of_domain("example.org"));
	assert_null(provider_of_domain("x.gmail.com"));
	assert_null(provider_of_domain("mail.com gmail.com"));
	assert_null(provider_of_domain(""));
	assert_string_equal(
	    provider_of_mx("aspmx.l.google.com")->name, "Google Workspace");
	assert_string_equal(
	    provider_of_mx("example-org.mail.protection.outlook.com")->name,
	    "Microsoft 365");
	assert_string_equal(
	    provider_of_mx("hotmail-com.olc.protection.outlook.com")->name,
	    "Outlook.com");
	assert_string_equal(
	    provider_of_mx("mx.b.locaweb.com.br")->name, "Locaweb");
	assert_null(provider_of_mx("notgoogle.com"));
	assert_null(provider_of_mx("mx.example.org"));
}

static void
slips_are_noticed(void **state)
{
	assert_string_equal(provider_domain_like("gmial.com"), "gmail.com");
	assert_string_equal(provider_domain_like("gmail.con"), "gmail.com");
	assert_string_equal(provider_domain_like("hotmal.com"), "hotmail.com");
	assert_string_equal(
	    provider_domain_like("yahoo.com.b"), "yahoo.com.br");
	assert_null(provider_domain_like("example.org"));
	assert_null(provider_domain_like("me.de"));
}

/* ---- whose a server is ---- */

static void
a_server_is_of_those_who_have_the_domain(void **state)
{
	assert_true(domain_has("example.org", "example.org"));
	assert_true(domain_has("example.org", "pop.example.org"));
	assert_false(domain_has("example.org", "example.org.evil.test"));
	assert_false(domain_has("example.org", "notexample.org"));
	assert_false(domain_has("example.org", "org"));
	assert_false(domain_has("example.com.br", "mail.com.br"));
#ifdef HAVE_PSL
	assert_string_equal(
	    domain_registrable("pop.mail.example.com.br"), "example.com.br");
	assert_true(domain_has("ana.example.com.br", "mail.example.com.br"));
	assert_true(domain_has("cs.example.edu", "mail.example.edu"));
	/* Pages of different people. */
	assert_false(domain_has("ana.github.io", "mail.github.io"));
	assert_null(domain_registrable("com.br"));
#endif
	assert_false(domain_has("a.com.br", "b.com.br"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_whole),
		cmocka_unit_test(no_domain_stands_twice),
		cmocka_unit_test(providers_are_found_by_domain_and_mx),
		cmocka_unit_test(slips_are_noticed),
		cmocka_unit_test(a_server_is_of_those_who_have_the_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

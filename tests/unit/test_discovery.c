/* What domains say of their servers: autoconfig and Autodiscover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/setup/autoconfig.h"
#include "client/setup/autodiscover.h"

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* ---- autoconfig ---- */

#define CONFIG(servers) \
	"<?xml version=\"1.0\"?>\n<clientConfig version=\"1.1\">" \
	"<emailProvider id=\"example.org\">" \
	"<domain>example.org</domain><displayName>Caf\xc3\xa9</" \
	"displayName>" servers "</emailProvider></clientConfig>"
#define POP3(host, port, socket, user, more) \
	"<incomingServer type=\"pop3\"><hostname>" host \
	"</hostname><port>" port "</port><socketType>" socket \
	"</socketType><username>" user "</username>" more "</incomingServer>"

static void
autoconfig_names_servers(void **state)
{
	struct autoconfig a;

	assert_true(autoconfig_parse(&a,
	    text(CONFIG("<incomingServer type=\"imap\"><hostname>imap."
			"example.org</hostname><port>993</port>"
			"</incomingServer>" POP3(" POP.example.org.\n", "995",
			    "SSL", "%EMAILADDRESS%",
			    "<authentication>OAuth2</authentication>"
			    "<authentication>password-cleartext"
			    "</authentication>") POP3("pop.%EMAILDOMAIN%",
			    "1110", "STARTTLS", "%EMAILLOCALPART%",
			    "<authentication>OAuth2</authentication>"))),
	    "Ana@example.org"));
	assert_true(a.imap);
	assert_false(a.plain);
	assert_int_equal(a.n, 2);
	assert_string_equal(a.v[0].server, "pop.example.org");
	assert_int_equal(a.v[0].port, 995);
	assert_int_equal(a.v[0].security, SECURITY_TLS);
	assert_string_equal(a.v[0].user, "Ana@example.org");
	assert_false(a.v[0].only_token);
	assert_string_equal(a.v[1].server, "pop.example.org");
	assert_int_equal(a.v[1].port, 1110);
	assert_int_equal(a.v[1].security, SECURITY_STARTTLS);
	assert_string_equal(a.v[1].user, "Ana");
	assert_true(a.v[1].only_token);
}

/* None of these may become a place to send a password to. */
static void
autoconfig_leaves_out_what_is_wrong(void **state)
{
	static const char *const servers[] = {
		POP3("pop.example.org", "110", "plain", "ana", ""),
		POP3("pop example org", "995", "SSL", "ana", ""),
		POP3("", "995", "SSL", "ana", ""),
		POP3("pop.example.org", "0", "SSL", "ana", ""),
		POP3("pop.example.org", "65536", "SSL", "ana", ""),
		POP3("pop.example.org", "995x", "SSL", "ana", ""),
		POP3("pop.example.org", "995", "PLAINISH", "ana", ""),
		POP3("pop.example.org", "995", "SSL", "an&#9;a", ""),
		POP3("pop.example.org", "995", "SSL", "an&#x9b;31ma", ""),
		POP3("pop.example.org", "995", "SSL",
		    "an\xe2\x80\xae"
		    "a",
		    ""),
		POP3("pop.example.org", "995", "SSL", "", ""),
		"<incomingServer type=\"imap\"><hostname>a.b</hostname>"
		"</incomingServer>",
		"<outgoingServer type=\"pop3\"><hostname>a.b</hostname>"
		"</outgoingServer>",
	};
	struct autoconfig a;
	char *xml;

	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		assert_true(asprintf(&xml, CONFIG("%s"), servers[i]) > 0);
		assert_true(autoconfig_parse(&a, text(xml), "ana@b.test"));
		assert_int_equal(a.n, 0);
		assert_int_equal(a.plain, i == 0);
		free(xml);
	}
}

static void
autoconfig_fills_in_missing_ports(void **state)
{
	struct autoconfig a;

	assert_true(autoconfig_parse(&a,
	    text(CONFIG(
		"<incomingServer type=\"pop3\"><hostname>a.test</hostname>"
		"<socketType>STARTTLS</socketType></incomingServer>"
		"<incomingServer type=\"pop3\"><hostname>b.test</hostname>"
		"</incomingServer>")),
	    "ana@b.test"));
	assert_int_equal(a.n, 2);
	assert_int_equal(a.v[0].port, 110);
	assert_int_equal(a.v[1].port, 995);
	assert_string_equal(a.v[1].user, "");
}

static void
autoconfig_names_the_server_that_sends(void **state)
{
	struct autoconfig a;

	assert_true(autoconfig_parse(&a,
	    text("<clientConfig>"
		 "<outgoingServer type=\"smtp\"><hostname>plain.b.test"
		 "</hostname><socketType>plain</socketType></outgoingServer>"
		 "<outgoingServer type=\"smtp\"><hostname>smtp.%EMAILDOMAIN%"
		 "</hostname><socketType>STARTTLS</socketType>"
		 "<username>%EMAILLOCALPART%</username></outgoingServer>"
		 "<outgoingServer type=\"smtp\"><hostname>second.b.test"
		 "</hostname><socketType>SSL</socketType></outgoingServer>"
		 "<incomingServer type=\"pop3\"><hostname>pop.b.test"
		 "</hostname><socketType>SSL</socketType></incomingServer>"
		 "</clientConfig>"),
	    "ana@b.test"));
	assert_int_equal(a.n, 1);
	assert_string_equal(a.v[0].server, "pop.b.test");
	assert_false(a.plain);
	assert_string_equal(a.smtp.server, "smtp.b.test");
	assert_string_equal(a.smtp.user, "ana");
	assert_int_equal(a.smtp.port, 587);
	assert_int_equal(a.smtp.security, SECURITY_STARTTLS);
}

static void
autoconfig_has_bounds(void **state)
{
	struct autoconfig a;
	char *xml, long_name[2 * 512 + 1];
	struct slice many;
	size_t size;
	FILE *f = open_memstream(&xml, &size);

	fputs("<clientConfig>", f);
	for (int i = 0; i < 100; i++)
		fputs(POP3("a.test", "995", "SSL", "ana", ""), f);
	fputs("</clientConfig>", f);
	fclose(f);
	many = (struct slice){ xml, size };
	assert_true(autoconfig_parse(&a, many, "ana@b.test"));
	assert_int_equal(a.n, OFFERS_MAX);
	free(xml);

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_true(
	    asprintf(&xml, CONFIG(POP3("a.test", "995", "SSL", "%s", "")),
		long_name) > 0);
	assert_true(autoconfig_parse(&a, text(xml), "ana@b.test"));
	assert_int_equal(a.n, 0);
	free(xml);
	assert_true(autoconfig_parse(&a,
	    text(CONFIG(POP3("a.test", "995", "SSL",
		"%EMAILADDRESS%%EMAILADDRESS%%EMAILADDRESS%%EMAILADDRESS%"
		"%EMAILADDRESS%%EMAILADDRESS%%EMAILADDRESS%%EMAILADDRESS%",
		""))),
	    "an-address-of-more-than-sixty-octets-as-there-are-some-here@b."
	    "test"));
	assert_int_equal(a.n, 0);
}

/* Entities can be made to grow without end. */
static void
documents_with_entities_are_refused(void **state)
{
	struct autoconfig a;
	struct autodiscover d;

	assert_false(autoconfig_parse(&a,
	    text("<!DOCTYPE x [<!ENTITY a \"aaaa\">]><clientConfig>&a;"
		 "</clientConfig>"),
	    "ana@b.test"));
	assert_false(autodiscover_parse(
	    &d, text("<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>"
		     "<Autodiscover>&a;</Autodiscover>")));
}

static void
what_is_no_such_document_is_told_apart(void **state)
{
	static const char *const documents[] = { "", "<html>not found</html>",
		"<clientConfig>", "<?xml version=\"1.0\"?>", "{}" };
	struct autoconfig a;
	struct autodiscover d;

	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		assert_false(
		    autoconfig_parse(&a, text(documents[i]), "ana@b.test"));
		assert_false(autodiscover_parse(&d, text(documents[i])));
	}
}

/* ---- Autodiscover ---- */

#define ANSWER(protocols) \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>" \
	"<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/" \
	"autodiscover/responseschema/2006\"><Response xmlns=\"x\">" \
	"<Account><AccountType>email</AccountType>" \
	"<Action>settings</Action>" protocols \
	"</Account></Response></Autodiscover>"

static void
autodiscover_names_servers(void **state)
{
	struct autodiscover d;

	assert_true(autodiscover_parse(&d,
	    text(ANSWER(
		"<Protocol><Type>IMAP</Type><Server>imap.example.org</Server>"
		"</Protocol><Protocol><Type>POP3</Type><Server>POP.example."
		"org</Server><Port>995</Port><LoginName>ana@example.org"
		"</LoginName><SSL>on</SSL></Protocol>"
		"<Protocol><Type>POP3</Type><Server>pop.example.org</Server>"
		"<Port>110</Port><Encryption>TLS</Encryption></Protocol>"
		"<Protocol><Type>POP3</Type><Server>old.example.org</Server>"
		"<Port>110</Port><SSL>off</SSL></Protocol>"
		"<Protocol><Type>SMTP</Type><Server>smtp.example.org</Server>"
		"</Protocol>"))));
	assert_true(d.imap);
	assert_int_equal(d.n, 3);
	assert_string_equal(d.v[0].server, "pop.example.org");
	assert_int_equal(d.v[0].port, 995);
	assert_int_equal(d.v[0].security, SECURITY_TLS);
	assert_string_equal(d.v[0].user, "ana@example.org");
	assert_int_equal(d.v[1].security, SECURITY_STARTTLS);
	/* A password in plain text is not for a document to decide. */
	assert_string_equal(d.v[2].server, "old.example.org");
	assert_int_equal(d.v[2].security, SECURITY_STARTTLS);
}

static void
autodiscover_is_asked_with_the_address(void **state)
{
	char request[AUTODISCOVER_REQUEST], address[400];

	assert_true(autodiscover_request(request, "a&b<c>@example.org"));
	assert_non_null(strstr(request,
	    "<EMailAddress>a&amp;b&lt;c&gt;@example.org</EMailAddress>"));
	assert_int_equal(request[strlen(request) - 1], '\n');
	for (size_t n = 1; n < sizeof(address); n++) {
		memset(address, '&', n);
		address[n] = '\0';
		if (!autodiscover_request(request, address))
			return;
		assert_true(strlen(request) < sizeof(request));
	}
	fail();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(autoconfig_names_servers),
		cmocka_unit_test(autoconfig_leaves_out_what_is_wrong),
		cmocka_unit_test(autoconfig_fills_in_missing_ports),
		cmocka_unit_test(autoconfig_names_the_server_that_sends),
		cmocka_unit_test(autoconfig_has_bounds),
		cmocka_unit_test(documents_with_entities_are_refused),
		cmocka_unit_test(what_is_no_such_document_is_told_apart),
		cmocka_unit_test(autodiscover_names_servers),
		cmocka_unit_test(autodiscover_is_asked_with_the_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* An account that is being set up: what is written is what is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/conf/oauth_client.h"
#include "client/setup/draft.h"

static struct draft
example(void)
{
	return (struct draft){
		.name = "casa",
		.email = "ana@example.org",
		.offer = { .server = "pop.example.org",
		    .port = 995,
		    .security = SECURITY_TLS,
		    .user = "ana@example.org" },
		.keep = "yes",
		.deliver = "maildir:~/Mail/casa",
	};
}

static void
expect_account(const struct draft *d, const char *before,
    struct client_conf *conf, const struct account **a_r)
{
	struct errbuf eb;

	if (draft_account(conf, a_r, d, before, "/home/ana/malote.conf", &eb) !=
	    E_OK)
		fail_msg("%s", eb.text);
	assert_non_null(*a_r);
	assert_string_equal((*a_r)->name, d->name);
	assert_string_equal((*a_r)->email, d->email);
	assert_string_equal((*a_r)->server, d->offer.server);
	assert_string_equal((*a_r)->user, d->offer.user);
	assert_int_equal((*a_r)->port, d->offer.port);
	assert_int_equal((*a_r)->security, d->offer.security);
}

/* What is the default is not written. */
static void
the_block_is_as_a_person_would_write_it(void **state)
{
	struct draft d = example();
	char block[DRAFT_BLOCK];

	assert_true(draft_block(block, &d));
	assert_string_equal(block, "account \"casa\" {\n"
				   "\temail = \"ana@example.org\"\n"
				   "\tserver = \"pop.example.org\"\n"
				   "\tkeep = \"yes\"\n"
				   "\tdeliver = \"maildir:~/Mail/casa\"\n"
				   "}\n");
}

static void
each_server_is_read_as_it_was_meant(void **state)
{
	static const struct offer offers[] = {
		{ "pop.example.org", 110, SECURITY_STARTTLS, "ana", false },
		{ "pop.example.org", 995, SECURITY_STARTTLS, "ana", false },
		{ "pop.example.org", 110, SECURITY_TLS, "ana", false },
		{ "127.0.0.1", 1110, SECURITY_NONE, "a na", false },
		{ "::1", 995, SECURITY_TLS, "dom\\user \"x\" 'y' ${z}", false },
	};
	struct client_conf conf;
	const struct account *a;

	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		struct draft d = example();

		d.offer = offers[i];
		expect_account(&d, NULL, &conf, &a);
		client_conf_free(&conf);
	}
}

static void
secrets_are_read_as_they_were_typed(void **state)
{
	static const char *const passwords[] = { "x", "\"", "'", "\\", "a\\nb",
		"${HOME}", "# no comment", "/* nor this",
		"s3 cret'\"\\\\$(x)`y`", "caf\xc3\xa9", "\xe9 in Latin-1" };
	struct client_conf conf;
	const struct account *a;

	for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++)
		for (int kind = DRAFT_PASSWORD; kind <= DRAFT_PASSWORD_COMMAND;
		     kind++) {
			struct draft d = example();

			d.secret = (enum draft_secret)kind;
			snprintf(d.value, sizeof(d.value), "%s", passwords[i]);
			expect_account(&d, NULL, &conf, &a);
			assert_string_equal(kind == DRAFT_PASSWORD
						? a->password
						: a->password_command,
			    passwords[i]);
			client_conf_free(&conf);
		}
}

static void
what_is_there_is_read_with_it(void **state)
{
	static const char before[] =
	    "oauth google {\n client_id = \"x\"\n}\n"
	    "account bea { server = b.org email = bea@b.org }";
	struct client_conf conf;
	const struct account *a;
	struct draft d = example();

	d.secret = DRAFT_OAUTH;
	strcpy(d.value, "google");
	expect_account(&d, before, &conf, &a);
	assert_int_equal(conf.n, 2);
	assert_string_equal(a->client->client_id, "x");
	client_conf_free(&conf);
}

static void
who_malote_is_there_is_written_before(void **state)
{
	struct client_conf conf;
	const struct account *a;
	struct draft d = example();

	d.secret = DRAFT_OAUTH;
	strcpy(d.value, "microsoft");
	strcpy(d.client_id, "00-\"id\"");
	expect_account(&d, NULL, &conf, &a);
	assert_string_equal(a->client->client_id, "00-\"id\"");
	assert_null(a->client->client_secret);
	client_conf_free(&conf);
}

static void
expect_refused(const struct draft *d, const char *before)
{
	struct client_conf conf;
	const struct account *a;
	struct errbuf eb;

	assert_int_equal(
	    draft_account(&conf, &a, d, before, "/malote.conf", &eb), E_CONFIG);
	assert_true(eb.text[0] != '\0');
}

static void
nothing_is_written_that_could_not_be_read(void **state)
{
	struct draft d = example();
	char block[DRAFT_BLOCK];

	strcpy(d.name, "a/b");
	expect_refused(&d, NULL);
	d = example();
	strcpy(d.keep, "30");
	expect_refused(&d, NULL);
	d = example();
	d.secret = DRAFT_PASSWORD;
	strcpy(d.value, "two\nlines");
	assert_false(draft_block(block, &d));
	expect_refused(&d, NULL);
	d = example();
	expect_refused(&d, "account casa { server = x email = a@b.org }");
	expect_refused(&d, "account bea {");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_block_is_as_a_person_would_write_it),
		cmocka_unit_test(each_server_is_read_as_it_was_meant),
		cmocka_unit_test(secrets_are_read_as_they_were_typed),
		cmocka_unit_test(what_is_there_is_read_with_it),
		cmocka_unit_test(who_malote_is_there_is_written_before),
		cmocka_unit_test(nothing_is_written_that_could_not_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

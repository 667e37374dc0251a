/* Blocks "oauth" of the client's configuration, and the accounts that name
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/conf/client_conf.h"
#include "client/conf/oauth_client.h"

#define ACCOUNT \
	"account \"a\" { email = \"ana@example.org\" server = \"pop\" oauth " \
	"= "

static char file[] = "/tmp/test_oauth_conf.XXXXXX";
static struct client_conf conf;
static char first[1024];

static void
hear(void *arg, bool is_error, const char *words)
{
	if (is_error && first[0] == '\0')
		snprintf(first, sizeof(first), "%s", words + strlen(file) + 1);
}

static enum err
load(const char *text, mode_t mode)
{
	FILE *f = fopen(file, "w");

	fputs(text, f);
	fclose(f);
	chmod(file, mode);
	client_conf_free(&conf);
	first[0] = '\0';
	return client_conf_load(&conf, file, hear, NULL);
}

/* The client of the one account. */
static const struct oauth_client *
take(const char *text)
{
	if (load(text, 0600) != E_OK)
		fail_msg("of:\n%s\nis said: %s", text, first);
	assert_non_null(conf.v[0].client);
	return conf.v[0].client;
}

static void
refuse(const char *text, const char *words)
{
	if (load(text, 0600) != E_CONFIG)
		fail_msg("of:\n%s\nis said nothing", text);
	if (strcmp(first, words) != 0)
		fail_msg("of:\n%s\nis said:\n%s", text, first);
}

static void
a_provider_is_known(void **state)
{
	static const char *const names[] = { "google", "microsoft", "yahoo",
		"fastmail" };
	const struct oauth_client *c;
	char text[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text),
		    ACCOUNT "\"%s\" }\noauth \"%s\" { client_id = \"id\" }\n",
		    names[i], names[i]);
		c = take(text);
		assert_string_equal(c->name, names[i]);
		assert_string_equal(c->client_id, "id");
		assert_null(c->client_secret);
		assert_int_equal(c->flow, OAUTH_ANY);
		assert_memory_equal(c->authorization_url, "https://", 8);
		assert_memory_equal(c->token_url, "https://", 8);
		assert_non_null(c->scope);
		assert_true((c->device_url != NULL) ==
			    (strcmp(names[i], "microsoft") == 0));
		assert_memory_equal(c->redirect_url, "http://", 7);
		assert_true(account_uses_token(&conf.v[0]));
	}
}

static void
a_block_has_a_name_of_its_own(void **state)
{
	const struct oauth_client *c = take(
	    "oauth \"work\" {\n provider = \"microsoft\"\n client_id = id\n"
	    " client_secret = 's'\n flow = \"client\"\n"
	    " token_url = \"https://example.org/t\"\n scope = \"x y\"\n"
	    " ca_file = \"ca.pem\"\n redirect_url = "
	    "\"http://localhost:8000/cb\"\n}\n" ACCOUNT "\"work\" }\n");

	assert_string_equal(c->client_secret, "s");
	assert_int_equal(c->flow, OAUTH_CLIENT);
	assert_string_equal(c->token_url, "https://example.org/t");
	assert_string_equal(c->scope, "x y");
	assert_string_equal(c->ca_file, "/tmp/ca.pem");
	assert_string_equal(c->redirect_url, "http://localhost:8000/cb");
	assert_non_null(c->device_url);
	assert_int_equal(c->line, 1);
}

static void
one_block_serves_several_accounts(void **state)
{
	take(ACCOUNT "\"google\" }\n"
		     "oauth \"other\" { provider = google client_id = x }\n"
		     "oauth \"google\" { client_id = y }\n"
		     "account \"b\" { email = \"b@example.org\" server = pop "
		     "oauth = \"google\" }\n"
		     "account \"c\" { email = \"c@example.org\" server = pop "
		     "oauth = \"other\" }\n");
	assert_string_equal(conf.v[0].client->client_id, "y");
	assert_ptr_equal(conf.v[0].client, conf.v[1].client);
	assert_string_equal(conf.v[2].client->client_id, "x");
}

/* The rest of a block that lacks nothing, from line 2 on. */
#define BLOCK(lines) \
	"oauth \"w\" { client_id = id\n" lines "\n}\n" ACCOUNT "\"w\" }\n"
#define WHOLE "token_url = \"https://a/t\" authorization_url = \"https://a/a\" "

static void
what_is_missing_is_said(void **state)
{
	refuse(ACCOUNT "\"google\" }\n",
	    "1: oauth = \"google\" needs a client_id; malote-oauth(7) says how "
	    "to get one; write it into a block: oauth \"google\" { client_id = "
	    "\"...\" }");
	refuse(ACCOUNT "\"work\" }\n",
	    "1: there is no block oauth \"work\"; malote.conf(5) says how to "
	    "write one");
	refuse("\noauth \"google\" {\n}\n" ACCOUNT "\"google\" }\n",
	    "2: oauth \"google\" has no client_id; malote-oauth(7) says how to "
	    "get one");
	refuse(BLOCK("authorization_url = \"https://a/a\""),
	    "1: oauth \"w\" has no token_url; write token_url = "
	    "\"https://...\"");
	refuse(BLOCK("token_url = \"https://a/t\""),
	    "1: oauth \"w\" says no place where it can be allowed; write "
	    "authorization_url = \"https://...\"");
	refuse(BLOCK(WHOLE "flow = \"device\""),
	    "2: oauth \"w\" gives out no codes for devices: leave flow out, or "
	    "write device_url = \"https://...\"");
	refuse(BLOCK("token_url = \"https://a/t\"\nflow = \"browser\""),
	    "3: oauth \"w\" has no authorization_url, which a browser needs; "
	    "write authorization_url = \"https://...\"");
	refuse(BLOCK(WHOLE "flow = \"client\""),
	    "2: flow = \"client\" signs in by a client_secret; write "
	    "client_secret = \"...\"");
	refuse(BLOCK(WHOLE) ACCOUNT "\"w\" token_command = 'x' }\n",
	    "5: found duplicate title 'a'; give each block a name of its "
	    "own");
	refuse("oauth \"w\" { client_id = id " WHOLE "}\n" ACCOUNT
	       "\"w\"\ntoken_command = 'x' }\n",
	    "2: there are both token_command and oauth; leave one of them");
}

static void
values_are_of_their_kind(void **state)
{
	refuse(BLOCK(WHOLE "\nflow = \"web\""),
	    "3: flow = \"web\" is not known; write \"browser\", \"device\" or "
	    "\"client\"");
	refuse(BLOCK(WHOLE "\nprovider = \"gogle\""),
	    "3: provider = \"gogle\" is not known; write \"google\", "
	    "\"microsoft\", \"yahoo\" or \"fastmail\", or leave it out and "
	    "write token_url, scope and authorization_url");
	refuse(BLOCK("token_url = \"http://a/t\""),
	    "2: token_url is not understood; write \"https://...\"");
	refuse(BLOCK("token_url = \"https://\""),
	    "2: token_url is not understood; write \"https://...\"");
	refuse(BLOCK("token_url = \"https://a b\""),
	    "2: token_url is not understood; write \"https://...\"");
}

static void
only_this_computer_is_redirected_to(void **state)
{
	static const char *const urls[] = { "https://localhost",
		"http://localhost.example.org", "http://localhost:0",
		"http://localhost:70000",
		"http://localhost:", "http://127.0.0.10",
		"http://127.0.0.1:80a", "http://127.0.0.1/x?y",
		"http://127.0.0.1@example.org/", "http://example.org/" };
	char text[512];

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		snprintf(text, sizeof(text),
		    BLOCK(WHOLE "\nredirect_url = \"%s\""), urls[i]);
		refuse(text, "3: redirect_url is not understood; write "
			     "\"http://localhost[:PORT][/PATH]\"");
	}
	take(BLOCK(WHOLE "redirect_url = \"http://localhost\""));
	take(BLOCK(WHOLE "redirect_url = \"http://127.0.0.1:80/\""));
}

static void
what_stands_in_the_wrong_block_is_known(void **state)
{
	refuse(BLOCK(WHOLE "\nserver = \"pop\""),
	    "3: server belongs into a block account; move it there");
	refuse("\n" ACCOUNT "\"w\"\nclient_id = \"x\"\n}\n",
	    "3: client_id belongs into a block oauth; move it there");
	refuse(BLOCK(WHOLE "\nclient_ids = \"x\""),
	    "3: there is no setting client_ids; did you mean client_id?");
	refuse(BLOCK(WHOLE "\nsecret = \"x\""),
	    "3: there is no setting secret; did you mean client_secret?");
	refuse(BLOCK(WHOLE "\nxyz = \"x\""),
	    "3: there is no setting xyz in a block oauth; malote.conf(5) lists "
	    "them");
}

static void
a_secret_is_in_a_file_of_ones_own(void **state)
{
	assert_int_equal(
	    load(BLOCK(WHOLE "\nclient_secret = 'x'"), 0644), E_CONFIG);
	assert_non_null(strstr(first, "3: client_secret stands in a file that "
				      "others may open"));
	assert_int_equal(load(BLOCK(WHOLE), 0644), E_OK);
}

static int
make_file(void **state)
{
	int fd = mkstemp(file);

	return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	client_conf_free(&conf);
	return unlink(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_provider_is_known),
		cmocka_unit_test(a_block_has_a_name_of_its_own),
		cmocka_unit_test(one_block_serves_several_accounts),
		cmocka_unit_test(what_is_missing_is_said),
		cmocka_unit_test(values_are_of_their_kind),
		cmocka_unit_test(only_this_computer_is_redirected_to),
		cmocka_unit_test(what_stands_in_the_wrong_block_is_known),
		cmocka_unit_test(a_secret_is_in_a_file_of_ones_own),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}

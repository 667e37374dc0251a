/*
 * Which user a principal is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/auth/principal.h"

#define MAP \
	"bob/mail@OTHER.TEST=bob  ann@OTHER.TEST=bob@b.org " \
	"eve@EXAMPLE.TEST=carol " \
	"a=b@EXAMPLE.TEST=dora none@EXAMPLE.TEST= bare"

static void
test_principals(void **state)
{
	static const struct {
		const char *principal, *user; /* NULL: nobody's */
	} v[] = {
		{ "ann@EXAMPLE.TEST", "ann" },
		{ "ann@SECOND.TEST", "ann" },
		{ "Ann.B-c_d@EXAMPLE.TEST", "Ann.B-c_d" },
		/* Another realm, or only something like ours. */
		{ "ann@EVIL.TEST", NULL },
		{ "ann@example.test", NULL },
		{ "ann@EXAMPLE.TEST.", NULL },
		{ "ann@EXAMPLE.TES", NULL },
		{ "ann@EXAMPLE.TEST SECOND.TEST", NULL },
		{ "ann@", NULL },
		{ "ann", NULL },
		{ "@EXAMPLE.TEST", NULL },
		{ "", NULL },
		/* Other components, and what is written as one is not. */
		{ "ann/admin@EXAMPLE.TEST", NULL },
		{ "pop/localhost@EXAMPLE.TEST", NULL },
		{ "ann\\/admin@EXAMPLE.TEST", NULL },
		{ "ann\\@EXAMPLE.TEST@EVIL.TEST", NULL },
		{ "ann\\@b.org@EXAMPLE.TEST", NULL },
		{ "ann@EVIL.TEST\\@EXAMPLE.TEST", NULL },
		/* The map goes first, and only as a whole. */
		{ "bob/mail@OTHER.TEST", "bob" },
		{ "bob@OTHER.TEST", NULL },
		{ "ann@OTHER.TEST", "bob@b.org" },
		{ "eve@EXAMPLE.TEST", "carol" },
		{ "a=b@EXAMPLE.TEST", "dora" },
		{ "none@EXAMPLE.TEST", NULL },
		{ "bare", NULL },
	};
	char user[NAME_MAX_OCTETS + 1];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		bool known = principal_user(
		    user, v[i].principal, MAP, " EXAMPLE.TEST  SECOND.TEST");

		if (known != (v[i].user != NULL) ||
		    (known && strcmp(user, v[i].user) != 0))
			fail_msg("%s", v[i].principal);
	}
	assert_false(principal_user(user, "ann@EXAMPLE.TEST", "", ""));
}

static void
test_long_names(void **state)
{
	char principal[512], user[NAME_MAX_OCTETS + 1];

	for (size_t n = NAME_MAX_OCTETS; n <= NAME_MAX_OCTETS + 1; n++) {
		memset(principal, 'x', n);
		strcpy(principal + n, "@R");
		assert_int_equal(principal_user(user, principal, "", "R"),
		    n == NAME_MAX_OCTETS);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_principals),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A filter of LDAP: no name can be anything but a name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/helper/db_filter.h"

static void
test_escaped(void **state)
{
	static const char *const v[][3] = {
		{ "(mail=$1)", "ann@d.org", "(mail=ann@d.org)" },
		{ "(&(uid=$2)(dc=$3))", "ann@d.org", "(&(uid=ann)(dc=d.org))" },
		{ "(dc=$3)", "ann", "(dc=)" },
		{ "(uid=$1)", "*", "(uid=\\2a)" },
		{ "(uid=$1)", "a)(uid=*", "(uid=a\\29\\28uid\\3d\\2a)" },
		{ "(uid=$1)", "a\\2a", "(uid=a\\5c2a)" },
		{ "(uid=$1)", "$2", "(uid=\\242)" },
		{ "(uid=$1)", "a&|!<>~", "(uid=a\\26\\7c\\21\\3c\\3e\\7e)" },
		{ "(uid=$1)", "jos\xc3\xa9", "(uid=jos\\c3\\a9)" },
		/* What the admin wrote is a filter. */
		{ "(|(uid=$1)(cn=*\\28$))", "a", "(|(uid=a)(cn=*\\28$))" },
	};
	struct db_parameters p;
	struct errbuf eb;
	char out[128];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		db_parameters(&p, v[i][0], v[i][1]);
		assert_int_equal(
		    db_filter(out, sizeof(out), v[i][0], &p, &eb), E_OK);
		assert_string_equal(out, v[i][2]);
	}
}

/* RFC 4514 s2.4. */
static void
test_entry(void **state)
{
	static const char *const v[][3] = {
		{ "uid=$1,dc=d", "ann@d.org", "uid=ann@d.org,dc=d" },
		{ "uid=$2,dc=$3", "ann@d.org", "uid=ann,dc=d.org" },
		{ "uid=$1,dc=d", "a,uid=b", "uid=a\\2cuid\\3db,dc=d" },
		{ "uid=$1,dc=d", "a+cn=b", "uid=a\\2bcn\\3db,dc=d" },
		{ "uid=$1", " a ", "uid=\\20a\\20" },
		{ "uid=$1", "#0401", "uid=\\230401" },
		{ "uid=$1", "a\\2c", "uid=a\\5c2c" },
		{ "uid=$1", "<a>;\"b\"", "uid=\\3ca\\3e\\3b\\22b\\22" },
		{ "uid=$1", "jos\xc3\xa9", "uid=jos\\c3\\a9" },
	};
	struct db_parameters p;
	struct errbuf eb;
	char out[128];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		db_parameters(&p, v[i][0], v[i][1]);
		assert_int_equal(
		    db_dn(out, sizeof(out), v[i][0], &p, &eb), E_OK);
		assert_string_equal(out, v[i][2]);
	}
}

static void
test_room(void **state)
{
	struct db_parameters p;
	struct errbuf eb = { "" };
	char out[10];

	db_parameters(&p, "(uid=$1)", "abc");
	assert_int_equal(db_filter(out, 10, "(uid=$1)", &p, &eb), E_OK);
	assert_int_equal(db_filter(out, 9, "(uid=$1)", &p, &eb), E_FULL);
	assert_true(eb.text[0] != '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escaped),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shared objects that are loaded when they are needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/module.h"

static void
test_found(void **state)
{
	const char *thing = module_find("test-now", "thing");

	(void)state;
	assert_non_null(thing);
	assert_string_equal(thing, "here");
	assert_null(module_find("test-now", "nothing"));
}

static void
test_not_installed(void **state)
{
	(void)state;
	assert_null(module_find("test-nowhere", "thing"));
}

/* As after an update while the program runs. */
static void
test_other_version(void **state)
{
	(void)state;
	assert_null(module_find("test-older", "thing"));
	assert_null(module_find("test-unmarked", "thing"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_installed),
		cmocka_unit_test(test_other_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

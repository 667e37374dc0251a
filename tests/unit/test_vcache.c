/*
 * The cache of verified passwords.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>

#include "server/auth/vcache.h"

static void
test_has(void **state)
{
	struct vcache *c = vcache_new();
	uint64_t t = 5000;

	(void)state;
	assert_false(vcache_has(c, "anna", "$h", "pw", t));
	vcache_add(c, "anna", "$h", "pw", t);
	assert_true(vcache_has(c, "anna", "$h", "pw", t));
	/* Any other triple is unknown, also one of the same octets. */
	assert_false(vcache_has(c, "annb", "$h", "pw", t));
	assert_false(vcache_has(c, "anna", "$H", "pw", t));
	assert_false(vcache_has(c, "anna", "$h", "pW", t));
	assert_false(vcache_has(c, "anna", "$h", "", t));
	assert_false(vcache_has(c, "anna$", "h", "pw", t));
	assert_false(vcache_has(c, "anna", "$hp", "w", t));
	/* Its life is not prolonged by looking. */
	assert_true(vcache_has(c, "anna", "$h", "pw", t + VCACHE_LIFE_MS - 1));
	assert_false(vcache_has(c, "anna", "$h", "pw", t + VCACHE_LIFE_MS));
	vcache_add(c, "anna", "$h", "pw", t + VCACHE_LIFE_MS);
	assert_true(vcache_has(c, "anna", "$h", "pw", t + VCACHE_LIFE_MS));
	vcache_free(c);
}

static void
test_bounded(void **state)
{
	struct vcache *c = vcache_new();
	unsigned new = 0, old = 0;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		vcache_add(c, name, "$h", "pw", i + 1);
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		old += vcache_has(c, name, "$h", "pw", 100000);
		snprintf(name, sizeof(name), "u%u", 99999 - i);
		new += vcache_has(c, name, "$h", "pw", 100000);
	}
	assert_true(old < 10); /* the oldest gave way */
	assert_true(new > 990);
	vcache_free(c);
}

static void
test_again_takes_no_room(void **state)
{
	struct vcache *c = vcache_new();

	(void)state;
	vcache_add(c, "first", "$h", "pw", 1);
	for (unsigned i = 0; i < 1000; i++)
		vcache_add(c, "same", "$h", "pw", 2 + i);
	assert_true(vcache_has(c, "first", "$h", "pw", 1002));
	assert_true(vcache_has(c, "same", "$h", "pw", 1002));
	vcache_free(c);
}

static int
init(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_again_takes_no_room),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}

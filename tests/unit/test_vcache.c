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

static struct vcache_key
key(const char *user, const char *stored, const char *password)
{
	return (
	    struct vcache_key){ "users", "pop3", user, stored, 7, password };
}

static bool
has(const struct vcache *c, struct vcache_key k, uint64_t t)
{
	return vcache_has(c, &k, t);
}

static void
add(struct vcache *c, struct vcache_key k, uint64_t t)
{
	vcache_add(c, &k, t);
}

static void
test_has(void **state)
{
	struct vcache *c = vcache_new();
	struct vcache_key anna = key("anna", "$h", "pw");
	uint64_t t = 5000;

	(void)state;
	assert_false(has(c, anna, t));
	add(c, anna, t);
	assert_true(has(c, anna, t));
	/* Any other key is unknown, also one of the same octets. */
	assert_false(has(c, key("annb", "$h", "pw"), t));
	assert_false(has(c, key("anna", "$H", "pw"), t));
	assert_false(has(c, key("anna", "$h", "pW"), t));
	assert_false(has(c, key("anna", "$h", ""), t));
	assert_false(has(c, key("anna$", "h", "pw"), t));
	assert_false(has(c, key("anna", "$hp", "w"), t));
	/* Its life is not prolonged by looking. */
	assert_true(has(c, anna, t + VCACHE_LIFE_MS - 1));
	assert_false(has(c, anna, t + VCACHE_LIFE_MS));
	add(c, anna, t + VCACHE_LIFE_MS);
	assert_true(has(c, anna, t + VCACHE_LIFE_MS));
	vcache_clear(c);
	assert_false(has(c, anna, t + VCACHE_LIFE_MS));
	vcache_free(c);
}

/* Each part of a key counts, alone. */
static void
test_parts(void **state)
{
	struct vcache *c = vcache_new();
	struct vcache_key is = { "a", "b", "c", "d", 1, "e" };
	struct vcache_key other[] = { is, is, is, is, is, is };

	(void)state;
	other[0].database = "x";
	other[1].service = "x";
	other[2].user = "x";
	other[3].stored = "x";
	other[4].row = 2;
	other[5].password = "x";
	add(c, is, 1);
	assert_true(has(c, is, 2));
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (has(c, other[i], 2))
			fail_msg("part %zu", i);
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
		add(c, key(name, "$h", "pw"), i + 1);
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		old += has(c, key(name, "$h", "pw"), 100000);
		snprintf(name, sizeof(name), "u%u", 99999 - i);
		new += has(c, key(name, "$h", "pw"), 100000);
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
	add(c, key("first", "$h", "pw"), 1);
	for (unsigned i = 0; i < 1000; i++)
		add(c, key("same", "$h", "pw"), 2 + i);
	assert_true(has(c, key("first", "$h", "pw"), 1002));
	assert_true(has(c, key("same", "$h", "pw"), 1002));
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
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_again_takes_no_room),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}

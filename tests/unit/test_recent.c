/*
 * Who signed in from where lately, with a clock of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sodium.h>

#include "server/auth/recent.h"

static struct recent *r;
static uint64_t now;

static int
fresh(void **state)
{
	(void)state;
	now = 1000000;
	return sodium_init() < 0 || (r = recent_new()) == NULL ? -1 : 0;
}

static int
done(void **state)
{
	(void)state;
	recent_free(r);
	return 0;
}

static struct slice
words(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static bool
confirms(uint64_t origin, const char *user, const char *password)
{
	return recent_confirms(
	    r, recent_who(r, origin, user), words(password), now);
}

static void
test_confirms(void **state)
{
	uint64_t who = recent_who(r, 1, "anna");

	(void)state;
	assert_false(recent_has(r, who, now));
	recent_add(r, who, words("secret"), now);
	assert_true(recent_has(r, who, now));
	assert_true(confirms(1, "anna", "secret"));
	assert_false(confirms(2, "anna", "secret"));
	assert_false(confirms(1, "bob", "secret"));
	assert_true(confirms(1, "anna", "secret"));
	now += RECENT_MS;
	assert_false(recent_has(r, who, now));
	assert_false(confirms(1, "anna", "secret"));
}

/* One question about a wrong password is the last one. */
static void
test_guess_ends_it(void **state)
{
	(void)state;
	recent_add(r, recent_who(r, 1, "anna"), words("secret"), now);
	assert_false(confirms(1, "anna", "Secret"));
	assert_false(confirms(1, "anna", "secret"));
	assert_false(recent_has(r, recent_who(r, 1, "anna"), now));
}

static void
test_doubt(void **state)
{
	uint64_t who = recent_who(r, 1, "anna");

	(void)state;
	recent_doubt(r, who);
	recent_add(r, who, words("secret"), now);
	recent_doubt(r, recent_who(r, 1, "bob"));
	assert_true(recent_has(r, who, now));
	recent_doubt(r, who);
	assert_false(recent_has(r, who, now));
	assert_false(confirms(1, "anna", "secret"));
	recent_add(r, who, words("secret"), now);
	assert_true(confirms(1, "anna", "secret"));
}

/* That they came from there is not undone by a wrong password. */
static void
test_came(void **state)
{
	uint64_t who = recent_who(r, 1, "anna");

	(void)state;
	assert_false(recent_came(r, who, now));
	recent_doubt(r, who);
	assert_false(recent_came(r, who, now));
	recent_add(r, who, words("secret"), now);
	recent_doubt(r, who);
	assert_true(recent_came(r, who, now));
	assert_false(recent_came(r, recent_who(r, 2, "anna"), now));
	assert_false(recent_came(r, recent_who(r, 1, "bob"), now));
	now += RECENT_CAME_MS - 1;
	assert_true(recent_came(r, who, now));
	now++;
	assert_false(recent_came(r, who, now));
}

/* Many more than fit: the newest are known. */
static void
test_flood(void **state)
{
	unsigned kept = 0;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++, now++)
		recent_add(r, recent_who(r, i, "anna"), words("x"), now);
	for (uint64_t i = 99900; i < 100000; i++)
		kept += recent_has(r, recent_who(r, i, "anna"), now);
	assert_true(kept > 95);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_confirms, fresh, done),
		cmocka_unit_test_setup_teardown(
		    test_guess_ends_it, fresh, done),
		cmocka_unit_test_setup_teardown(test_doubt, fresh, done),
		cmocka_unit_test_setup_teardown(test_came, fresh, done),
		cmocka_unit_test_setup_teardown(test_flood, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"

static bool fails;

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails ? NULL : __real_reallocarray(p, n, size);
}

static void
test_room(void **state)
{
	size_t n = 0, room = 0, grown = 0;
	uint32_t *v = NULL;

	for (uint32_t i = 0; i < 10000; i++) {
		size_t before = room;
		uint32_t *more = array_room(v, n, &room, sizeof(*v));

		assert_non_null(more);
		assert_true(room > n);
		grown += room != before;
		v = more;
		v[n++] = i;
	}
	assert_true(grown < 16);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(v[i], i);
	free(v);
}

/* What there is stays. */
static void
test_no_memory(void **state)
{
	size_t room = 0;
	char *v = array_room(NULL, 0, &room, 1), *more;
	size_t before = room;

	assert_non_null(v);
	v[0] = 'x';
	fails = true;
	more = array_room(v, room, &room, 1);
	fails = false;
	assert_null(more);
	assert_int_equal(room, before);
	assert_int_equal(v[0], 'x');
	free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

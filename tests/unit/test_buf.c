/* Buffers: their bound, lent memory, memory that is short, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/buf.h"

static void
test_queue(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096, false);
	assert_null(b.mem);
	assert_int_equal(buf_put(&b, "", 0), E_OK);
	assert_null(b.mem);
	assert_int_equal(buf_put(&b, "abc", 3), E_OK);
	assert_int_equal(buf_printf(&b, "%d-%s", 12, "x"), E_OK);
	assert_int_equal(b.len, 7);
	assert_memory_equal(buf_data(&b), "abc12-x", 7);
	buf_consume(&b, 4);
	assert_memory_equal(buf_data(&b), "2-x", 3);
	buf_trim(&b);
	assert_non_null(b.mem);
	buf_consume(&b, 3);
	buf_trim(&b);
	assert_null(b.mem);
	assert_int_equal(buf_put(&b, "again", 5), E_OK);
	buf_free(&b);
	assert_null(b.mem);
	assert_int_equal(b.max, 4096);
}

static void
test_bound(void **state)
{
	char text[1000] = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, sizeof(text), false);
	assert_null(buf_room(&b, sizeof(text) + 1));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_int_equal(buf_put(&b, text, sizeof(text) + 1), E_FULL);
	assert_int_equal(buf_put(&b, text, sizeof(text)), E_OK);
	assert_int_equal(buf_put(&b, text, 1), E_FULL);
	assert_int_equal(b.len, sizeof(text));
	assert_true(b.cap <= sizeof(text));
	buf_consume(&b, 1);
	assert_int_equal(buf_put(&b, "z", 1), E_OK);
	assert_int_equal(buf_data(&b)[sizeof(text) - 1], 'z');
	buf_free(&b);
	buf_init(&b, 4096, false);
	assert_int_equal(buf_printf(&b, "%01100d", 1), E_FULL);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

/* A buffer of 700 octets against a plain array, 20,000 random steps; in some
 * of them it is lent 200 octets. */
static void
test_model(void **state)
{
	char model[700], text[300], lent[200];
	size_t n = 0;
	unsigned seed = 7;
	struct buf b;

	(void)state;
	buf_init(&b, sizeof(model), true);
	for (unsigned i = 0; i < 20000; i++) {
		size_t k = (size_t)rand_r(&seed) % sizeof(text);

		if (rand_r(&seed) % 2 == 0) {
			memset(text, (int)(i % 251), k);
			if (n + k > sizeof(model)) {
				assert_int_equal(buf_put(&b, text, k), E_FULL);
			} else {
				assert_int_equal(buf_put(&b, text, k), E_OK);
				memcpy(model + n, text, k);
				n += k;
			}
		} else {
			k = k < n ? k : n;
			buf_consume(&b, k);
			memmove(model, model + k, n - k);
			n -= k;
		}
		assert_int_equal(b.len, n);
		if (n != 0)
			assert_memory_equal(buf_data(&b), model, n);
		if (i % 97 == 0)
			buf_trim(&b);
		if (i % 13 == 0)
			buf_lend(&b, lent, sizeof(lent));
		if (i % 13 == 5) {
			assert_int_equal(buf_reclaim(&b), E_OK);
			assert_true(b.mem != lent);
		}
	}
	buf_free(&b);
}

static void
test_lent(void **state)
{
	char lent[64], text[100] = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 4096, false);
	buf_lend(&b, lent, sizeof(lent));
	assert_int_equal(buf_put(&b, "abc", 3), E_OK);
	assert_ptr_equal(buf_data(&b), lent);
	buf_consume(&b, 3);
	buf_trim(&b);
	assert_int_equal(buf_put(&b, "defg", 4), E_OK);
	assert_ptr_equal(buf_data(&b), lent);
	buf_consume(&b, 1);
	assert_int_equal(buf_reclaim(&b), E_OK);
	assert_ptr_not_equal(buf_data(&b), lent);
	assert_int_equal(b.len, 3);
	assert_memory_equal(buf_data(&b), "efg", 3);
	/* It has memory of its own, with something in it. */
	buf_lend(&b, lent, sizeof(lent));
	assert_ptr_not_equal(buf_data(&b), lent);
	buf_consume(&b, 3);
	buf_lend(&b, lent, sizeof(lent));
	assert_int_equal(buf_put(&b, "h", 1), E_OK);
	assert_ptr_equal(buf_data(&b), lent);
	/* More than was lent. */
	assert_int_equal(buf_put(&b, text, sizeof(text)), E_OK);
	assert_ptr_not_equal(buf_data(&b), lent);
	assert_int_equal(buf_data(&b)[0], 'h');
	assert_int_equal(b.len, 1 + sizeof(text));
	buf_free(&b);
	/* None left: nothing is kept. */
	buf_lend(&b, lent, sizeof(lent));
	assert_int_equal(buf_reclaim(&b), E_OK);
	assert_null(b.mem);
	buf_lend(&b, lent, sizeof(lent));
	assert_int_equal(buf_put(&b, "i", 1), E_OK);
	alloc_fail(1);
	assert_int_equal(buf_reclaim(&b), E_NOMEM);
	alloc_fail(0);
	assert_null(b.mem);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 4096);
}

static void
test_no_memory(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096, false);
	alloc_fail(1);
	assert_int_equal(buf_put(&b, "a", 1), E_NOMEM);
	alloc_fail(1);
	assert_null(buf_room(&b, 1));
	alloc_fail(0);
	assert_int_equal(buf_put(&b, "a", 1), E_OK);
	alloc_fail(1);
	assert_null(buf_room(&b, 2000));
	alloc_fail(1);
	assert_int_equal(buf_printf(&b, "%0600d", 1), E_NOMEM);
	alloc_fail(0);
	assert_int_equal(b.len, 1);
	assert_int_equal(buf_data(&b)[0], 'a');
	buf_free(&b);
}

static void
test_secret(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096, true);
	assert_int_equal(buf_put(&b, "PASS hunter2\r\nSTAT", 18), E_OK);
	buf_consume(&b, 14);
	assert_memory_equal(b.mem, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0STAT", 18);
	buf_free(&b);
}

static void
test_unput(void **state)
{
	char last[4] = "";
	struct buf b;

	buf_init(&b, 4096, true);
	buf_unput(&b, NULL, 0);
	assert_int_equal(buf_put(&b, "head key tail", 13), E_OK);
	buf_consume(&b, 5);
	buf_unput(&b, last, 4);
	assert_memory_equal(last, "tail", 4);
	buf_unput(&b, NULL, 1);
	assert_int_equal(b.len, 3);
	assert_memory_equal(buf_data(&b), "key\0\0\0\0\0", 8);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_lent),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_unput),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Blocks of handshakes: apart from each other, whole when they grow, and back
 * to the kernel when they are free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/crypto.h>

#include "net/tls_memory.h"

enum { MANY = 3000, SIZE = 21848 };

static size_t
resident(void)
{
	unsigned long size, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool
is_all(const unsigned char *p, size_t n, unsigned char c)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != c)
			return false;
	return true;
}

/* More than there are places: the rest is malloc's. */
static void
test_many(void **state)
{
	static unsigned char *p[MANY];
	size_t before, full;

	(void)state;
	before = resident();
	for (unsigned i = 0; i < MANY; i++) {
		assert_non_null(p[i] = OPENSSL_malloc(SIZE));
		memset(p[i], (int)(i % 251), SIZE);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_true(is_all(p[i], SIZE, (unsigned char)(i % 251)));
	full = resident() - before;
	/* The blocks of the pool are the first ones. */
	for (unsigned i = 0; i < 2000; i++)
		OPENSSL_free(p[i]);
	assert_true(resident() - before + (size_t)1900 * SIZE < full);
	for (unsigned i = 0; i < 2000; i++) {
		assert_non_null(p[i] = OPENSSL_malloc(SIZE));
		memset(p[i], 7, SIZE);
	}
	for (unsigned i = 2000; i < MANY; i++)
		assert_true(is_all(p[i], SIZE, (unsigned char)(i % 251)));
	for (unsigned i = 0; i < MANY; i++)
		OPENSSL_free(p[i]);
}

static void
test_resize(void **state)
{
	static const size_t sizes[] = { 10, 12 * 1024, 16384, 24 * 1024,
		24 * 1024 + 1, 100000, 20000, 5, 13000, 30000 };
	unsigned char *p = OPENSSL_malloc(10);
	size_t n = 10;

	(void)state;
	memset(p, 'x', n);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = OPENSSL_realloc(p, sizes[i]);
		assert_non_null(p);
		assert_true(is_all(p, n < sizes[i] ? n : sizes[i], 'x'));
		n = sizes[i];
		memset(p, 'x', n);
	}
	OPENSSL_free(p);
	assert_null(OPENSSL_malloc(0));
	p = OPENSSL_malloc(SIZE);
	assert_null(OPENSSL_realloc(p, 0));
	p = OPENSSL_zalloc(SIZE);
	assert_true(is_all(p, SIZE, 0));
	OPENSSL_clear_free(p, SIZE);
	OPENSSL_free(NULL);
}

static void
test_twice(void **state)
{
	char *p = OPENSSL_malloc(SIZE);

	(void)state;
	strcpy(p, "kept");
	assert_true(tls_memory_pool());
	assert_string_equal(p, "kept");
	OPENSSL_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_twice),
	};

	if (!tls_memory_pool())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * courierpop3dsizelist: what is read from it, and what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/store/maildir/foreign.h"

static struct slice
str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static enum err
read_lines(struct foreign *f, enum store_uidl kind, const char *const *line)
{
	enum err e = E_OK;

	foreign_init(f, kind);
	for (; *line != NULL && e == E_OK; line++) {
		/* On the heap, so that reading beyond the end shows. */
		char *copy = strndup(*line, strlen(*line));
		size_t n = strlen(*line);

		copy = realloc(copy, n != 0 ? n : 1);
		e = foreign_line(f, (struct slice){ copy, n });
		free(copy);
	}
	return e;
}

static void
expect(const struct foreign *f, const char *base, const char *want)
{
	struct uid u;

	if (want == NULL) {
		assert_false(foreign_uid(f, str(base), "%08Xu%08Xv", &u));
		return;
	}
	assert_true(foreign_uid(f, str(base), "%08Xu%08Xv", &u));
	assert_int_equal(u.n, strlen(want));
	assert_memory_equal(u.s, want, u.n);
}

/* F-CPL-01: split from the right, as names may hold spaces. */
static void
test_version_3(void **state)
{
	static const char *const line[] = { "/3 12 1234567",
		"1.a 3 5:1234567:0", "2.b:2,S 3 6:0:1", "3.c 3 0:0:0",
		"with space:2, 77 7:9:0", NULL };
	struct foreign f;

	(void)state;
	assert_int_equal(read_lines(&f, UIDL_COURIER, line), E_OK);
	expect(&f, "1.a", "UID5-1234567");
	expect(&f, "2.b", "UID6");
	expect(&f, "3.c", "3.c");
	expect(&f, "with space", "UID7-9");
	expect(&f, "another", NULL);
	assert_int_equal(f.junk, 0);
	foreign_free(&f);
}

static void
test_version_2(void **state)
{
	static const char *const line[] = { "/2 12 1234567", "1.a 3 5:1234567",
		NULL };
	struct foreign f;

	(void)state;
	assert_int_equal(read_lines(&f, UIDL_COURIER, line), E_OK);
	expect(&f, "1.a", "UID5-1234567");
	foreign_free(&f);
}

static void
test_junk(void **state)
{
	static const char *const line[] = { "/3 1 1", "", " ", "  ", "a", "a 1",
		"a 1 ", "a 1 1", "a 1 1:", "a x 1:1:0", "a 1 x:1:0",
		"a 1 1:4294967296:0", " 1 1:1:0", "a 1 1:1:0", "a 1 2:1:0",
		NULL };
	struct foreign f;

	(void)state;
	assert_int_equal(read_lines(&f, UIDL_COURIER, line), E_OK);
	expect(&f, "a", "UID1-1");
	assert_int_equal(f.n, 1);
	foreign_free(&f);
}

static void
test_headers(void **state)
{
	static const char *const bad[] = { "", "/", "/3", "/3 1", "/1 1 1",
		"/4 1 1", "3 1 1", "/3 1 x", "/3 1 4294967296" };
	struct foreign f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const line[] = { bad[i], NULL };

		assert_int_equal(read_lines(&f, UIDL_COURIER, line), E_FORMAT);
		foreign_free(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_3),
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

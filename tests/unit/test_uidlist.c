/*
 * dovecot-uidlist: what is read from it, and what is not.
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

/* F-DUL-01, F-DUL-02: as Dovecot 2.3.19 wrote it and answered UIDL. */
static void
test_version_3(void **state)
{
	static const char *const line[] = {
		"3 V1795312625 N4 Gd44d1b08f14b026bde13000083ecc375",
		"1 W16 :1700000001.M1P1.host,S=13",
		"2 PCustom.id W16 :1700000002.M2P1.host,S=13:2,S",
		"3 G0123456789abcdef0123456789abcdef P W16 "
		":1700000003.M3P1.host,S=13",
		"9 :with space:2,FS", NULL
	};
	struct foreign f;

	(void)state;
	assert_int_equal(read_lines(&f, UIDL_DOVECOT, line), E_OK);
	expect(&f, "1700000001.M1P1.host,S=13", "000000016b024bf1");
	expect(&f, "1700000002.M2P1.host,S=13", "Custom.id");
	expect(&f, "1700000003.M3P1.host,S=13", "1700000003.M3P1.host,S=13");
	expect(&f, "with space", "000000096b024bf1");
	expect(&f, "another", NULL);
	assert_int_equal(f.junk, 0);
	foreign_free(&f);
}

static void
test_version_1(void **state)
{
	static const char *const line[] = { "1 255 3", "1 a:2,S", "2 b", NULL };
	struct foreign f;

	(void)state;
	assert_int_equal(read_lines(&f, UIDL_DOVECOT, line), E_OK);
	expect(&f, "a", "00000001000000ff");
	expect(&f, "b", "00000002000000ff");
	foreign_free(&f);
}

/* Lines that make no sense are counted, the others read. */
static void
test_junk(void **state)
{
	static const char *const line[] = { "3 V1 N9", "", "x", "1", "1 ",
		"0 :zero", "4294967296 :large", "5 :a", "5 :again", "4 :back",
		"6  :double space", "7 W3", "8 :", "9 :a", "10 :b", NULL };
	struct foreign f;

	(void)state;
	assert_int_equal(read_lines(&f, UIDL_DOVECOT, line), E_OK);
	assert_int_equal(foreign_line(&f, (struct slice){ NULL, 0 }), E_OK);
	expect(&f, "a", "0000000500000001");
	expect(&f, "b", "0000000a00000001");
	expect(&f, "again", NULL);
	expect(&f, "back", NULL);
	expect(&f, "zero", NULL);
	assert_int_equal(f.n, 2);
	foreign_free(&f);
}

static void
test_headers(void **state)
{
	static const char *const bad[] = { "", "3", "3 ", "3 N1", "3 Vx",
		"2 V1", "4 V1", "x V1", "1 x", "3 V4294967296" };
	struct foreign f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const line[] = { bad[i], NULL };

		assert_int_equal(read_lines(&f, UIDL_DOVECOT, line), E_FORMAT);
		foreign_free(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_3),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

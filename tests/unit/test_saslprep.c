/*
 * SASLprep: RFC 4013 s3 and what goes with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "sasl/sasl.h"

#define LIT(s) ((struct slice){ (s), sizeof(s) - 1 })

static enum err
prep(struct slice in, enum sasl_prep kind, char out_r[64], struct errbuf *eb)
{
	struct buf out;
	enum err e;

	buf_init(&out, 64, true);
	e = sasl_prep(&out, in, kind, eb);
	assert_true(e == E_OK || out.len == 0);
	if (out.len != 0)
		memcpy(out_r, buf_data(&out), out.len);
	out_r[out.len] = '\0';
	buf_free(&out);
	return e;
}

static void
test_vectors(void **state)
{
	/* B-4013-01 */
	static const struct {
		struct slice in;
		const char *query, *stored; /* NULL: an error */
	} v[] = {
		{ LIT("I\xc2\xadX"), "IX", "IX" },
		{ LIT("user"), "user", "user" },
		{ LIT("USER"), "USER", "USER" },
		{ LIT("\xc2\xaa"), "a", "a" },
		{ LIT("\xe2\x85\xa8"), "IX", "IX" },
		{ LIT("\x07"), NULL, NULL },
		{ LIT("\xd8\xa7\x31"), NULL, NULL },
		/* A space that is not ASCII; an accent of its own. */
		{ LIT("a\xc2\xa0z"), "a z", "a z" },
		{ LIT("e\xcc\x81"), "\xc3\xa9", "\xc3\xa9" },
		{ LIT(" a  b "), " a  b ", " a  b " },
		/* Unassigned in Unicode 3.2. */
		{ LIT("\xc8\xa1"), "\xc8\xa1", NULL },
		/* Right-to-left all through. */
		{ LIT("\xd8\xa7\xd8\xa8"), "\xd8\xa7\xd8\xa8",
		    "\xd8\xa7\xd8\xa8" },
		{ LIT("\x7f"), NULL, NULL },
		{ LIT("a\nb"), NULL, NULL },
		{ LIT("a\0b"), NULL, NULL },
		{ LIT("\xc3\xa9\0"), NULL, NULL },
		{ LIT("\xc2\x80"), NULL, NULL },     /* a control character */
		{ LIT("\xee\x80\x80"), NULL, NULL }, /* private use */
		{ LIT("\xef\xbf\xbd"), NULL, NULL }, /* replacement */
		{ LIT("\xff"), NULL, NULL },
		{ LIT("\xc0\xaf"), NULL, NULL },
		{ LIT("\xc2\xad"), NULL, NULL }, /* nothing is left */
		{ LIT(""), NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		for (int kind = 0; kind < 2; kind++) {
			const char *want =
			    kind == SASL_PREP_STORED ? v[i].stored : v[i].query;
			struct errbuf eb = { "" };
			char out[64];

			assert_int_equal(prep(v[i].in, kind, out, &eb),
			    want != NULL ? E_OK : E_FORMAT);
			assert_string_equal(out, want != NULL ? want : "");
			assert_int_equal(eb.text[0] == '\0', want != NULL);
		}
}

static void
test_lengths(void **state)
{
	char in[1025];
	struct buf out;

	(void)state;
	memset(in, 'a', sizeof(in));
	buf_init(&out, 4096, true);
	assert_int_equal(
	    sasl_prep(&out, (struct slice){ in, 1024 }, SASL_PREP_QUERY, NULL),
	    E_OK);
	assert_int_equal(out.len, 1024);
	assert_int_equal(
	    sasl_prep(&out, (struct slice){ in, 1025 }, SASL_PREP_QUERY, NULL),
	    E_FORMAT);
	/* It is appended. */
	assert_int_equal(
	    sasl_prep(&out, LIT("\xc2\xaa"), SASL_PREP_QUERY, NULL), E_OK);
	assert_int_equal(out.len, 1025);
	buf_free(&out);
	/* Longer than there is room. */
	buf_init(&out, 1, true);
	assert_int_equal(
	    sasl_prep(&out, LIT("\xe2\x85\xa8"), SASL_PREP_QUERY, NULL),
	    E_FORMAT);
	buf_free(&out);
}

/* Of a name only the direction of writing is not looked at. */
static void
test_name(void **state)
{
	static const struct {
		struct slice in;
		const char *out; /* NULL: an error */
	} v[] = {
		{ LIT("I\xc2\xadX"), "IX" },
		{ LIT("\xe2\x85\xa8"), "IX" },
		{ LIT("\xc8\xa1"), "\xc8\xa1" }, /* not in Unicode 3.2 */
		{ LIT("\xd7\x90\x31@x"), "\xd7\x90\x31@x" },
		{ LIT("\xd7\x90\xe2\x80\xae"), NULL }, /* an override */
		{ LIT("\xee\x80\x80"), NULL },
		{ LIT("\x07"), NULL },
		{ LIT("\xff"), NULL },
	};
	char out[64];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(prep(v[i].in, SASL_PREP_NAME, out, NULL),
		    v[i].out != NULL ? E_OK : E_FORMAT);
		assert_string_equal(out, v[i].out != NULL ? v[i].out : "");
	}
}

static void
test_if_possible(void **state)
{
	static const struct {
		struct slice in;
		const char *out;
	} v[] = {
		{ LIT("\xe2\x85\xa8"), "IX" },
		{ LIT("\xd7\x90\x31"), "\xd7\x90\x31" },
		{ LIT("\xee\x80\x80"), "\xee\x80\x80" },
		{ LIT("\xff"), "\xff" },
		{ LIT(""), "" },
	};
	struct buf out;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		buf_init(&out, 64, true);
		assert_int_equal(sasl_prep_if_possible(&out, v[i].in), E_OK);
		assert_int_equal(out.len, strlen(v[i].out));
		if (out.len != 0)
			assert_memory_equal(buf_data(&out), v[i].out, out.len);
		buf_free(&out);
	}
}

static void
test_no_memory(void **state)
{
	char out[64];

	(void)state;
	alloc_fail(1);
	assert_int_equal(
	    prep(LIT("\xc2\xaa"), SASL_PREP_QUERY, out, NULL), E_NOMEM);
	assert_true(alloc_failed());
	alloc_fail(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_if_possible),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Base64, strictly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/b64.h"
#include "guard.h"

static struct slice
slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

/* RFC 4648 s10, and what POP3 sends. */
static void
test_vectors(void **state)
{
	static const struct {
		const char *plain, *text;
	} row[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "Username:", "VXNlcm5hbWU6" },
		{ "\xfb\xff\xbf", "+/+/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = strlen(row[i].plain), len = strlen(row[i].text);
		char *out = guard_room(0, B64_ENCODED(n));
		char *plain = guard_copy(1, row[i].plain, n);

		assert_int_equal(B64_ENCODED(n), len);
		b64_encode(out, plain, n);
		assert_memory_equal(out, row[i].text, len);
		assert_int_equal(
		    b64_decode(out, (struct slice){ out, len }, &n), E_OK);
		assert_int_equal(n, strlen(row[i].plain));
		assert_memory_equal(out, row[i].plain, n);
	}
}

/* S-5034-06, M-19 */
static void
test_strict(void **state)
{
	static const char *const bad[] = { "=", "==", "===", "====", "A", "AA",
		"AAA", "A===", "=AAA", "AAA=BBB", "AAA=BBBB",
		"AA==AA==", "A=AA", "AA=A", "AAAA=", "AAAAAA=", "AA A", " AAA",
		"AAA ", "AAAA\r\n", "AAA\n", "AAA-", "AAA_", "AAA*", "*",
		"AB==", "AAB=", "////Zh==", "\301AAA", "AA@A", "AA[A", "AA`A",
		"AA{A", "AA:A", "AA.A", "AA,A" };
	char out[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct slice in = slice_of(bad[i]);

		in.p = guard_copy(0, in.p, in.n);
		assert_int_equal(b64_decode(out, in, &n), E_FORMAT);
	}
	assert_int_equal(
	    b64_decode(out, (struct slice){ "AA\0=", 4 }, &n), E_FORMAT);
}

/* Every octet in every place, decoded in place; NUL is an octet as others. */
static void
test_round(void **state)
{
	unsigned char plain[259], *text;

	(void)state;
	for (size_t n = 0; n <= sizeof(plain); n++) {
		size_t len = B64_ENCODED(n), out_n;

		for (size_t i = 0; i < n; i++)
			plain[i] = (unsigned char)(i * 7 + n);
		text = (unsigned char *)guard_room(0, len);
		b64_encode((char *)text, plain, n);
		assert_int_equal(
		    b64_decode((char *)text,
			(struct slice){ (char *)text, len }, &out_n),
		    E_OK);
		assert_int_equal(out_n, n);
		assert_memory_equal(text, plain, n);
	}
}

/* What is accepted is what the encoder makes: one text for one content. */
static void
test_one_to_one(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < 300000; i++) {
		static const char some[] = "AQgw+/9z=*";
		char in[8], out[8], again[8];
		size_t n;

		for (size_t j = 0; j < sizeof(in); j++)
			in[j] = some[(size_t)rand_r(&seed) % 10];
		if (b64_decode(out, (struct slice){ in, 8 }, &n) != E_OK)
			continue;
		b64_encode(again, out, n);
		assert_memory_equal(in, again, 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_one_to_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

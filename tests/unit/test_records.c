/* MX and SRV records: the answers of name servers, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/records.h"

enum { MX = 15, SRV = 33 };

/* An answer to "d" with records of one type. */
struct answer {
	unsigned char p[2048];
	int n;
};

static void
put(struct answer *a, const void *p, size_t n)
{
	memcpy(a->p + a->n, p, n);
	a->n += (int)n;
}

static void
put16(struct answer *a, unsigned v)
{
	put(a, (unsigned char[]){ (unsigned char)(v >> 8), (unsigned char)v },
	    2);
}

static void
answer_start(struct answer *a, unsigned type)
{
	static const unsigned char header[] = { 0, 1, 0x81, 0x80, 0, 1, 0, 0, 0,
		0, 0, 0 };

	a->n = 0;
	put(a, header, sizeof(header));
	put(a, "\1d", 3);
	put16(a, type);
	put16(a, 1);
}

/* numbers: priority, and of SRV weight and port; name: as on the wire. */
static void
answer_add(struct answer *a, unsigned type, const unsigned *numbers, size_t n,
    const char *name, size_t name_n)
{
	a->p[7]++;
	put(a, "\xc0\x0c", 2);
	put16(a, type);
	put16(a, 1);
	put(a, "\0\0\0\1", 4);
	put16(a, (unsigned)(2 * n + name_n));
	for (size_t i = 0; i < n; i++)
		put16(a, numbers[i]);
	put(a, name, name_n);
}

#define ADD_MX(a, priority, name) \
	answer_add(a, MX, (const unsigned[]){ priority }, 1, name, sizeof(name))
#define ADD_SRV(a, priority, weight, port, name) \
	answer_add(a, SRV, (const unsigned[]){ priority, weight, port }, 3, \
	    name, sizeof(name))

static void
the_best_mx_comes_first(void **state)
{
	struct record v[RECORDS_MAX];
	struct answer a;

	answer_start(&a, MX);
	ADD_MX(&a, 20, "\6second\4TEST");
	ADD_MX(&a, 10, "\5First\4test");
	assert_int_equal(records_parse(v, RECORDS_MX, a.p, a.n), 2);
	assert_string_equal(v[0].host, "first.test");
	assert_int_equal(v[0].priority, 10);
	assert_string_equal(v[1].host, "second.test");
}

static void
the_best_srv_comes_first(void **state)
{
	struct record v[RECORDS_MAX];
	struct answer a;

	answer_start(&a, SRV);
	ADD_SRV(&a, 1, 9, 1110, "\4late\4test");
	ADD_SRV(&a, 0, 1, 1111, "\5light\4test");
	ADD_SRV(&a, 0, 5, 1112, "\5heavy\4test");
	assert_int_equal(records_parse(v, RECORDS_SRV, a.p, a.n), 3);
	assert_string_equal(v[0].host, "heavy.test");
	assert_int_equal(v[0].port, 1112);
	assert_string_equal(v[1].host, "light.test");
	assert_string_equal(v[2].host, "late.test");
}

/* RFC 2782: a target of "." says that there is no such service. */
static void
the_root_is_no_server(void **state)
{
	struct record v[RECORDS_MAX];
	struct answer a;

	answer_start(&a, SRV);
	ADD_SRV(&a, 0, 0, 0, "");
	assert_int_equal(records_parse(v, RECORDS_SRV, a.p, a.n), 0);
	answer_start(&a, SRV);
	ADD_SRV(&a, 0, 0, 995, "");
	assert_int_equal(records_parse(v, RECORDS_SRV, a.p, a.n), 0);
	answer_start(&a, MX);
	ADD_MX(&a, 0, "");
	assert_int_equal(records_parse(v, RECORDS_MX, a.p, a.n), 0);
}

static void
names_that_are_none_are_left_out(void **state)
{
	struct record v[RECORDS_MAX];
	struct answer a;

	answer_start(&a, SRV);
	ADD_SRV(&a, 0, 0, 995, "\7a b\nc/d\4test");
	ADD_SRV(&a, 1, 0, 995, "\3pop\4test");
	assert_int_equal(records_parse(v, RECORDS_SRV, a.p, a.n), 1);
	assert_string_equal(v[0].host, "pop.test");
}

static void
there_is_a_bound(void **state)
{
	struct record v[RECORDS_MAX];
	struct answer a;

	answer_start(&a, MX);
	for (unsigned i = 0; i < RECORDS_MAX + 5; i++)
		ADD_MX(&a, i, "\2mx\4test");
	assert_int_equal(records_parse(v, RECORDS_MX, a.p, a.n), RECORDS_MAX);
}

static void
what_is_cut_is_no_answer(void **state)
{
	struct record v[RECORDS_MAX];
	struct answer a;

	answer_start(&a, MX);
	ADD_MX(&a, 20, "\6second\4test");
	for (int n = 0; n < a.n; n++)
		assert_int_equal(records_parse(v, RECORDS_MX, a.p, n), 0);
	assert_int_equal(records_parse(v, RECORDS_SRV, a.p, a.n), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_mx_comes_first),
		cmocka_unit_test(the_best_srv_comes_first),
		cmocka_unit_test(the_root_is_no_server),
		cmocka_unit_test(names_that_are_none_are_left_out),
		cmocka_unit_test(there_is_a_bound),
		cmocka_unit_test(what_is_cut_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

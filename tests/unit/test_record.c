#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/state/record.h"

static bool fails;

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails ? NULL : __real_reallocarray(p, n, size);
}

/* As a session does: it stores n messages, the first of them with that id. */
static void
store(struct record *r, int64_t id, size_t n)
{
	assert_int_equal(record_make_room(r, n), E_OK);
	assert_int_equal(r->n_fresh, 0);
	while (n-- > 0)
		r->fresh[r->n_fresh++] = (struct message){ .id = id++ };
}

static void
a_session_knows_what_those_before_it_stored(void **state)
{
	struct record r = { .n_messages = 0 };

	assert_int_equal(record_settle(&r), E_OK); /* nothing was stored */
	store(&r, 1, 3);
	assert_int_equal(record_settle(&r), E_OK);
	store(&r, 4, 0);
	assert_int_equal(record_settle(&r), E_OK);
	store(&r, 4, 7);
	assert_int_equal(record_settle(&r), E_OK);
	assert_int_equal(r.n_messages, 10);
	for (size_t i = 0; i < r.n_messages; i++)
		assert_int_equal(r.messages[i].id, i + 1);
	record_clear(&r);
	assert_null(r.messages);
	assert_int_equal(r.n_messages, 0);
}

/* What a plan has borrowed stays where it is while more is stored. */
static void
storing_moves_nothing(void **state)
{
	struct record r = { .n_messages = 0 };
	const struct message *borrowed;

	store(&r, 1, 1);
	assert_int_equal(record_settle(&r), E_OK);
	borrowed = r.messages;
	store(&r, 2, 100000);
	assert_ptr_equal(r.messages, borrowed);
	assert_int_equal(borrowed->id, 1);
	record_clear(&r);
}

/* Whoever goes on all the same would collect again what is here. */
static void
it_says_that_it_does_not_know_all(void **state)
{
	struct record r = { .n_messages = 0 };

	fails = true;
	assert_int_equal(record_make_room(&r, 1), E_NOMEM);
	fails = false;
	store(&r, 1, 1);
	fails = true;
	assert_int_equal(record_settle(&r), E_NOMEM);
	fails = false;
	assert_int_equal(r.n_messages, 0);
	assert_int_equal(r.n_fresh, 1);
	record_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_knows_what_those_before_it_stored),
		cmocka_unit_test(storing_moves_nothing),
		cmocka_unit_test(it_says_that_it_does_not_know_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

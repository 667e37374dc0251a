/* The settings of a store's sessions, which many have. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/terms.h"

static void
last_user_frees(void **state)
{
	static const struct store_conf conf = { .takeover = 7 };
	size_t before = mallinfo2().uordblks;
	struct terms *t = terms_new(&conf);

	(void)state;
	assert_non_null(t);
	assert_ptr_equal(terms_get(t), t);
	terms_put(t);
	assert_int_equal(t->conf.takeover, 7);
	terms_put(t);
	assert_int_equal(mallinfo2().uordblks, before);
	terms_put(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_user_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

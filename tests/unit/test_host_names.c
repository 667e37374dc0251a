/*
 * getaddrinfo() in bounded time.  That a resolver which does not answer has these few
 * threads only is seen where there is one: test_databases_attacked.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netdb.h>
#include <pthread.h>

#include "base/clock.h"
#include "net/host_names.h"

enum { LONG = 60 * 1000, MANY = 16 };

static int
resolve(const char *name)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int r = getaddrinfo(name, "143", &hints, &found);

	if (r != 0)
		return r;
	assert_non_null(found->ai_addr);
	freeaddrinfo(found);
	return 0;
}

static void
test_in_time(void **state)
{
	struct addrinfo *found;

	host_names_deadline(clock_ms() + LONG);
	assert_int_equal(resolve("localhost"), 0);
	assert_int_equal(resolve("127.0.0.1"), 0);
	assert_int_equal(getaddrinfo("localhost", NULL, NULL, &found), 0);
	freeaddrinfo(found);
	assert_int_equal(getaddrinfo(NULL, "143", NULL, &found), 0);
	freeaddrinfo(found);
}

/* What is an address needs nobody. */
static void
test_too_late(void **state)
{
	host_names_deadline(1);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(resolve("localhost"), EAI_AGAIN);
	assert_int_equal(resolve("127.0.0.1"), 0);
	host_names_deadline(0);
	assert_int_equal(resolve("localhost"), 0);
}

static void *
ask(void *arg)
{
	host_names_deadline(clock_ms() + LONG);
	for (int i = 0; i < MANY; i++)
		if (resolve("localhost") != 0)
			return arg;
	return NULL;
}

/* More threads than are asked by. */
static void
test_many(void **state)
{
	pthread_t thread[MANY];
	void *failed;

	for (int i = 0; i < MANY; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, ask, thread), 0);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_time),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_many),
	};
	struct errbuf eb;

	if (host_names_begin(&eb) != E_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Numbers that several processes count in memory of their own each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/ipc/tally.h"

enum { PAGES = 5, STRIDE = 65536 };

static int fd[2];

static int
begin(void **state)
{
	struct errbuf eb;

	return tally_create(PAGES, fd, &eb) == E_OK ? 0 : -1;
}

static int
end(void **state)
{
	close(fd[0]);
	close(fd[1]);
	return 0;
}

static void
sum(struct tally_page *to)
{
	const void *all = tally_map(fd[1], PAGES);

	assert_non_null(all);
	tally_read(to, all, PAGES);
	munmap((void *)all, (size_t)PAGES * STRIDE);
}

/* Another process, which counts on that page. */
static void
count_in(unsigned page, void (*count)(void))
{
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		tally_use(fd[0], page);
		count();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
some(void)
{
	tally_add(TALLY_CONNECTIONS, 3);
	tally_add(TALLY_ENDED, 1);
	tally_add(TALLY_HASH_QUEUE, 2);
	tally_less(TALLY_HASH_QUEUE, 1);
	tally_sign_in("PLAIN", TALLY_GOOD);
	tally_sign_in("NEVER-HEARD-OF", TALLY_BAD);
	tally_sign_in(NULL, TALLY_NO_TLS);
	tally_sign_in("PLAIN", TALLY_OUTCOMES); /* there is none */
}

static void
test_sum(void **state)
{
	struct tally_page all;

	count_in(0, some);
	count_in(PAGES - 1, some);
	count_in(PAGES - 1, some);
	sum(&all);
	assert_int_equal(all.counter[TALLY_CONNECTIONS], 9);
	assert_int_equal(all.counter[TALLY_ENDED], 3);
	assert_int_equal(all.counter[TALLY_HASH_QUEUE], 3);
	assert_string_equal(tally_mechanism(2), "PLAIN");
	assert_int_equal(all.sign_ins[2][TALLY_GOOD], 3);
	assert_int_equal(all.sign_ins[TALLY_MECHANISMS - 1][TALLY_BAD], 3);
	assert_int_equal(all.sign_ins[TALLY_MECHANISMS - 1][TALLY_NO_TLS], 3);
	assert_null(tally_mechanism(TALLY_MECHANISMS - 1));
}

static void
times(void)
{
	tally_took(TALLY_SIGN_IN, 0);
	tally_took(TALLY_SIGN_IN, 1);
	tally_took(TALLY_SIGN_IN, 2);
	tally_took(TALLY_SIGN_IN, 100 * 1000);
}

static void
test_times(void **state)
{
	struct tally_page all;
	const uint64_t *t = all.times[TALLY_SIGN_IN];

	count_in(1, times);
	sum(&all);
	assert_int_equal(t[0], 2);
	assert_int_equal(t[1], 1);
	assert_int_equal(t[TALLY_BUCKETS], 1);
	assert_int_equal(t[TALLY_BUCKETS + 1], 100003);
}

/* The sessions of a process that died are over; what it has counted stays. */
static void
test_settle(void **state)
{
	struct tally_page all;
	struct errbuf eb;
	void *map;

	count_in(1, some);
	count_in(2, some);
	assert_int_equal(tally_map_all(&map, fd[0], PAGES, &eb), E_OK);
	tally_settle(map, 1);
	munmap(map, (size_t)PAGES * STRIDE);
	sum(&all);
	assert_int_equal(all.counter[TALLY_CONNECTIONS], 6);
	assert_int_equal(all.counter[TALLY_ENDED], 4);
	assert_int_equal(all.counter[TALLY_HASH_QUEUE], 1);
}

/* Who only reads cannot write, and nobody can make it smaller under others. */
static void
test_who_may(void **state)
{
	void *p =
	    mmap(NULL, STRIDE, PROT_READ | PROT_WRITE, MAP_SHARED, fd[1], 0);

	assert_ptr_equal(p, MAP_FAILED);
	assert_int_equal(ftruncate(fd[0], STRIDE), -1);
	assert_int_equal(ftruncate(fd[1], 0), -1);
}

/* Of somebody else: nothing is counted, and nothing breaks. */
static void
test_not_ours(void **state)
{
	int other = memfd_create("other", MFD_CLOEXEC);
	struct tally_page all;

	assert_int_equal(ftruncate(other, (off_t)PAGES * STRIDE), 0);
	assert_null(tally_map(other, PAGES));
	assert_null(tally_map(fd[1], PAGES + 1));
	tally_use(other, 0);
	tally_use(fd[0], PAGES);
	tally_use(-1, 0);
	tally_add(TALLY_CONNECTIONS, 1);
	sum(&all);
	assert_int_equal(all.counter[TALLY_CONNECTIONS], 0);
	close(other);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sum, begin, end),
		cmocka_unit_test_setup_teardown(test_times, begin, end),
		cmocka_unit_test_setup_teardown(test_settle, begin, end),
		cmocka_unit_test_setup_teardown(test_who_may, begin, end),
		cmocka_unit_test_setup_teardown(test_not_ours, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

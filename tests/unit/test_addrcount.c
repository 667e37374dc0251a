/* Connections per address, over all processes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/ipc/addrcount.h"

enum { ROWS = 3 };

static union {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
} address;

static const struct sockaddr *
addr(const char *text)
{
	memset(&address, 0, sizeof(address));
	if (strchr(text, ':') == NULL) {
		address.sa.sa_family = AF_INET;
		assert_int_equal(
		    inet_pton(AF_INET, text, &address.in4.sin_addr), 1);
	} else {
		address.sa.sa_family = AF_INET6;
		assert_int_equal(
		    inet_pton(AF_INET6, text, &address.in6.sin6_addr), 1);
	}
	return &address.sa;
}

static uint16_t
of(const struct addrcount *c, const char *text)
{
	return addrcount_of(c, addr(text));
}

static int
setup(void **state)
{
	static struct addrcount c;
	int fd[2];

	assert_int_equal(addrcount_create(ROWS, fd, NULL), E_OK);
	assert_int_equal(addrcount_map(&c, fd[0], ROWS, NULL), E_OK);
	close(fd[0]);
	close(fd[1]);
	*state = &c;
	return 0;
}

static int
teardown(void **state)
{
	addrcount_unmap(*state);
	return 0;
}

static void
total_is_over_all_rows(void **state)
{
	struct addrcount *c = *state;

	assert_int_equal(addrcount_enter(c, 0, of(c, "192.0.2.1")), 1);
	assert_int_equal(addrcount_enter(c, 1, of(c, "192.0.2.1")), 2);
	assert_int_equal(addrcount_enter(c, 2, of(c, "192.0.2.1")), 3);
	assert_int_equal(addrcount_enter(c, 0, of(c, "192.0.2.2")), 1);
	addrcount_leave(c, 1, of(c, "192.0.2.1"));
	assert_int_equal(addrcount_enter(c, 2, of(c, "192.0.2.1")), 3);
}

static void
ipv6_counts_by_its_first_64_bits(void **state)
{
	struct addrcount *c = *state;

	assert_int_equal(addrcount_enter(c, 0, of(c, "2001:db8:1:2::1")), 1);
	assert_int_equal(
	    addrcount_enter(c, 0, of(c, "2001:db8:1:2:ffff::9")), 2);
	assert_int_equal(addrcount_enter(c, 0, of(c, "2001:db8:1:3::1")), 1);
}

static void
mapped_ipv4_is_ipv4(void **state)
{
	struct addrcount *c = *state;

	assert_int_equal(addrcount_enter(c, 0, of(c, "192.0.2.1")), 1);
	assert_int_equal(addrcount_enter(c, 0, of(c, "::ffff:192.0.2.1")), 2);
}

static void
dead_process_counts_no_more(void **state)
{
	struct addrcount *c = *state;

	addrcount_enter(c, 0, of(c, "192.0.2.1"));
	addrcount_enter(c, 1, of(c, "192.0.2.1"));
	addrcount_clear_row(c, 1);
	assert_int_equal(addrcount_enter(c, 0, of(c, "192.0.2.1")), 2);
}

static void
leaving_too_often_stays_at_zero(void **state)
{
	struct addrcount *c = *state;

	addrcount_leave(c, 0, of(c, "192.0.2.1"));
	assert_int_equal(addrcount_enter(c, 0, of(c, "192.0.2.1")), 1);
}

static void
counter_does_not_wrap(void **state)
{
	struct addrcount *c = *state;
	uint32_t total = 0;

	for (int i = 0; i < 70000; i++)
		total = addrcount_enter(c, 0, of(c, "192.0.2.1"));
	assert_int_equal(total, UINT16_MAX);
}

static void
other_process_sees_it(void **state)
{
	struct addrcount *c = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		addrcount_enter(c, 1, of(c, "192.0.2.1"));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(addrcount_enter(c, 0, of(c, "192.0.2.1")), 2);
}

static void
size_is_sealed(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(addrcount_create(ROWS, fd, NULL), E_OK);
	assert_int_equal(ftruncate(fd[0], 0), -1);
	assert_int_equal(errno, EPERM);
	close(fd[0]);
	close(fd[1]);
}

static void
other_memory_is_refused(void **state)
{
	struct addrcount c;
	struct stat st;
	int fd[2], other;

	(void)state;
	assert_int_equal(addrcount_create(ROWS, fd, NULL), E_OK);
	assert_int_equal(addrcount_map(&c, fd[0], ROWS + 1, NULL), E_FORMAT);
	assert_int_equal(addrcount_map_row(&c, fd, ROWS, ROWS, NULL), E_FORMAT);
	/* Of the right size, but it could shrink. */
	other = memfd_create("other", MFD_CLOEXEC);
	assert_int_equal(fstat(fd[0], &st), 0);
	assert_int_equal(ftruncate(other, st.st_size), 0);
	assert_int_equal(addrcount_map(&c, other, ROWS, NULL), E_FORMAT);
	close(other);
	close(fd[0]);
	close(fd[1]);
}

/* True if the process could write there. */
static bool
can_write(void *p)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)p = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static void
one_writer_for_each_row(void **state)
{
	struct addrcount c[2];
	int fd[2];

	(void)state;
	assert_int_equal(addrcount_create(ROWS, fd, NULL), E_OK);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
		    addrcount_map_row(&c[i], fd, ROWS, i, NULL), E_OK);
	assert_int_equal(addrcount_enter(&c[0], 0, of(&c[0], "::1")), 1);
	assert_int_equal(addrcount_enter(&c[1], 1, of(&c[1], "::1")), 2);
	addrcount_leave(&c[0], 0, of(&c[0], "::1"));
	assert_int_equal(addrcount_enter(&c[1], 1, of(&c[1], "::1")), 2);
	assert_true(can_write(c[0].own));
	assert_false(can_write(c[0].shm));
	assert_int_equal(mprotect(c[0].shm, 4096, PROT_READ | PROT_WRITE), -1);
	assert_ptr_equal(
	    mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd[1], 0), MAP_FAILED);
	for (unsigned i = 0; i < 2; i++)
		addrcount_unmap(&c[i]);
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(total_is_over_all_rows),
		T(ipv6_counts_by_its_first_64_bits), T(mapped_ipv4_is_ipv4),
		T(dead_process_counts_no_more),
		T(leaving_too_often_stays_at_zero), T(counter_does_not_wrap),
		T(other_process_sees_it), T(size_is_sealed),
		T(other_memory_is_refused), T(one_writer_for_each_row) };

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

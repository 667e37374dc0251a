/*
 * Stores of users with uids of their own, and stores that are not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "auth_rig.h"
#include "base/clock.h"

static void
store_is_in(uint16_t index, uint32_t uid, uint32_t gid, uint32_t root)
{
	ipc_begin(rig.ctl, IPC_STORE_IS);
	ipc_put_u16(rig.ctl, index);
	ipc_put_u32(rig.ctl, uid);
	ipc_put_u32(rig.ctl, gid);
	ipc_put_u32(rig.ctl, root);
	sent_before_others(rig.ctl);
}

static void
store_is(uint16_t index, uint32_t uid, uint32_t gid)
{
	store_is_in(index, uid, gid, 0);
}

static void
test_own_store(void **state)
{
	struct opened o;
	int fd;

	(void)state;
	pass(1, "own", "secret");
	expect_wanted(1000, 1001);
	pass(2, "own2", "secret");
	assert_silent(rig.ctl_fd, QUIET); /* it is on its way */
	store_is(7, 1000, 1001);
	fd = attach(ROLE_STORE, 7);
	o = opened_at(fd, 1);
	assert_string_equal(o.mail, "maildir:/srv/mail/own/M");
	opened_at(fd, 2);
	pass(3, "own", "secret");
	opened_at(fd, 3);
	/* It ends when it idles; then another is wanted. */
	close(fd);
	usleep(QUIET * 1000);
	pass(4, "own", "secret");
	expect_wanted(1000, 1001);
	store_is(8, 1000, 1001);
	fd = attach(ROLE_STORE, 8);
	opened_at(fd, 4);
	close(fd);
}

/* Of one uid, but not of one group. */
static void
test_own_group(void **state)
{
	int one, two;

	(void)state;
	pass(1, "own", "secret");
	expect_wanted(1000, 1001);
	pass(2, "own3", "secret");
	expect_wanted(1000, 1002);
	store_is(7, 1000, 1002);
	two = attach(ROLE_STORE, 7);
	opened_at(two, 2);
	store_is(8, 1000, 1001);
	one = attach(ROLE_STORE, 8);
	opened_at(one, 1);
	pass(3, "own3", "secret");
	opened_at(two, 3);
	pass(4, "own", "secret");
	opened_at(one, 4);
	close(one);
	close(two);
}

/* Users of the file have their mail in another root than the stores that run all
 * the time are in. */
static int
set_up_other_root(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	conf.place[0].number = 3;
	start(&conf);
	return 0;
}

static void
test_other_root(void **state)
{
	int one, two;

	(void)state;
	pass(1, "anna", "secret");
	expect_wanted_in(5000, 5000, 3);
	for (size_t i = 0; i < STORES; i++)
		assert_silent(rig.store_fd[i], QUIET);
	pass(2, "own", "secret");
	expect_wanted_in(1000, 1001, 3);
	/* One of the same owner, but of another root, is none of theirs. */
	store_is_in(9, 5000, 5000, 2);
	close(attach(ROLE_STORE, 9));
	store_is_in(7, 5000, 5000, 3);
	one = attach(ROLE_STORE, 7);
	opened_at(one, 1);
	store_is_in(8, 1000, 1001, 3);
	two = attach(ROLE_STORE, 8);
	opened_at(two, 2);
	pass(3, "anna", "secret");
	opened_at(one, 3);
	close(one);
	close(two);
}

static void
say_idle(uint16_t index)
{
	ipc_begin(rig.ctl, IPC_IDLE);
	ipc_put_u16(rig.ctl, index);
	sent(rig.ctl);
}

static enum err
take_idle(void *arg, struct ipc_in *in)
{
	*(uint16_t *)arg = ipc_get_u16(in);
	return ipc_get_end(in);
}

/* A store that is idle is kept while somebody may be on the way to it, or
 * waits for one. */
static void
test_idle_store(void **state)
{
	uint16_t index = 0;
	int fd;

	(void)state;
	say_idle(8);
	assert_int_equal(
	    ipc_wait_one(rig.ctl_fd, IPC_IDLE, SOON, take_idle, &index), E_OK);
	assert_int_equal(index, 8);
	pass(1, "own", "secret");
	expect_wanted(1000, 1001);
	say_idle(8);
	assert_silent(rig.ctl_fd, QUIET);
	store_is(7, 1000, 1001);
	fd = attach(ROLE_STORE, 7);
	opened_at(fd, 1);
	say_idle(7);
	assert_silent(rig.ctl_fd, QUIET);
	pass(2, "own", "secret");
	opened_at(fd, 2);
	close(fd);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	refused(2, SIGN_IN_TEMPORARY, NULL);
}

static void
test_no_store(void **state)
{
	uint64_t t;
	int store;

	(void)state;
	pass(1, "own", "secret");
	pass(2, "own2", "secret");
	/* Who has come behind them is answered: both wait by now. */
	pass(5, "anna", "secret");
	opened(5, &store);
	expect_wanted(1000, 1001);
	no_store(999, 1001); /* nobody wanted it */
	no_store(1000, 1002);
	no_store(1000, 1001);
	refused(1, SIGN_IN_TEMPORARY, "no-store");
	refused(2, SIGN_IN_TEMPORARY, "no-store");
	t = clock_ms();
	pass(3, "own", "secret");
	expect_wanted(1000, 1001);
	pass(4, "own", "secret");
	about(0, IPC_SIGN_IN_END, 4);
	refused(3, SIGN_IN_TEMPORARY, "store-timeout");
	assert_in_range(clock_ms() - t, 9500, 13000);
	assert_silent(rig.pop3_fd[0], QUIET);
}

static void
test_store_down(void **state)
{
	int store;

	(void)state;
	pass(1, "anna", "secret");
	opened(1, &store);
	close(rig.store_fd[store]);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	pass(2, "anna", "secret");
	refused(2, SIGN_IN_TEMPORARY, "store-down");
	rig.store_fd[store] = attach(ROLE_STORE, (uint16_t)store);
	succeeds(3, "anna", "secret");
}

/* Whoever was given to it is refused, whichever end is noticed first; for
 * those who had its answer that is stale. */
static void
test_store_dies(void **state)
{
	int store;

	(void)state;
	pass(1, "anna", "secret");
	opened(1, &store);
	pass(2, "own", "secret");
	expect_wanted(1000, 1001);
	close(rig.store_fd[store]);
	refused(1, SIGN_IN_TEMPORARY, NULL);
	rig.store_fd[store] = attach(ROLE_STORE, (uint16_t)store);
	succeeds(3, "anna", "secret");
	close(rig.store_fd[store]);
	rig.store_fd[store] = attach(ROLE_STORE, (uint16_t)store);
	refused(3, SIGN_IN_TEMPORARY, NULL);
	assert_silent(rig.pop3_fd[0], QUIET);
	no_store(1000, 1001);
	refused(2, SIGN_IN_TEMPORARY, "no-store");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_own_store),
		TEST(test_own_group),
		TEST_SET_UP(test_other_root, set_up_other_root),
		TEST(test_idle_store),
		TEST(test_no_store),
		TEST(test_store_down),
		TEST(test_store_dies),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

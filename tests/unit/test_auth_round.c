/*
 * The round through all maildrops from which mail goes by itself: a store can
 * neither stop it nor hold it up for others.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth_rig.h"
#include "base/clock.h"

enum { USERS = 6, OFTEN_MS = 1 };

static struct ipc_chan *store[STORES];

static int
set_up_round(void **state)
{
	struct auth_conf conf = usual();

	conf.retention = 30;
	start(&conf);
	replace_users("a:{PLAIN}x\nb:{PLAIN}x\nc:{PLAIN}x\n"
		      "d:{PLAIN}x\ne:{PLAIN}x\nf:{PLAIN}x\n");
	for (int i = 0; i < STORES; i++)
		store[i] = ipc_open(
		    rig.loop, dup(rig.store_fd[i]), &no_rules, NULL, false);
	ipc_begin(rig.ctl, IPC_ROUND);
	sent(rig.ctl);
	await_check();
	send_users(rig.users);
	return 0;
}

static int
tear_down_round(void **state)
{
	for (int i = 0; i < STORES; i++)
		ipc_close(store[i]);
	return tear_down(state);
}

static enum err
take_expire(void *arg, struct ipc_in *in)
{
	char user[64], mail[256];

	ipc_get_str(in, user, sizeof(user));
	ipc_get_str(in, mail, sizeof(mail));
	assert_int_equal(ipc_get_u32(in), 30);
	return ipc_get_end(in);
}

/* Which store is asked next; -1: none within so long. */
static int
asked(int ms)
{
	struct pollfd p[STORES];

	for (int i = 0; i < STORES; i++)
		p[i] = (struct pollfd){ rig.store_fd[i], POLLIN, 0 };
	if (poll(p, STORES, ms) <= 0)
		return -1;
	for (int i = 0; i < STORES; i++)
		if (p[i].revents != 0) {
			assert_int_equal(
			    ipc_wait_one(rig.store_fd[i], IPC_EXPIRE, SOON,
				take_expire, NULL),
			    E_OK);
			return i;
		}
	return -1;
}

static void
say_expired(int i)
{
	ipc_begin(store[i], IPC_EXPIRED);
	sent(store[i]);
}

static bool
is_check_due(void)
{
	struct pollfd p = { rig.ctl_fd, POLLIN, 0 };

	return poll(&p, 1, OFTEN_MS) == 1;
}

/* Of a store that says all the time that it is ready, the one that was asked is
 * none the less waited for, and then the next one is asked. */
static void
test_noise(void **state)
{
	for (unsigned i = 0; i < USERS; i++) {
		int st = asked(SOON);
		uint64_t until = clock_ms() + SOON;

		assert_in_range(st, 0, STORES - 1);
		for (unsigned k = 0; k < 50; k++) {
			say_expired(1 - st);
			assert_false(is_check_due());
		}
		say_expired(st);
		while (!is_check_due()) {
			assert_true(clock_ms() < until);
			say_expired(i % 2 == 0 ? st : 1 - st);
		}
		answer_unchanged();
	}
	assert_int_equal(asked(QUIET), -1);
}

/* With the store that was asked ends what it was asked for. */
static void
test_store_dies(void **state)
{
	for (unsigned i = 0; i < USERS; i++) {
		int st = asked(SOON);

		assert_in_range(st, 0, STORES - 1);
		ipc_close(store[st]);
		close(rig.store_fd[st]);
		rig.store_fd[st] = attach(ROLE_STORE, (uint16_t)st);
		store[st] = ipc_open(
		    rig.loop, dup(rig.store_fd[st]), &no_rules, NULL, false);
		answer_unchanged();
	}
	assert_int_equal(asked(QUIET), -1);
}

#define ROUND(t) \
	cmocka_unit_test_setup_teardown(t, set_up_round, tear_down_round)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROUND(test_noise),
		ROUND(test_store_dies),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

/* The auth process, and peers that misbehave or are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth_rig.h"

enum misbehaviour {
	SHORT,
	UNKNOWN,
	TWO_AT_ONCE,
	STEP_OF_NONE,
	STEP_OF_A_PASSWORD,
	DESCRIPTOR,
	SHORT_DIGEST,
	OCTETS_BEHIND,
	MISBEHAVIOURS,
};

static void
misbehave(struct ipc_chan *c, enum misbehaviour how)
{
	switch (how) {
	case SHORT: ipc_begin(c, IPC_PASS); break;
	case UNKNOWN: ipc_begin(c, 9999); break;
	case TWO_AT_ONCE:
		sasl(1, "LOGIN", NULL, 0); /* on the other: fine */
		expect_challenge(1, "Username:");
		pass_from(1, 1, "::1", "own", "secret");
		expect_wanted(1000, 1001);
		pass_from(1, 1, "::1", "own", "secret");
		return;
	case STEP_OF_NONE:
		ipc_begin(c, IPC_SASL_STEP);
		ipc_put_u64(c, 1);
		ipc_put_str(c, "x");
		break;
	case STEP_OF_A_PASSWORD:
		pass_from(1, 1, "::1", "own", "secret");
		expect_wanted(1000, 1001);
		ipc_begin(c, IPC_SASL_STEP);
		ipc_put_u64(c, 1);
		ipc_put_str(c, "x");
		break;
	case DESCRIPTOR:
		ipc_begin(c, IPC_SIGN_IN_END);
		ipc_put_u64(c, 1);
		ipc_put_fd(c, rig.log_fd, FD_STAYS);
		break;
	case SHORT_DIGEST:
		begin_sign_in(1, IPC_APOP, 1, "::1");
		ipc_put_str(c, "anna");
		ipc_put_str(c, "<x>");
		ipc_put_str(c, "too short");
		break;
	default: /* OCTETS_BEHIND */
		ipc_begin(c, IPC_SIGN_IN_END);
		ipc_put_u64(c, 1);
		ipc_put_u8(c, 0);
		break;
	}
	sent(c);
}

static void
test_misbehaved(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MISBEHAVIOURS; i++) {
		struct ipc_chan *c = rig.pop3[1];

		misbehave(c, i);
		expect_misbehaved(ROLE_WORKER, 1, rig.pop3_fd[1]);
		ipc_close(c);
		rig.pop3_fd[1] = attach(ROLE_WORKER, 1);
		rig.pop3[1] =
		    ipc_open(rig.loop, rig.pop3_fd[1], &no_rules, NULL, true);
		/* The others go on. */
		succeeds(100 + i, "anna", "secret");
	}
	no_store(1000, 1001);
	assert_silent(rig.pop3_fd[1], QUIET);
	assert_int_equal(write(rig.store_fd[0], "x", 1), 1);
	expect_misbehaved(ROLE_STORE, 0, rig.store_fd[0]);
}

static void
no_worker(int store, uint16_t worker, uint64_t sid, uint32_t pid)
{
	struct ipc_chan *c = ipc_open(
	    rig.loop, dup(rig.store_fd[store]), &no_rules, NULL, false);

	ipc_begin(c, IPC_NO_WORKER);
	ipc_put_u16(c, worker);
	ipc_put_u64(c, sid);
	ipc_put_u32(c, pid);
	sent_before_others(c);
	ipc_close(c);
}

/* A store cannot reach the worker; of others' sign-ins it can say nothing. */
static void
test_no_worker(void **state)
{
	struct opened o;
	int store;

	(void)state;
	pass_from(1, 4, "::1", "anna", "secret");
	o = opened(4, &store);
	assert_int_equal(o.pop3, 1);
	no_worker(1 - store, 1, 4, rig.worker_pid[1]);
	no_worker(store, 0, 4, rig.worker_pid[0]);
	no_worker(store, 1, 5, rig.worker_pid[1]);
	no_worker(store, POP3S, 4, rig.worker_pid[1]);
	no_worker(
	    store, 1, 4, rig.worker_pid[0]); /* of one that was there before */
	assert_silent(rig.pop3_fd[1], QUIET);
	assert_silent(rig.pop3_fd[0], 0);
	no_worker(store, 1, 4, rig.worker_pid[1]);
	refused_at(1, 4, SIGN_IN_TEMPORARY, NULL);
	no_worker(store, 1, 4, rig.worker_pid[1]); /* it is over */
	assert_silent(rig.pop3_fd[1], QUIET);
}

static void
test_pop3_dies(void **state)
{
	(void)state;
	pass_from(1, 1, "::1", "own", "secret");
	expect_wanted(1000, 1001);
	pass_from(1, 2, "::1", "anna", "wrong");
	await_check();
	ipc_close(rig.pop3[1]);
	usleep(QUIET * 1000);
	send_users(NULL);
	no_store(1000, 1001);
	rig.pop3_fd[1] = attach(ROLE_WORKER, 1);
	rig.pop3[1] = ipc_open(rig.loop, rig.pop3_fd[1], &no_rules, NULL, true);
	assert_silent(rig.pop3_fd[1], QUIET);
	succeeds(3, "anna", "secret");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_misbehaved),
		TEST(test_no_worker),
		TEST(test_pop3_dies),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

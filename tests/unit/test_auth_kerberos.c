/*
 * Sign-in by a ticket of Kerberos: the process that looks at tickets is played
 * by us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "auth_rig.h"

static struct ipc_chan *judge;
static int judge_fd;

static void
judge_comes(const char *realms)
{
	judge_fd = attach(ROLE_KERBEROS, 0);
	judge = ipc_open(rig.loop, judge_fd, &no_rules, NULL, true);
	ipc_begin(judge, IPC_TICKET_KEYS);
	ipc_put_str(judge, realms);
	sent(judge);
}

static void
judge_dies(void)
{
	ipc_close(judge);
	judge = NULL;
}

struct asked {
	uint64_t id;
	uint8_t kind;
	char message[64];
};

static enum err
take_ticket(void *arg, struct ipc_in *in)
{
	struct asked *a = arg;

	a->id = ipc_get_u64(in);
	a->kind = ipc_get_u8(in);
	ipc_get_str(in, a->message, sizeof(a->message));
	return ipc_get_end(in);
}

static uint64_t
judge_is_asked(enum ticket_kind kind, const char *message)
{
	struct asked a;

	assert_int_equal(
	    ipc_wait_one(judge_fd, IPC_TICKET, SOON, take_ticket, &a), E_OK);
	assert_int_equal(a.kind, kind);
	assert_string_equal(a.message, message);
	return a.id;
}

static void
judge_says(uint64_t id, enum ticket_result result, const char *principal,
    const char *authzid, const char *reply)
{
	ipc_begin(judge, IPC_TICKET_ANSWER);
	ipc_put_u64(judge, id);
	ipc_put_u8(judge, (uint8_t)result);
	ipc_put_str(judge, principal);
	ipc_put_str(judge, authzid);
	ipc_put_str(judge, reply);
	ipc_put_str(judge, "because");
	sent(judge);
}

static enum err
take_end_id(void *arg, struct ipc_in *in)
{
	*(uint64_t *)arg = ipc_get_u64(in);
	return ipc_get_end(in);
}

static void
judge_hears_the_end(uint64_t id)
{
	uint64_t of;

	assert_int_equal(
	    ipc_wait_one(judge_fd, IPC_TICKET_END, SOON, take_end_id, &of),
	    E_OK);
	assert_int_equal(of, id);
}

static void
kpop(uint64_t sid, const char *ap_req)
{
	begin_sign_in(0, IPC_KPOP, sid, "192.0.2.1");
	ipc_put_str(rig.pop3[0], ap_req);
	sent(rig.pop3[0]);
}

static void
opened_as(uint64_t sid, const char *user)
{
	int store;
	struct opened o = opened(sid, &store);

	assert_string_equal(o.user, user);
}

static void
test_gssapi(void **state)
{
	uint64_t id;

	await_served("PLAIN", true);
	assert_null(strstr(rig.served, "GSSAPI"));
	sasl(1, "GSSAPI", "x", 1);
	refused(1, SIGN_IN_MALFORMED, "mechanism");
	judge_comes("EXAMPLE.TEST");
	await_served("GSSAPI", true);
	sasl(2, "GSSAPI", "one", 3);
	id = judge_is_asked(TICKET_GSSAPI, "one");
	judge_says(id, TICKET_MORE, "", "", "two");
	expect_challenge(2, "two");
	sasl_step(2, "three", 5);
	assert_int_equal(judge_is_asked(TICKET_STEP, "three"), id);
	judge_says(id, TICKET_GOOD, "anna@EXAMPLE.TEST", "anna", "");
	opened_as(2, "anna@d.org");
	/* Nobody, or somebody else, or not even that. */
	sasl(3, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_GOOD, "anna@OTHER.TEST", "", "");
	refused(3, SIGN_IN_CREDENTIALS, "principal");
	sasl(4, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_GOOD, "anna@EXAMPLE.TEST", "own", "");
	answer_unchanged();
	refused(4, SIGN_IN_CREDENTIALS, "authzid");
	sasl(5, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_GOOD, "stranger@EXAMPLE.TEST", "", "");
	answer_unchanged();
	refused(5, SIGN_IN_CREDENTIALS, "unknown-user");
	/* The users file locks them out. */
	sasl(6, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_GOOD, "zed@EXAMPLE.TEST", "", "");
	answer_unchanged();
	refused(6, SIGN_IN_CREDENTIALS, "locked");
	sasl(7, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_BAD, "", "", "");
	refused(7, SIGN_IN_CREDENTIALS, "ticket");
	sasl(8, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_MALFORMED, "", "", "");
	refused(8, SIGN_IN_MALFORMED, "malformed");
	sasl(9, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_FAILED, "", "", "");
	refused(9, SIGN_IN_TEMPORARY, "kerberos");
	judge_dies();
	await_served("GSSAPI", false);
}

/* The process is there, and a client has been asked for more. */
static uint64_t
begin_exchange(uint64_t sid)
{
	uint64_t id;

	judge_comes("EXAMPLE.TEST");
	await_served("GSSAPI", true);
	sasl(sid, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	judge_says(id, TICKET_MORE, "", "", "y");
	expect_challenge(sid, "y");
	return id;
}

/* Whoever waits for it is told at once; who was in the middle finds out. */
static void
test_judge_dies(void **state)
{
	begin_exchange(1);
	sasl(2, "GSSAPI", "x", 1);
	judge_is_asked(TICKET_GSSAPI, "x");
	judge_dies();
	refused(2, SIGN_IN_TEMPORARY, "kerberos");
	sasl_step(1, "z", 1);
	refused(1, SIGN_IN_TEMPORARY, "kerberos-down");
	judge_comes("EXAMPLE.TEST");
	await_served("GSSAPI", true);
	sasl(3, "GSSAPI", "x", 1);
	judge_is_asked(TICKET_GSSAPI, "x");
	judge_dies();
	refused(3, SIGN_IN_TEMPORARY, "kerberos");
}

/* It is told, and what it says afterwards is of no use. */
static void
test_ticket_given_up(void **state)
{
	uint64_t id, other;

	judge_comes("EXAMPLE.TEST");
	await_served("GSSAPI", true);
	sasl(1, "GSSAPI", "x", 1);
	id = judge_is_asked(TICKET_GSSAPI, "x");
	about(0, IPC_SIGN_IN_END, 1);
	judge_hears_the_end(id);
	judge_says(id, TICKET_GOOD, "anna@EXAMPLE.TEST", "", "");
	sasl(2, "GSSAPI", "x", 1);
	other = judge_is_asked(TICKET_GSSAPI, "x");
	assert_true(other != id);
	judge_says(id, TICKET_GOOD, "own@EXAMPLE.TEST", "", "");
	judge_says(other, TICKET_GOOD, "anna@EXAMPLE.TEST", "", "");
	opened_as(2, "anna@d.org");
	judge_dies();
}

/* What it was not asked ends the channel, not what goes by it. */
static void
test_judge_misbehaves(void **state)
{
	uint64_t id = begin_exchange(1);

	judge_says(id, TICKET_GOOD, "anna@EXAMPLE.TEST", "", "");
	expect_misbehaved(ROLE_KERBEROS, 0, judge_fd);
	succeeds(2, "anna", "secret");
	judge_dies();
}

static void
test_kpop(void **state)
{
	uint64_t id;

	kpop(1, "ap-req");
	refused(1, SIGN_IN_TEMPORARY, "kerberos-down");
	judge_comes("EXAMPLE.TEST");
	kpop(2, "ap-req");
	id = judge_is_asked(TICKET_AP_REQ, "ap-req");
	judge_says(id, TICKET_GOOD, "anna@EXAMPLE.TEST", "", "ap-rep");
	expect_challenge(2, "ap-rep");
	sasl_step(2, "anna", 4);
	opened_as(2, "anna@d.org");
	/* USER is somebody else. */
	kpop(3, "ap-req");
	id = judge_is_asked(TICKET_AP_REQ, "ap-req");
	judge_says(id, TICKET_GOOD, "anna@EXAMPLE.TEST", "", "");
	expect_challenge(3, "");
	sasl_step(3, "own", 3);
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "authzid");
	/* The words of the refusal are for the client. */
	kpop(4, "ap-req");
	id = judge_is_asked(TICKET_AP_REQ, "ap-req");
	judge_says(id, TICKET_BAD, "", "", "krb-error");
	refused(4, SIGN_IN_CREDENTIALS, "ticket");
	assert_string_equal(rig.refusal, "krb-error");
	/* There is only one message of it. */
	kpop(5, "ap-req");
	id = judge_is_asked(TICKET_AP_REQ, "ap-req");
	judge_says(id, TICKET_MORE, "", "", "");
	refused(5, SIGN_IN_MALFORMED, "malformed");
	judge_dies();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gssapi),
		TEST(test_judge_dies),
		TEST(test_ticket_given_up),
		TEST(test_judge_misbehaves),
		TEST(test_kpop),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

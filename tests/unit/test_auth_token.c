/*
 * Sign-in by a token of OAuth: the process that looks at tokens is played by us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth_rig.h"

static struct ipc_chan *net;
static int net_fd;

static void
net_comes(void)
{
	net_fd = attach(ROLE_NET, 0);
	net = ipc_open(rig.loop, net_fd, &no_rules, NULL, true);
}

static void
net_dies(void)
{
	ipc_close(net);
	net = NULL;
}

struct asked {
	uint64_t id;
	char token[64];
};

static enum err
take_token(void *arg, struct ipc_in *in)
{
	struct asked *a = arg;

	a->id = ipc_get_u64(in);
	ipc_get_str(in, a->token, sizeof(a->token));
	return ipc_get_end(in);
}

static uint64_t
net_is_asked(const char *token)
{
	struct asked a;

	assert_int_equal(
	    ipc_wait_one(net_fd, IPC_TOKEN, SOON, take_token, &a), E_OK);
	assert_string_equal(a.token, token);
	return a.id;
}

static void
net_says(
    uint64_t id, enum token_result result, uint8_t issuer, const char *user)
{
	ipc_begin(net, IPC_TOKEN_IS);
	ipc_put_u64(net, id);
	ipc_put_u8(net, (uint8_t)result);
	ipc_put_u8(net, issuer);
	ipc_put_str(net, user);
	ipc_put_str(net, result == TOKEN_GOOD ? "" : "because");
	sent(net);
}

static void
bring(uint64_t sid, const char *user, const char *token)
{
	char text[256];
	int n = snprintf(
	    text, sizeof(text), "user=%s\1auth=Bearer %s\1\1", user, token);

	sasl(sid, "XOAUTH2", text, (size_t)n);
}

static struct auth_conf
with_issuer(void)
{
	struct auth_conf conf = usual();

	conf.n_issuers = 1;
	conf.issuer[0] =
	    (struct known_issuer){ .name = "somebody", .scope = "mail" };
	conf.token_timeout = 10;
	return conf;
}

static int
set_up_issuer(void **state)
{
	struct auth_conf conf = with_issuer();

	start(&conf);
	return 0;
}

static int
set_up_costly(void **state)
{
	struct auth_conf conf = with_issuer();

	conf.penalties = true;
	start(&conf);
	return 0;
}

static void
opened_as(uint64_t sid, const char *user)
{
	int store;
	struct opened o = opened(sid, &store);

	assert_string_equal(o.user, user);
}

static void
test_tokens(void **state)
{
	await_served("XOAUTH2", true);
	bring(1, "anna", "t1");
	refused(1, SIGN_IN_TEMPORARY, "oauth-down");
	net_comes();
	bring(2, "anna", "t2");
	net_says(net_is_asked("t2"), TOKEN_GOOD, 1, "anna");
	opened_as(2, "anna@d.org");
	/* The same, as the rule for names has it. */
	bring(3, "Anna@D.org", "t3");
	net_says(net_is_asked("t3"), TOKEN_GOOD, 1, "anna@d.org");
	opened_as(3, "anna@d.org");
	/* Who is not whose token it is, or nobody, or locked out. */
	bring(4, "own", "t4");
	net_says(net_is_asked("t4"), TOKEN_GOOD, 1, "anna");
	answer_unchanged();
	refused(4, SIGN_IN_CREDENTIALS, "authzid");
	bring(5, "stranger", "t5");
	net_says(net_is_asked("t5"), TOKEN_GOOD, 1, "stranger");
	answer_unchanged();
	refused(5, SIGN_IN_CREDENTIALS, "unknown-user");
	bring(6, "zed", "t6");
	net_says(net_is_asked("t6"), TOKEN_GOOD, 1, "zed");
	answer_unchanged();
	refused(6, SIGN_IN_CREDENTIALS, "locked");
	bring(7, "anna", "t7");
	net_says(net_is_asked("t7"), TOKEN_FAILED, 1, "");
	refused(7, SIGN_IN_TEMPORARY, "oauth");
	net_dies();
}

/* The client is told first, and what it says then is of no matter. */
static void
test_refusals(void **state)
{
	net_comes();
	bring(1, "anna", "t1");
	net_says(net_is_asked("t1"), TOKEN_BAD, 1, "");
	expect_challenge(1,
	    "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}");
	sasl_step(1, "user=anna\1auth=Bearer t2\1\1", 27);
	refused(1, SIGN_IN_CREDENTIALS, "token");
	bring(2, "anna", "t2");
	net_says(net_is_asked("t2"), TOKEN_NARROW, 1, "");
	expect_challenge(2,
	    "{\"status\":\"403\",\"schemes\":\"bearer\",\"scope\":\"mail\"}");
	about(0, IPC_SIGN_IN_END, 2);
	bring(3, "anna", "t3");
	net_says(net_is_asked("t3"), TOKEN_BAD, 0, "");
	expect_challenge(3, "{\"status\":\"401\",\"schemes\":\"bearer\"}");
	sasl_step(3, "", 0);
	refused(3, SIGN_IN_CREDENTIALS, "token");
	assert_int_equal(count_logged("ev=login-failed"), 3);
	assert_int_equal(count_logged("why=scope"), 1);
	net_dies();
}

/* It counts when it is known, whether or not somebody waits for it; and the next
 * token of that address is not looked at before that has been paid for. */
static void
test_failures_count(void **state)
{
	uint64_t id;

	net_comes();
	bring(1, "anna", "t1");
	id = net_is_asked("t1");
	about(0, IPC_SIGN_IN_END, 1);
	assert_silent(net_fd, QUIET); /* it comes first */
	net_says(id, TOKEN_BAD, 1, "");
	for (int i = 0; i < SOON / 10 && count_logged("why=token") == 0; i++) {
		usleep(10 * 1000);
		(void)log_text();
	}
	assert_int_equal(count_logged("why=token"), 1);
	bring(2, "anna", "t2");
	assert_silent(net_fd, 2 * QUIET);
	id = net_is_asked("t2");
	net_says(id, TOKEN_GOOD, 1, "anna");
	opened_as(2, "anna@d.org");
	net_dies();
}

/* What nobody waits for any more is of no use to anybody else. */
static void
test_given_up(void **state)
{
	uint64_t id, other;

	net_comes();
	bring(1, "anna", "t1");
	id = net_is_asked("t1");
	about(0, IPC_SIGN_IN_END, 1);
	assert_silent(net_fd, QUIET); /* it comes first */
	net_says(id, TOKEN_GOOD, 1, "anna");
	bring(2, "same", "t2");
	other = net_is_asked("t2");
	assert_true(other != id);
	net_says(id, TOKEN_GOOD, 1, "anna");
	net_says(other, TOKEN_GOOD, 1, "same");
	opened_as(2, "same@d.org");
	/* Who waits when it dies is told. */
	bring(3, "anna", "t3");
	net_is_asked("t3");
	net_dies();
	refused(3, SIGN_IN_TEMPORARY, "oauth");
}

/* A token is good only if somebody has issued it, to somebody. */
static void
test_misbehaves(void **state)
{
	static const struct {
		uint8_t issuer;
		const char *user;
	} v[] = { { 0, "anna" }, { 1, "" }, { 2, "anna" } };

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		uint64_t sid = i + 1;

		net_comes();
		bring(sid, "anna", "t");
		net_says(net_is_asked("t"), TOKEN_GOOD, v[i].issuer, v[i].user);
		expect_misbehaved(ROLE_NET, 0, net_fd);
		refused(sid, SIGN_IN_TEMPORARY, "oauth");
		net_dies();
	}
	/* What it was not asked. */
	net_comes();
	net_says(7, TOKEN_GOOD, 1, "anna");
	expect_misbehaved(ROLE_NET, 0, net_fd);
	succeeds(9, "anna", "secret");
	net_dies();
}

static void
test_without_issuers(void **state)
{
	await_served("PLAIN", true);
	assert_null(strstr(rig.served, "XOAUTH2"));
	bring(1, "anna", "t");
	refused(1, SIGN_IN_MALFORMED, "mechanism");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SET_UP(test_tokens, set_up_issuer),
		TEST_SET_UP(test_refusals, set_up_issuer),
		TEST_SET_UP(test_failures_count, set_up_costly),
		TEST_SET_UP(test_given_up, set_up_issuer),
		TEST_SET_UP(test_misbehaves, set_up_issuer),
		TEST(test_without_issuers),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

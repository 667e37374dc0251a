/*
 * Sign-ins to another service than POP3, for which the role sasl asks: it is
 * played by us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "auth_rig.h"

static struct ipc_chan *asker;
static int asker_fd;

static void
asker_comes(void)
{
	asker_fd = attach(ROLE_SASL, 0);
	asker = ipc_open(rig.loop, asker_fd, &no_rules, NULL, true);
}

static int
set_up_services(void **state)
{
	struct auth_conf conf = usual();

	(void)state;
	strcpy(conf.master_separator, "*");
	conf.login_delay = 600;
	strcpy(conf.anonymous, "anna");
	strcpy(conf.service[0].name, "sieve");
	strcpy(conf.service[1].name, "smtp");
	conf.n_services = 2;
	start(&conf);
	asker_comes();
	return 0;
}

static int
end_services(void **state)
{
	ipc_close(asker);
	asker = NULL;
	return tear_down(state);
}

static void
ask_as(uint64_t sid, uint8_t service, bool tls, const char *mechanism,
    const void *initial, size_t n)
{
	ipc_begin(asker, IPC_SERVICE);
	ipc_put_u64(asker, sid);
	ipc_put_u8(asker, service);
	ipc_put_str(asker, "192.0.2.1");
	ipc_put_u8(asker, tls ? SESSION_TLS : 0);
	ipc_put_str(asker, mechanism);
	ipc_put_u8(asker, initial != NULL);
	ipc_put_bytes(asker, initial != NULL ? initial : "", n);
	sent(asker);
}

/* PLAIN to smtp. */
static void
ask(uint64_t sid, const char *message, size_t n)
{
	ask_as(sid, 1, true, "PLAIN", message, n);
}

#define ASK(sid, message) ask(sid, message, sizeof(message) - 1)

struct answer {
	uint64_t sid;
	uint8_t code;
	char user[256];
};

static enum err
take_signed_in(void *arg, struct ipc_in *in)
{
	struct answer *a = arg;

	a->sid = ipc_get_u64(in);
	ipc_get_str(in, a->user, sizeof(a->user));
	return ipc_get_end(in);
}

static enum err
take_refused(void *arg, struct ipc_in *in)
{
	struct answer *a = arg;

	a->sid = ipc_get_u64(in);
	a->code = ipc_get_u8(in);
	ipc_get_str(in, a->user, sizeof(a->user));
	(void)ipc_get_slice(in);
	(void)ipc_get_u32(in);
	return ipc_get_end(in);
}

static enum err
take_challenge(void *arg, struct ipc_in *in)
{
	*(uint64_t *)arg = ipc_get_u64(in);
	(void)ipc_get_slice(in);
	return ipc_get_end(in);
}

static void
challenged(uint64_t sid)
{
	uint64_t of;

	skip_served(asker_fd, SOON);
	assert_int_equal(
	    ipc_wait_one(asker_fd, IPC_CHALLENGE, SOON, take_challenge, &of),
	    E_OK);
	assert_int_equal(of, sid);
}

static void
accepted(uint64_t sid, const char *user)
{
	struct answer a;

	skip_served(asker_fd, SOON);
	assert_int_equal(
	    ipc_wait_one(asker_fd, IPC_SIGNED_IN, SOON, take_signed_in, &a),
	    E_OK);
	assert_int_equal(a.sid, sid);
	assert_string_equal(a.user, user);
}

static void
not_accepted(uint64_t sid, enum sign_in_code code, const char *words)
{
	struct answer a;

	skip_served(asker_fd, 20000);
	assert_int_equal(
	    ipc_wait_one(asker_fd, IPC_REFUSED, 20000, take_refused, &a), E_OK);
	assert_int_equal(a.sid, sid);
	assert_int_equal(a.code, code);
	if (strstr(log_text(), words) == NULL)
		fail_msg("no %s in\n%s", words, rig.log);
}

/* Nobody's maildrop is opened, and LOGIN-DELAY is not concerned. */
static void
test_signs_in(void **state)
{
	(void)state;
	for (uint64_t sid = 1; sid < 4; sid++) {
		ASK(sid, "\0anna\0secret");
		accepted(sid, "anna@d.org");
	}
	for (int i = 0; i < STORES; i++)
		assert_silent(rig.store_fd[i], QUIET);
	assert_int_equal(rig.half, 0); /* of APOP's timestamps */
	assert_non_null(strstr(log_text(),
	    "ev=login sid=64.1 user=anna@d.org ip=192.0.2.1 method=PLAIN "
	    "tls=yes service=smtp\n"));
	/* The first by POP3 is not too soon. */
	succeeds(1, "anna", "secret");
	ASK(4, "\0bob@b.org\0secret"); /* on a thread */
	accepted(4, "bob@b.org");
}

/* Two channels may have sessions of one number: each hears of its own. */
static void
test_beside_a_worker(void **state)
{
	int store;

	(void)state;
	hold_hashes();
	pass(9, "bob@b.org", "secret");
	await_held();
	ASK(9, "\0anna\0secret");
	accepted(9, "anna@d.org");
	let_hashes_go();
	opened(9, &store);
	assert_silent(asker_fd, QUIET);
}

static void
test_wrong(void **state)
{
	(void)state;
	ASK(1, "\0anna\0wrong");
	answer_unchanged();
	not_accepted(1, SIGN_IN_CREDENTIALS,
	    "ev=login-failed sid=64.1 user=anna@d.org ip=192.0.2.1 "
	    "method=PLAIN service=smtp code=auth why=password\n");
	ask_as(2, 0, true, "PLAIN", "\0nobody\0x", 9);
	answer_unchanged();
	not_accepted(2, SIGN_IN_CREDENTIALS,
	    " service=sieve code=auth why=unknown-user\n");
}

/* What the line of a user says of POP3 is about POP3, and the rest about all. */
static void
test_permits(void **state)
{
	(void)state;
	replace_users("mail:{PLAIN}secret::::::malote_pop3=no\n"
		      "tls:{PLAIN}secret::::::malote_tls=yes\n"
		      "off:{PLAIN}secret::::::nologin=y\n"
		      "near:{PLAIN}secret::::::allow_nets=10.0.0.0/8\n"
		      "boss:{PLAIN}secret::::::malote_master=yes\n");
	send_users(rig.users);
	ASK(1, "\0mail\0secret");
	accepted(1, "mail@d.org");
	ASK(2, "\0tls\0secret");
	accepted(2, "tls@d.org");
	ask_as(3, 1, false, "PLAIN", "\0tls\0secret", 11);
	not_accepted(3, SIGN_IN_TLS_ONLY, " service=smtp code=tls-only ");
	ASK(4, "\0off\0secret");
	not_accepted(4, SIGN_IN_SWITCHED_OFF, "why=nologin\n");
	ASK(5, "\0near\0secret");
	answer_unchanged();
	not_accepted(5, SIGN_IN_CREDENTIALS, "why=allow_nets\n");
	/* A master reads mail, and sends none for others. */
	ASK(6, "\0boss\0secret");
	accepted(6, "boss@d.org");
	ASK(7, "\0mail*boss\0secret");
	not_accepted(7, SIGN_IN_SWITCHED_OFF, "why=master-service");
	ASK(8, "mail\0boss\0secret");
	not_accepted(8, SIGN_IN_SWITCHED_OFF, "why=master-service");
}

/* Only what needs nothing of the connection, and somebody in particular. */
static void
test_mechanisms(void **state)
{
	(void)state;
	ask_as(1, 1, true, "ANONYMOUS", "x", 1);
	not_accepted(1, SIGN_IN_MALFORMED, "why=mechanism");
	ask_as(2, 1, true, "EXTERNAL", "", 0);
	not_accepted(2, SIGN_IN_MALFORMED, "why=mechanism");
	ask_as(3, 1, true, "GSSAPI", "x", 1);
	not_accepted(3, SIGN_IN_MALFORMED, "why=mechanism");
	ask_as(4, 1, true, "SCRAM-SHA-256-PLUS", NULL, 0);
	not_accepted(4, SIGN_IN_MALFORMED, "why=mechanism");
	ask_as(5, 1, true, "NONE", NULL, 0);
	not_accepted(5, SIGN_IN_MALFORMED, "why=mechanism");
	/* A client that would have bound to the channel, were that offered. */
	ask_as(6, 1, true, "SCRAM-SHA-256", "y,,n=anna,r=abc", 15);
	challenged(6);
}

/* An app password is for one of the two, or for both. */
static void
test_app_passwords(void **state)
{
	int store;

	(void)state;
	replace_apps(NULL);
	send_both(NULL, rig.apps);
	ASK(1, "\0anna\0" PHONE);
	accepted(1, "anna@d.org");
	ASK(2, "\0anna\0" SENDING);
	accepted(2, "anna@d.org");
	pass(3, "anna", SENDING);
	answer_unchanged();
	refused(3, SIGN_IN_CREDENTIALS, "app-password-protocol");
	pass(4, "anna", READING);
	opened(4, &store);
	ASK(5, "\0anna\0" READING);
	answer_unchanged();
	not_accepted(5, SIGN_IN_CREDENTIALS, "why=app-password-protocol\n");
}

/* The process has gone: nobody is answered, and another one begins anew. */
static void
test_it_dies(void **state)
{
	(void)state;
	hold_hashes();
	ASK(1, "\0bob@b.org\0secret");
	await_held();
	ipc_close(asker);
	asker_comes();
	ASK(1, "\0anna\0secret");
	accepted(1, "anna@d.org");
	let_hashes_go();
	assert_silent(asker_fd, QUIET);
}

/* The settings are read again: sieve is not there any more. */
static void
one_service_is_left(void)
{
	struct auth_conf conf = usual();

	strcpy(conf.service[0].name, "smtp");
	conf.n_services = 1;
	ipc_begin(rig.ctl, IPC_SETTINGS);
	ipc_put_u32(rig.ctl, 1);
	ipc_put_fields(rig.ctl, &auth_conf_fields, &conf);
	sent(rig.ctl);
	ipc_begin(rig.ctl, IPC_SETTINGS_USE);
	ipc_put_u8(rig.ctl, true);
	sent_before_others(rig.ctl);
}

/* Who asks goes by the numbers that it was given until another has its place. */
static void
test_other_services(void **state)
{
	(void)state;
	hold_hashes();
	ask_as(1, 0, true, "PLAIN", "\0bob@b.org\0secret", 17);
	await_held();
	one_service_is_left();
	ASK(2, "\0anna\0secret");
	accepted(2, "anna@d.org");
	let_hashes_go();
	accepted(1, "bob@b.org");
	assert_silent(asker_fd, QUIET);
	assert_int_equal(count_logged("tls=yes service=smtp\n"), 1);
	assert_int_equal(count_logged("tls=yes service=sieve\n"), 1);
	ipc_close(asker);
	asker_comes();
	ask_as(3, 0, true, "PLAIN", "\0anna\0secret", 12);
	accepted(3, "anna@d.org");
	assert_silent(asker_fd, QUIET);
	assert_int_equal(count_logged("tls=yes service=smtp\n"), 2);
}

/* ---- it was broken into ---- */

static void
expect_cut_off(void)
{
	expect_misbehaved(ROLE_SASL, 0, asker_fd);
	ipc_close(asker);
	asker_comes();
}

static void
test_it_misbehaves(void **state)
{
	(void)state;
	ask_as(1, 2, true, "PLAIN", NULL, 0); /* no such service */
	expect_cut_off();
	ipc_begin(asker, IPC_PASS); /* as a worker */
	ipc_put_u64(asker, 1);
	ipc_put_u64(asker, 1);
	ipc_put_str(asker, "192.0.2.1");
	ipc_put_u8(asker, 0);
	ipc_put_str(asker, "anna");
	ipc_put_str(asker, "secret");
	sent(asker);
	expect_cut_off();
	ask_as(1, 1, true, "LOGIN", NULL, 0); /* the same twice */
	challenged(1);
	ask_as(1, 1, true, "LOGIN", NULL, 0);
	expect_cut_off();
	ASK(1, "\0anna\0secret");
	accepted(1, "anna@d.org");
	/* A worker cannot ask for a service. */
	ipc_begin(rig.pop3[1], IPC_SERVICE);
	ipc_put_u64(rig.pop3[1], 1);
	ipc_put_u8(rig.pop3[1], 1);
	sent(rig.pop3[1]);
	expect_misbehaved(ROLE_WORKER, 1, rig.pop3_fd[1]);
}

#define TEST_SERVICE(t) \
	cmocka_unit_test_setup_teardown(t, set_up_services, end_services)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SERVICE(test_signs_in),
		TEST_SERVICE(test_beside_a_worker),
		TEST_SERVICE(test_wrong),
		TEST_SERVICE(test_permits),
		TEST_SERVICE(test_mechanisms),
		TEST_SERVICE(test_app_passwords),
		TEST_SERVICE(test_it_dies),
		TEST_SERVICE(test_other_services),
		TEST_SERVICE(test_it_misbehaves),
	};

	return cmocka_run_group_tests(tests, auth_rig_begin, NULL);
}

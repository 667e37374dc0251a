/*
 * Dovecot's authentication protocol, the server's end: what a program says, cut
 * anywhere, and what it is answered.  Auth is played by the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/sasl/mta.h"

enum { NOW = 1000000, LOGIN_MS = 180000 };

#define HELLO  "VERSION\t1\t1\nCPID\t17\n"
#define OFFERS "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5 "
/* "\0ann\0secret" */
#define ANN  "AGFubgBzZWNyZXQ="
#define AUTH "AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\tsecured\tresp=" ANN

/* One program; what auth was asked is written into `asked`. */
static struct play {
	struct mta mta;
	struct buf in;
	struct mta_policy policy;
	char asked[4096];
	uint64_t sid;
	bool is_away; /* auth cannot be asked */
} play;

static void PRINTF(1, 2) note(const char *format, ...);

static void
note(const char *format, ...)
{
	size_t n = strlen(play.asked);
	va_list ap;

	va_start(ap, format);
	vsnprintf(play.asked + n, sizeof(play.asked) - n, format, ap);
	va_end(ap);
}

static void
note_octets(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		note("%c", s.p[i] == '\0' ? '0' : s.p[i]);
}

static uint64_t
on_begin(void *arg, const struct mta_sign_in *s)
{
	(void)arg;
	if (play.is_away)
		return 0;
	note("begin %.*s %s %s ", (int)s->mechanism.n, s->mechanism.p,
	    s->peer[0] != '\0' ? s->peer : "-", s->tls ? "tls" : "clear");
	if (s->has_initial)
		note_octets(s->initial);
	note("%s\n", s->has_initial ? "." : "none");
	return ++play.sid;
}

static bool
on_step(void *arg, uint64_t sid, struct slice response)
{
	(void)arg;
	if (play.is_away)
		return false;
	note("step %u ", (unsigned)sid);
	note_octets(response);
	note(".\n");
	return true;
}

static void
on_in_clear(void *arg, const struct mta_sign_in *s)
{
	(void)arg;
	note("in clear %.*s\n", (int)s->mechanism.n, s->mechanism.p);
}

static void
on_end(void *arg, uint64_t sid)
{
	(void)arg;
	note("end %u\n", (unsigned)sid);
}

static const struct mta_hooks hooks = { on_begin, on_step, on_in_clear,
	on_end };

static int
set_up(void **state)
{
	struct mta_hello hello = { .offered = "APOP " OFFERS "EXTERNAL ",
		.pid = 4711,
		.connection = 3,
		.cookie = { 0xab, 1 } };

	(void)state;
	memset(&play, 0, sizeof(play));
	play.policy =
	    (struct mta_policy){ .mechanisms = "SCRAM-SHA-256 PLAIN LOGIN "
					       "CRAM-MD5 SCRAM-SHA-1",
		    .login_ms = LOGIN_MS };
	buf_init(&play.in, 3 * MTA_LINE_MAX, true);
	mta_begin(&play.mta, &play.policy, &hooks, NULL, &hello, NOW);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	mta_end(&play.mta);
	buf_free(&play.in);
	return 0;
}

/* What the program has been told since the last time. */
static void
assert_said(const char *text)
{
	struct buf *out = &play.mta.out;
	char is[2 * MTA_LINE_MAX];

	assert_true(out->len < sizeof(is));
	if (out->len != 0)
		memcpy(is, buf_data(out), out->len);
	is[out->len] = '\0';
	buf_consume(out, out->len);
	assert_string_equal(is, text);
}

static void
assert_asked(const char *text)
{
	assert_string_equal(play.asked, text);
	play.asked[0] = '\0';
}

static void
say_n(const char *text, size_t n)
{
	assert_int_equal(buf_put(&play.in, text, n), E_OK);
	mta_take(&play.mta, &play.in);
}

static void
say(const char *text)
{
	say_n(text, strlen(text));
}

/* A program that is as it should be until here. */
static void
greet(void)
{
	buf_consume(&play.mta.out, play.mta.out.len);
	say(HELLO);
	assert_said("");
	assert_null(play.mta.over);
}

/* Of what is served here that which needs nothing of the connection. */
static void
test_hello(void **state)
{
	(void)state;
	assert_said("VERSION\t1\t1\n"
		    "MECH\tSCRAM-SHA-256\tmutual-auth\tdictionary\n"
		    "MECH\tPLAIN\tplaintext\n"
		    "MECH\tLOGIN\tplaintext\n"
		    "MECH\tCRAM-MD5\tdictionary\tactive\n"
		    "SPID\t4711\nCUID\t3\n"
		    "COOKIE\tab010000000000000000000000000000\nDONE\n");
}

static void
test_password(void **state)
{
	(void)state;
	greet();
	say(AUTH "\n");
	assert_asked("begin PLAIN 192.0.2.1 tls 0ann0secret.\n");
	assert_said("");
	mta_accept(&play.mta, 1, "ann");
	assert_said("OK\t1\tuser=ann\n");
	/* The same number again, as that one is over; nothing of it is left. */
	say(AUTH "\n");
	mta_refuse(&play.mta, 2, SIGN_IN_CREDENTIALS, "a\tn\nn\001\r");
	assert_said("FAIL\t1\tuser=a\001tn\001nn\0011\001r\treason=Wrong name "
		    "or password\n");
	mta_accept(&play.mta, 2, "ann");
	assert_said("");
	assert_null(play.mta.over);
}

/* The same, however the octets come. */
static void
test_pieces(void **state)
{
	static const char all[] = HELLO AUTH "\nCONT\t9\t=\n";

	for (size_t cut = 1; cut < sizeof(all) - 1; cut++) {
		tear_down(state);
		set_up(state);
		buf_consume(&play.mta.out, play.mta.out.len);
		say_n(all, cut);
		say_n(all + cut, sizeof(all) - 1 - cut);
		assert_asked("begin PLAIN 192.0.2.1 tls 0ann0secret.\n");
		assert_said("FAIL\t9\treason=It took too long\n");
		assert_int_equal(play.in.len, 0);
	}
}

static void
test_exchange(void **state)
{
	(void)state;
	greet();
	say("AUTH\t7\tlogin\tservice=smtp\tnologin\tlip=192.0.2.9\t"
	    "rip=2001:DB8:0::7\tsecured=tls\tsession=x\n");
	assert_asked("begin login 2001:db8::7 tls none\n");
	mta_challenge(&play.mta, 1, (struct slice){ "Username:", 9 }, NOW);
	assert_said("CONT\t7\tVXNlcm5hbWU6\n");
	say("CONT\t7\tYW5u\n");
	assert_asked("step 1 ann.\n");
	mta_challenge(&play.mta, 1, (struct slice){ "", 0 }, NOW);
	assert_said("CONT\t7\t\n");
	say("CONT\t7\t\n");
	assert_asked("step 1 .\n");
	mta_accept(&play.mta, 1, "ann");
	assert_said("OK\t7\tuser=ann\n");
}

/* Exim says "resp=" where its client has said nothing. */
static void
test_initial(void **state)
{
	(void)state;
	greet();
	say("AUTH\t1\tPLAIN\tsecured\tresp=\n");
	assert_asked("begin PLAIN - tls none\n");
	say("AUTH\t2\tPLAIN\tsecured\tresp==\n");
	assert_asked("begin PLAIN - tls .\n");
	/* It is the last field, whatever is in it. */
	say("AUTH\t3\tPLAIN\tsecured\tresp=QQ==\trip=192.0.2.1\n");
	assert_said("FAIL\t3\treason=The client's message makes no sense\n");
	say("AUTH\t4\tPLAIN\tsecured\tresp=Q\n");
	assert_said("FAIL\t4\treason=The client's message makes no sense\n");
	assert_asked("");
}

/* What is no address is none; what is one in IPv6's dress is the same one. */
static void
test_address(void **state)
{
	(void)state;
	greet();
	say("AUTH\t1\tPLAIN\tsecured\trip=unknown\n");
	say("AUTH\t2\tPLAIN\tsecured\trip=::ffff:192.0.2.1\n");
	say("AUTH\t3\tPLAIN\tsecured\trip=6.6.6.6 code=auth\n");
	say("AUTH\t4\tPLAIN\tsecured\trip="
	    "00000000000000000000000000000000000000000000000000000000000000000"
	    "\n");
	assert_asked("begin PLAIN - tls none\n"
		     "begin PLAIN 192.0.2.1 tls none\n"
		     "begin PLAIN - tls none\n"
		     "begin PLAIN - tls none\n");
}

static void
test_not_offered(void **state)
{
	(void)state;
	greet();
	say("AUTH\t1\tEXTERNAL\tsecured\tvalid-client-cert\n");
	say("AUTH\t2\tSCRAM-SHA-256-PLUS\tsecured\n");
	say("AUTH\t3\tNONE\tsecured\n");
	assert_said("FAIL\t1\treason=This mechanism is not offered\n"
		    "FAIL\t2\treason=This mechanism is not offered\n"
		    "FAIL\t3\treason=This mechanism is not offered\n");
	/* Outside of TLS, what sends a password. */
	say("AUTH\t4\tPLAIN\tresp=" ANN "\n");
	say("AUTH\t5\tLOGIN\n");
	assert_said("FAIL\t4\treason=A password must be sent inside TLS\n"
		    "FAIL\t5\treason=A password must be sent inside TLS\n");
	assert_asked("in clear PLAIN\nin clear LOGIN\n");
	say("AUTH\t6\tCRAM-MD5\n");
	play.policy.plain_passwords = true;
	say("AUTH\t7\tPLAIN\tresp=" ANN "\n");
	assert_asked("begin CRAM-MD5 - clear none\n"
		     "begin PLAIN - clear 0ann0secret.\n");
}

/* Several at a time, answered in another order. */
static void
test_many(void **state)
{
	char line[128];

	(void)state;
	greet();
	for (unsigned i = 1; i <= MTA_REQUESTS_MAX + 1; i++) {
		snprintf(line, sizeof(line), "AUTH\t%u\tPLAIN\tsecured\n", i);
		say(line);
	}
	snprintf(line, sizeof(line), "FAIL\t%d\ttemp\tcode=temp_fail\n",
	    MTA_REQUESTS_MAX + 1);
	assert_said(line);
	play.asked[0] = '\0';
	mta_accept(&play.mta, 40, "u40");
	mta_refuse(&play.mta, 3, SIGN_IN_CREDENTIALS, "");
	assert_said("OK\t40\tuser=u40\n"
		    "FAIL\t3\treason=Wrong name or password\n");
	say("AUTH\t40\tPLAIN\tsecured\n");
	assert_asked("begin PLAIN - tls none\n");
	say("CANCEL\t2\nCANCEL\t2\n");
	assert_asked("end 2\n");
	assert_said("");
}

static void
test_codes(void **state)
{
	(void)state;
	greet();
	for (unsigned i = 1; i < 6; i++)
		say(i == 1   ? "AUTH\t1\tPLAIN\tsecured\n"
		    : i == 2 ? "AUTH\t2\tPLAIN\tsecured\n"
		    : i == 3 ? "AUTH\t3\tPLAIN\tsecured\n"
		    : i == 4 ? "AUTH\t4\tPLAIN\tsecured\n"
			     : "AUTH\t5\tPLAIN\tsecured\n");
	mta_refuse(&play.mta, 1, SIGN_IN_TEMPORARY, "ann");
	mta_refuse(&play.mta, 2, SIGN_IN_SWITCHED_OFF, "ann");
	mta_refuse(&play.mta, 3, SIGN_IN_TLS_ONLY, "ann");
	mta_refuse(&play.mta, 4, SIGN_IN_MALFORMED, "");
	assert_said(
	    "FAIL\t1\tuser=ann\ttemp\tcode=temp_fail\n"
	    "FAIL\t2\tuser=ann\tuser_disabled\tcode=user_disabled\t"
	    "reason=This user may not sign in here\n"
	    "FAIL\t3\tuser=ann\tauthz\treason=This user may sign in inside "
	    "TLS only\n"
	    "FAIL\t4\treason=The client's message makes no sense\n");
	assert_null(play.mta.over);
	/* The only one is told by the end of the connection, as Postfix takes
	 * each FAIL for one for good. */
	mta_refuse(&play.mta, 5, SIGN_IN_TEMPORARY, "ann");
	assert_said("");
	assert_string_equal(play.mta.over, "temporary");
}

static void
test_auth_away(void **state)
{
	(void)state;
	greet();
	say("AUTH\t1\tLOGIN\tsecured\n");
	say("AUTH\t2\tLOGIN\tsecured\n");
	mta_challenge(&play.mta, 1, (struct slice){ "", 0 }, NOW);
	assert_said("CONT\t1\t\n");
	play.asked[0] = '\0';
	play.is_away = true;
	say("CONT\t1\tYW5u\n");
	assert_said("FAIL\t1\ttemp\tcode=temp_fail\n");
	assert_asked("end 1\n");
	say("AUTH\t3\tLOGIN\tsecured\n");
	assert_said("FAIL\t3\ttemp\tcode=temp_fail\n");
	assert_null(play.mta.over);
	say("CANCEL\t2\nAUTH\t4\tLOGIN\tsecured\n");
	assert_string_equal(play.mta.over, "temporary");
}

/* Who breaks the rules is not spoken with any more, and what it had asked for is
 * ended with the connection. */
static void
test_lies(void **state)
{
	static const char *const lies[] = {
		"CPID\t1\n",
		"AUTH\t1\tPLAIN\tsecured\n",
		"VERSION\t2\t0\n",
		"VERSION\tx\t0\n",
		"VERSION\n",
		"\n",
		"GET / HTTP/1.1\r\n",
		"VERSION\t1\t0\nVERSION\t1\t0\n",
		"VERSION\t1\t0\nCPID\t\n",
		"VERSION\t1\t0\nREQUEST\t1\t2\t3\tx\n",
		HELLO "CPID\t17\n",
		HELLO "VERSION\t1\t0\n",
		HELLO "AUTH\n",
		HELLO "AUTH\t1\n",
		HELLO "AUTH\t1\t\n",
		HELLO "AUTH\t-1\tPLAIN\n",
		HELLO "AUTH\t4294967296\tPLAIN\n",
		HELLO "CONT\n",
		HELLO "CONT\tx\t\n",
		HELLO "CANCEL\t\n",
		/* The same number twice; it is not the client's turn. */
		HELLO "AUTH\t5\tLOGIN\tsecured\nAUTH\t5\tLOGIN\tsecured\n",
		HELLO "AUTH\t5\tLOGIN\tsecured\nCONT\t5\tYW5u\n",
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		tear_down(state);
		set_up(state);
		buf_consume(&play.mta.out, play.mta.out.len);
		say(lies[i]);
		if (play.mta.over == NULL)
			fail_msg("taken: %s", lies[i]);
		assert_string_equal(play.mta.over, "protocol");
		play.asked[0] = '\0';
		say(HELLO AUTH "\n");
		assert_asked("");
	}
	mta_end(&play.mta);
	assert_asked("end 1\n");
}

/* What later versions have, and what masters ask, is passed over. */
static void
test_unknown(void **state)
{
	(void)state;
	greet();
	say("REQUEST\t1\t2\t3\tab01\nUSER\t1\tann\tservice=smtp\nLIST\t1\n"
	    "FUTURE\n\n" AUTH "\n");
	assert_said("");
	assert_asked("begin PLAIN 192.0.2.1 tls 0ann0secret.\n");
}

static void
test_too_long(void **state)
{
	static char line[MTA_LINE_MAX + 1];

	(void)state;
	greet();
	/* As long as it may be: its end comes alone. */
	memset(line, 'x', sizeof(line));
	say_n(line, MTA_LINE_MAX - 1);
	assert_null(play.mta.over);
	say("\n");
	assert_null(play.mta.over);
	assert_int_equal(play.in.len, 0);
	say_n(line, MTA_LINE_MAX);
	assert_string_equal(play.mta.over, "line-too-long");
}

/* A message of the client that is too long for any mechanism. */
static void
test_message_too_long(void **state)
{
	static char line[MTA_LINE_MAX];
	int n = sprintf(line, "AUTH\t1\tPLAIN\tsecured\tresp=");

	(void)state;
	greet();
	memset(line + n, 'A', (TOKEN_MESSAGE_MAX + 3) / 3 * 4);
	strcat(line, "\n");
	say(line);
	assert_said("FAIL\t1\treason=The client's message makes no sense\n");
	say("AUTH\t1\tLOGIN\tsecured\n");
	mta_challenge(&play.mta, 1, (struct slice){ "", 0 }, NOW);
	memcpy(line, "CONT\t1\t", 7);
	memset(line + 7, 'A', (TOKEN_MESSAGE_MAX + 3) / 3 * 4);
	strcpy(line + 7 + (TOKEN_MESSAGE_MAX + 3) / 3 * 4, "\n");
	play.asked[0] = '\0';
	say(line);
	assert_asked("end 1\n");
	assert_said("CONT\t1\t\nFAIL\t1\treason=The client's message makes no "
		    "sense\n");
}

/* Nothing is read for who does not take what it is told, and what is left is
 * taken when that has changed. */
static void
test_does_not_read(void **state)
{
	static const char line[] = "AUTH\t1\tNONE\n";

	(void)state;
	greet();
	while (play.in.len == 0)
		say(line);
	assert_true(play.mta.out.len >= MTA_OUT_MUCH);
	assert_true(play.mta.out.len < MTA_OUT_MUCH + 128);
	say(line);
	assert_int_equal(play.in.len, 2 * strlen(line));
	buf_consume(&play.mta.out, play.mta.out.len);
	mta_take(&play.mta, &play.in);
	assert_int_equal(play.in.len, 0);
}

static void
test_deadlines(void **state)
{
	(void)state;
	mta_look(&play.mta, NOW + MTA_HANDSHAKE_MS - 1);
	assert_null(play.mta.over);
	greet();
	mta_look(&play.mta, NOW + MTA_HANDSHAKE_MS);
	assert_null(play.mta.over);
	say("AUTH\t1\tLOGIN\tsecured\nAUTH\t2\tLOGIN\tsecured\n");
	mta_challenge(&play.mta, 1, (struct slice){ "", 0 }, NOW);
	assert_said("CONT\t1\t\n");
	play.asked[0] = '\0';
	mta_look(&play.mta, NOW + LOGIN_MS - 1);
	assert_said("");
	/* Of the two only one waits for its client. */
	mta_look(&play.mta, NOW + LOGIN_MS);
	assert_said("FAIL\t1\treason=It took too long\n");
	assert_asked("end 1\n");
}

/* Nobody is kept longer than mail servers wait: it comes later. */
static void
test_no_answer(void **state)
{
	(void)state;
	greet();
	say("AUTH\t1\tLOGIN\tsecured\n");
	play.asked[0] = '\0';
	mta_look(&play.mta, NOW);
	mta_look(&play.mta, NOW + MTA_ANSWER_MS - 1);
	assert_null(play.mta.over);
	/* What the client took for its part does not count. */
	mta_challenge(&play.mta, 1, (struct slice){ "", 0 }, NOW);
	say("CONT\t1\tYW5u\n");
	play.asked[0] = '\0';
	mta_look(&play.mta, NOW + MTA_ANSWER_MS);
	assert_null(play.mta.over);
	mta_look(&play.mta, NOW + 2 * MTA_ANSWER_MS);
	assert_string_equal(play.mta.over, "temporary");
	assert_asked("end 1\n");
}

static void
test_no_handshake(void **state)
{
	(void)state;
	say("VERSION\t1\t0\n");
	mta_look(&play.mta, NOW + MTA_HANDSHAKE_MS);
	assert_string_equal(play.mta.over, "handshake");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hello),
		TEST(test_password),
		TEST(test_pieces),
		TEST(test_exchange),
		TEST(test_initial),
		TEST(test_address),
		TEST(test_not_offered),
		TEST(test_many),
		TEST(test_codes),
		TEST(test_auth_away),
		TEST(test_lies),
		TEST(test_unknown),
		TEST(test_too_long),
		TEST(test_message_too_long),
		TEST(test_does_not_read),
		TEST(test_deadlines),
		TEST(test_no_answer),
		TEST(test_no_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

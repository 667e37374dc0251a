/*
 * The server's side of the protocol: each command in each state, random
 * sessions against a model, memory that is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "drive.h"
#include "guard.h"

#define LOGIN "USER tim\r\nPASS tanstaaftanstaaf\r\n"

static void
begin(struct drive *d, uint32_t n_messages)
{
	drive_init(d);
	d->policy.plain_passwords = true;
	d->policy.stls = true;
	d->policy.apop = true;
	d->policy.sdps = true;
	for (uint32_t i = 0; i < n_messages; i++)
		drive_add(d, "A: b\n\n.body\n", 5 + i % 7);
	drive_start(d, false);
}

static bool
is_ok(const char *reply)
{
	return strncmp(reply, "+OK ", 4) == 0;
}

static bool
is_err(const char *reply)
{
	const char *end = strstr(reply, "\r\n");

	return strncmp(reply, "-ERR ", 5) == 0 && end != NULL && end[2] == '\0';
}

/* ---- how long mail stays, S-2449-12 ---- */

static void
test_expire_announced(void **state)
{
	static const struct {
		uint32_t r;
		const char *capa, *opened;
	} says[] = {
		{ RETENTION_NEVER, "\r\nEXPIRE NEVER\r\n",
		    "+OK 3 messages (25 octets)\r\n" },
		{ RETENTION_ONCE, "\r\nEXPIRE 0\r\n",
		    "+OK 3 messages; mail stays here until it is retrieved"
		    "\r\n" },
		{ 30, "\r\nEXPIRE 30\r\n",
		    "+OK 3 messages; days that mail stays here: 30\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct drive d;

		begin(&d, 3);
		d.retention = says[i].r;
		d.policy.retention = 7;
		assert_non_null(
		    strstr(drive_say(&d, "CAPA\r\n"), "\r\nEXPIRE 7\r\n"));
		d.policy.retention_differs = true;
		assert_non_null(
		    strstr(drive_say(&d, "CAPA\r\n"), "\r\nEXPIRE 7 USER\r\n"));
		assert_non_null(strstr(drive_say(&d, LOGIN), says[i].opened));
		assert_non_null(
		    strstr(drive_say(&d, "CAPA\r\n"), says[i].capa));
		drive_clear(&d);
	}
}

/* What of three messages goes after these commands: S-2449-23. */
static void
goes(uint32_t retention, const char *commands, const char *want)
{
	struct drive d;

	begin(&d, 3);
	d.message[2].size = 99; /* it is not as long as is said */
	d.retention = retention;
	drive_say(&d, LOGIN);
	drive_say(&d, commands);
	for (int i = 0; i < 3; i++)
		assert_int_equal(d.message[i].removed, want[i] == 'x');
	drive_clear(&d);
}

static void
test_expire_once(void **state)
{
	(void)state;
	goes(RETENTION_ONCE, "RETR 1\r\nQUIT\r\n", "x..");
	goes(RETENTION_ONCE, "RETR 1\r\nRETR 1\r\nQUIT\r\n", "x..");
	goes(RETENTION_ONCE, "RETR 1\r\n", "...");
	goes(RETENTION_ONCE, "TOP 1 99\r\n*ENV 1\r\nQUIT\r\n", "...");
	goes(RETENTION_ONCE, "RETR 1\r\nRSET\r\nQUIT\r\n", "...");
	goes(RETENTION_ONCE, "RETR 1\r\nRSET\r\nRETR 2\r\nQUIT\r\n", ".x.");
	goes(RETENTION_ONCE, "RETR 1\r\nDELE 1\r\nQUIT\r\n", "x..");
	goes(RETENTION_ONCE, "RETR 1\r\nDELE 1\r\nRSET\r\nQUIT\r\n", "...");
	goes(RETENTION_ONCE, "RETR 1\r\nDELE 2\r\nQUIT\r\n", "xx.");
	goes(RETENTION_ONCE, "RETR 3\r\nRETR 9\r\nQUIT\r\n", "...");
	goes(RETENTION_NEVER, "RETR 1\r\nQUIT\r\n", "...");
	goes(7, "RETR 1\r\nQUIT\r\n", "...");
}

/* What is retrieved is there until QUIT, and counted once. */
static void
test_expire_once_counts(void **state)
{
	struct drive d;

	(void)state;
	begin(&d, 3);
	d.retention = RETENTION_ONCE;
	drive_say(&d, LOGIN);
	drive_say(&d, "RETR 1\r\nRETR 2\r\nDELE 2\r\n");
	assert_string_equal(drive_say(&d, "STAT\r\n"), "+OK 2 17\r\n");
	assert_int_equal(d.server.marked, 1);
	assert_int_equal(d.server.taken, 1);
	assert_string_equal(
	    drive_say(&d, "QUIT\r\n"), "+OK bye, 2 messages removed\r\n");
	drive_clear(&d);
}

/* Nothing is removed from what is read only; and for want of memory it stays. */
static void
test_expire_once_stays(void **state)
{
	struct drive d;

	(void)state;
	begin(&d, 1);
	d.retention = RETENTION_ONCE;
	d.server.read_only = true;
	drive_say(&d, LOGIN "RETR 1\r\nQUIT\r\n");
	assert_false(d.message[0].removed);
	drive_clear(&d);
	begin(&d, 1);
	d.retention = RETENTION_ONCE;
	drive_say(&d, LOGIN);
	drive_say(&d, "TOP 1 0\r\n");
	alloc_fail(1);
	drive_say(&d, "RETR 1\r\n");
	assert_true(alloc_failed());
	alloc_fail(0);
	drive_say(&d, "QUIT\r\n");
	assert_false(d.message[0].removed);
	drive_clear(&d);
}

/* ---- each command in each state, S-ENG-05 ---- */

enum { BEFORE, NAMED, AFTER, STATES };

/* For each state what comes of no argument, one, two, three: "+" is a success,
 * "-" is -ERR, "*" is a continuation, "a" is -ERR [AUTH]. */
static const struct {
	const char *verb;
	const char *arg[3];
	const char *want[STATES];
} matrix[] = {
	{ "QUIT", { "1", "2", "3" }, { "+---", "+---", "+---" } },
	{ "CAPA", { "1", "2", "3" }, { "+---", "+---", "+---" } },
	{ "USER", { "tim", "2", "3" }, { "-+--", "-+--", "----" } },
	{ "PASS", { "x", "y", "z" }, { "----", "-aaa", "----" } },
	{ "APOP", { "tim", "0123456789abcdef0123456789ABCDEF", "3" },
	    { "--a-", "----", "----" } },
	{ "AUTH", { "PLAIN", "AHRpbQB4", "3" }, { "+*a-", "+*a-", "----" } },
	{ "STLS", { "1", "2", "3" }, { "+---", "+---", "----" } },
	{ "STAT", { "1", "2", "3" }, { "----", "----", "+---" } },
	{ "NOOP", { "1", "2", "3" }, { "----", "----", "+---" } },
	{ "RSET", { "1", "2", "3" }, { "----", "----", "+---" } },
	{ "LIST", { "1", "2", "3" }, { "----", "----", "++--" } },
	{ "UIDL", { "1", "2", "3" }, { "----", "----", "++--" } },
	{ "RETR", { "1", "2", "3" }, { "----", "----", "-+--" } },
	{ "DELE", { "1", "2", "3" }, { "----", "----", "-+--" } },
	{ "TOP", { "1", "2", "3" }, { "----", "----", "--+-" } },
	{ "*ENV", { "1", "2", "3" }, { "----", "----", "-+--" } },
	/* RFC 6856, obsolete ones, other makers' */
	{ "UTF8", { "1", "2", "3" }, { "+---", "+---", "----" } },
	{ "LANG", { "*", "2", "3" }, { "++--", "++--", "++--" } },
	{ "LAST", { "1", "2", "3" }, { "----", "----", "----" } },
	{ "RPOP", { "1", "2", "3" }, { "----", "----", "----" } },
	{ "XTND", { "1", "2", "3" }, { "----", "----", "----" } },
	{ "HELP", { "1", "2", "3" }, { "----", "----", "----" } },
	{ "XCLIENT", { "1", "2", "3" }, { "----", "----", "----" } },
	{ "TOPS", { "1", "2", "3" }, { "----", "----", "----" } },
	{ "TO", { "1", "2", "3" }, { "----", "----", "----" } },
};

static void
cell(size_t row, unsigned at, unsigned n_args)
{
	static const char *const before[] = { "", "USER tim\r\n", LOGIN };
	char text[256], want = matrix[row].want[at][n_args];
	struct drive d;
	const char *reply;
	bool good;

	begin(&d, 1);
	drive_say(&d, before[at]);
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s\r\n", matrix[row].verb,
	    n_args > 0 ? " " : "", n_args > 0 ? matrix[row].arg[0] : "",
	    n_args > 1 ? " " : "", n_args > 1 ? matrix[row].arg[1] : "",
	    n_args > 2 ? " " : "", n_args > 2 ? matrix[row].arg[2] : "");
	reply = drive_say(&d, text);
	good = want == '+'   ? is_ok(reply)
	       : want == '*' ? strcmp(reply, "+ \r\n") == 0
	       : want == 'a'
		   ? is_err(reply) && strncmp(reply, "-ERR [AUTH] ", 12) == 0
		   : is_err(reply) && reply[5] != '[';
	if (!good) {
		print_error("state %u: %s-> %s", at, text, reply);
		fail();
	}
	assert_int_equal(d.closed, want == '+' && row == 0);
	drive_clear(&d);
}

static void
test_matrix(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof(matrix) / sizeof(matrix[0]); row++)
		for (unsigned at = 0; at < STATES; at++)
			for (unsigned n = 0; n <= 3; n++)
				cell(row, at, n);
}

/* S-1939-14: whatever stands between USER and PASS, but for QUIT. */
static void
test_between_user_and_pass(void **state)
{
	(void)state;
	for (size_t i = 1; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
		char text[128];
		struct drive d;
		const char *reply, *last;

		if (strcmp(matrix[i].verb, "USER") == 0 ||
		    strcmp(matrix[i].verb, "STLS") == 0)
			continue;
		begin(&d, 0);
		snprintf(text, sizeof(text),
		    "USER tim\r\n%s\r\nPASS tanstaaftanstaaf\r\n",
		    matrix[i].verb);
		reply = drive_say(&d, text);
		last = strstr(reply, "-ERR USER comes first\r\n");
		assert_non_null(last);
		assert_string_equal(last, "-ERR USER comes first\r\n");
		drive_clear(&d);
	}
}

/* ---- every split of the input, at the end of memory ---- */

static const char dialogue[] =
    "CAPA\r\nUSER tim\r\nPASS x\r\nAUTH PLAIN AHRpbQB4\r\nAUTH LOGIN\r\n"
    "dGlt\r\n*\r\nAPOP tim 0123456789abcdef0123456789abcdef\r\n\nFOO\r\n"
    "USER tim\r\nPASS tanstaaftanstaaf\r\nLIST\r\nDELE 1\nRETR 2\r\n"
    "TOP 2 0\r\nUIDL 2\r\nSTAT\r\nQUIT\r\n";

static void
test_splits(void **state)
{
	size_t n = sizeof(dialogue) - 1;
	struct drive whole, d;

	(void)state;
	begin(&whole, 3);
	drive_feed(&whole, dialogue, n, 0);
	assert_true(whole.closed);
	for (size_t split = 0; split <= n; split++) {
		begin(&d, 3);
		drive_feed(&d, dialogue, split, n - split);
		drive_feed(&d, dialogue + split, n - split, 0);
		assert_true(d.closed);
		assert_int_equal(d.sent.len, whole.sent.len);
		assert_memory_equal(
		    buf_data(&d.sent), buf_data(&whole.sent), d.sent.len);
		assert_int_equal(d.asked.len, whole.asked.len);
		assert_memory_equal(
		    buf_data(&d.asked), buf_data(&whole.asked), d.asked.len);
		drive_clear(&d);
	}
	drive_clear(&whole);
}

/* A prefix of any length is looked at, and not one octet behind it. */
static void
test_no_over_read(void **state)
{
	static const char *const some[] = { "GET / HTTP/1.0\r\n",
		"\x16\x03\x01\x02", "USER tim\r\n", "TOP 1\r\n", "PASS  x \n",
		"AUTH PLAIN AHRpbQB4\r\n", "AUTH LOGIN =\r\n", "APOP a b\r\n",
		"QUI\r\n", "\r\n", "\n" };
	static const uint64_t salt[2];
	struct drive d;
	struct pop3_server s;
	struct buf out;

	(void)state;
	drive_init(&d);
	d.policy.plain_passwords = true;
	d.policy.apop = true;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		for (size_t n = 1; n <= strlen(some[i]); n++) {
			struct buf in = { .mem = guard_copy(0, some[i], n),
				.len = n,
				.cap = n,
				.max = 1024,
				.secret = true };

			buf_init(&out, 4096, false);
			pop3_server_init(&s, &d.policy, false, salt);
			pop3_server_run(&s, &in, &out, 1024);
			pop3_server_clear(&s);
			buf_free(&out);
		}
}

/* ---- memory ---- */

/* Whichever allocation fails: the session goes on or ends, nothing is removed
 * that was not to be, and every reply that is sent is whole. */
static void
test_no_memory(void **state)
{
	unsigned n = 0;
	bool failed;

	(void)state;
	do {
		struct drive d;

		drive_init(&d);
		d.policy.plain_passwords = true;
		for (unsigned i = 0; i < 3; i++)
			drive_add(&d, "A: b\n\nx\n", 8);
		alloc_fail(++n);
		drive_start(&d, false);
		drive_feed(&d, dialogue, sizeof(dialogue) - 1, 0);
		failed = alloc_failed();
		alloc_fail(0);
		assert_true(d.closed || failed);
		for (unsigned i = 1; i < 3; i++)
			assert_false(d.message[i].removed);
		if (d.sent.len != 0)
			assert_int_equal(
			    buf_data(&d.sent)[d.sent.len - 1], '\n');
		drive_clear(&d);
	} while (failed);
	assert_true(n > 5);
}

/* What USER and DELE say then, and that the session goes on. */
static void
test_no_memory_replies(void **state)
{
	struct drive d;

	(void)state;
	begin(&d, 20);
	drive_say(&d, "CAPA\r\n");
	alloc_fail(1);
	assert_string_equal(
	    drive_say(&d, "USER tim\r\n"), "-ERR [SYS/TEMP] out of memory\r\n");
	assert_true(is_ok(drive_say(&d, LOGIN)));
	assert_true(is_ok(drive_say(&d, "LIST\r\n")));
	alloc_fail(1);
	assert_string_equal(
	    drive_say(&d, "DELE 1\r\n"), "-ERR [SYS/TEMP] out of memory\r\n");
	assert_true(alloc_failed());
	assert_true(is_ok(drive_say(&d, "DELE 1\r\n")));
	drive_clear(&d);
}

/* An output that is full ends the session, whatever was to be said. */
static void
test_output_full(void **state)
{
	static const char capa[] = "+OK capabilities follow\r\nTOP\r\nUIDL\r\n"
				   "USER\r\nLANG\r\nUTF8 USER\r\nRESP-CODES\r\n"
				   "AUTH-RESP-CODE\r\n"
				   "PIPELINING\r\nEXPIRE NEVER\r\n.\r\n";
	static const uint64_t salt[2];
	struct pop3_policy policy = { .plain_passwords = true };
	struct pop3_server s;
	struct buf in, out;

	(void)state;
	for (size_t max = 0; max < sizeof(capa) + 1; max++) {
		bool fits = max >= sizeof(capa) - 1;

		buf_init(&in, 1024, true);
		buf_init(&out, max, false);
		pop3_server_init(&s, &policy, false, salt);
		assert_int_equal(buf_put(&in, "CAPA\r\n", 6), E_OK);
		assert_int_equal(pop3_server_run(&s, &in, &out, 1024),
		    fits ? POP3_WANT_INPUT : POP3_WANT_CLOSE);
		if (fits)
			assert_memory_equal(
			    buf_data(&out), capa, sizeof(capa) - 1);
		buf_free(&in);
		buf_free(&out);
		buf_init(&out, max, false);
		s.wanted = POP3_WANT_SASL;
		pop3_server_challenge(&s, &out, "0123456789", 10);
		assert_int_equal(s.wanted == POP3_WANT_CLOSE, max < 20);
		pop3_server_clear(&s);
		buf_free(&out);
	}
}

/* S-5034-01: what would work at this moment, and nothing else is taken. */
static void
test_what_is_offered(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d);
	drive_offer(&d, "X-BINDS");
	drive_offer(&d, "X-CERTIFICATE");
	drive_start(&d, true);
	for (int i = 0; i < 16; i++) {
		char want[64];

		d.server.bindable = i & 1;
		d.server.certified = i & 2;
		d.mechanisms[1].withheld = i & 4;
		d.mechanisms[2].withheld = i & 8;
		snprintf(want, sizeof(want), "\r\nSASL PLAIN%s%s%s\r\n",
		    i & 4 ? "" : " LOGIN", (i & 9) == 1 ? " X-BINDS" : "",
		    i & 2 ? " X-CERTIFICATE" : "");
		assert_non_null(strstr(drive_say(&d, "CAPA\r\n"), want));
		assert_int_equal(strncmp(drive_say(&d, "AUTH X-BINDS !\r\n"),
				     "-ERR bad base64", 15) == 0,
		    (i & 9) == 1);
	}
	drive_clear(&d);
}

/* DELE is refused where nothing may be removed, and QUIT removes nothing. */
static void
test_read_only(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d);
	drive_add(&d, "x\n", 2);
	drive_start(&d, true);
	d.server.read_only = true;
	drive_say(&d, "USER tim\r\nPASS tanstaaftanstaaf\r\n");
	assert_string_equal(drive_say(&d, "DELE 1\r\n"),
	    "-ERR nothing can be removed from this maildrop\r\n");
	assert_string_equal(drive_say(&d, "STAT\r\n"), "+OK 1 3\r\n");
	drive_say(&d, "QUIT\r\n");
	assert_false(d.message[0].removed);
	drive_clear(&d);
}

/* A line that cannot fit into the input is too long, not waited for. */
static void
test_input_small(void **state)
{
	static const uint64_t salt[2];
	struct pop3_policy policy = { .plain_passwords = true };
	struct pop3_server s;
	struct buf in, out;
	char text[100];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t n = 97; n <= 99; n++) {
		buf_init(&in, sizeof(text), true);
		buf_init(&out, 1024, false);
		pop3_server_init(&s, &policy, false, salt);
		assert_int_equal(buf_put(&in, text, n), E_OK);
		pop3_server_run(&s, &in, &out, 1024);
		assert_int_equal(buf_put(&in, "\n", 1), E_OK);
		pop3_server_run(&s, &in, &out, 1024);
		assert_int_equal(buf_put(&in, text, 100), E_OK);
		pop3_server_run(&s, &in, &out, 1024);
		assert_int_equal(in.len, 0);
		assert_int_equal(buf_put(&in, "\n", 1), E_OK);
		pop3_server_run(&s, &in, &out, 1024);
		assert_string_equal(
		    (buf_put(&out, "", 1) == E_OK ? buf_data(&out) : NULL),
		    "-ERR unknown command\r\n-ERR line too long\r\n");
		pop3_server_clear(&s);
		buf_free(&in);
		buf_free(&out);
	}
}

/* ---- what the machine owes its caller ---- */

/* A secret is in the input as long as it is wanted and not longer, and what a
 * client sent ahead stays. */
static void
test_borrowed(void **state)
{
	static const char text[] = "USER tim\r\nPASS hunter2\r\nSTAT\r\n";
	static const uint64_t salt[2];
	struct pop3_policy policy = { .plain_passwords = true };
	struct pop3_server s;
	struct buf in, out;

	(void)state;
	buf_init(&in, 1024, true);
	buf_init(&out, 4096, false);
	pop3_server_init(&s, &policy, false, salt);
	assert_int_equal(buf_put(&in, text, sizeof(text) - 1), E_OK);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
		    pop3_server_run(&s, &in, &out, 1024), POP3_WANT_PASS);
		assert_true(slice_eq(s.request.name, "tim"));
		assert_true(slice_eq(s.request.secret, "hunter2"));
	}
	assert_int_equal(in.len, sizeof(text) - 1 - 10);
	pop3_server_opened(&s, &out, 3, 300);
	assert_true(slice_eq(s.request.name, "tim"));
	assert_int_equal(pop3_server_run(&s, &in, &out, 1024), POP3_WANT_INPUT);
	assert_int_equal(in.len, 0);
	assert_null(memmem(in.mem, in.cap, "hunter2", 7));
	assert_non_null(
	    memmem(buf_data(&out), out.len, "\r\n+OK 3 300\r\n", 13));
	pop3_server_clear(&s);
	buf_free(&in);
	buf_free(&out);
}

/* Base64 is decoded where it stands: no copy of a password is left. */
static void
test_borrowed_sasl(void **state)
{
	static const char text[] = "AUTH PLAIN AHRpbQBodW50ZXIy\r\n";
	static const struct pop3_mechanism plain = { .name = "PLAIN",
		.plaintext = true };
	static const uint64_t salt[2];
	struct pop3_policy policy = {
		.mechanisms = &plain, .n_mechanisms = 1, .sasl_max = 100
	};
	struct pop3_server s;
	struct buf in, out;

	(void)state;
	buf_init(&in, 1024, true);
	buf_init(&out, 4096, false);
	pop3_server_init(&s, &policy, true, salt);
	assert_int_equal(buf_put(&in, text, sizeof(text) - 1), E_OK);
	assert_int_equal(pop3_server_run(&s, &in, &out, 1024), POP3_WANT_SASL);
	assert_ptr_equal(s.request.mechanism, &plain);
	assert_true(s.request.has_secret);
	assert_int_equal(s.request.secret.n, 12);
	assert_memory_equal(s.request.secret.p, "\0tim\0hunter2", 12);
	assert_true(s.request.secret.p >= in.mem &&
		    s.request.secret.p < in.mem + in.cap);
	pop3_server_refused(&s, &out, POP3_TEXT_SIGN_IN_WRONG, NULL);
	assert_int_equal(pop3_server_run(&s, &in, &out, 1024), POP3_WANT_INPUT);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_int_equal(in.mem[i], 0);
	pop3_server_clear(&s);
	buf_free(&in);
	buf_free(&out);
}

/* S-2595-04, M-13: whatever was under way, TLS is a new beginning. */
static void
test_tls_forgets(void **state)
{
	static const char *const before[] = { "USER tim\r\n",
		"AUTH LOGIN dGlt\r\n" };
	struct drive d;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin(&d, 0);
		drive_say(&d, before[i]);
		pop3_server_tls(&d.server);
		assert_string_equal(drive_say(&d, "PASS tanstaaftanstaaf\r\n"),
		    "-ERR USER comes first\r\n");
		drive_clear(&d);
	}
}

/* S-XCLIENT-01 to 03, 05: a proxy is told that it may, all begins anew behind it,
 * and nobody else knows of the command. */
static void
test_xclient(void **state)
{
	char line[POP3_LINE_XCLIENT + 3];
	struct drive d;

	(void)state;
	drive_init(&d);
	d.policy.plain_passwords = true;
	d.policy.host = "mx.example";
	d.proxy = true;
	drive_start(&d, false);
	assert_int_equal(buf_put(&d.sent, "", 1), E_OK);
	assert_string_equal(
	    buf_data(&d.sent), "+OK [XCLIENT] mx.example POP3 ready\r\n");
	assert_string_equal(
	    drive_say(&d, "XCLIENT\r\n"), "-ERR wrong number of arguments\r\n");
	assert_string_equal(drive_say(&d, "XCLIENT odd\r\n"),
	    "-ERR wrong number of arguments\r\n");
	assert_string_equal(
	    drive_say(&d, "XCLI A=1\r\n"), "-ERR unknown command\r\n");
	memset(line, '=', sizeof(line));
	memcpy(line, "xclient ", 8);
	memcpy(line + POP3_LINE_XCLIENT - 1, "\r\n", 3);
	assert_string_equal(drive_say(&d, line), "-ERR line too long\r\n");
	drive_say(&d, "USER tim\r\n");
	memcpy(line + POP3_LINE_XCLIENT - 2, "\r\n", 3);
	assert_string_equal(
	    drive_say(&d, line), "+OK mx.example POP3 ready\r\n");
	assert_string_equal(drive_say(&d, "PASS tanstaaftanstaaf\r\n"),
	    "-ERR USER comes first\r\n");
	assert_string_equal(
	    drive_say(&d, "XCLIENT A=1\r\n"), "-ERR unknown command\r\n");
	assert_string_equal(drive_say(&d, line), "-ERR line too long\r\n");
	drive_clear(&d);
}

/* Somebody else has secured the line: passwords are taken, and nothing is bound
 * to it. */
static void
test_secured(void **state)
{
	struct drive d;

	(void)state;
	drive_init(&d);
	d.policy.stls = true;
	d.mechanisms[1].binds = true;
	drive_start(&d, false);
	assert_string_equal(
	    drive_say(&d, "AUTH\r\n"), "-ERR no mechanism is offered here\r\n");
	pop3_server_secure(&d.server);
	assert_string_equal(drive_say(&d, "AUTH\r\n"),
	    "+OK mechanisms follow\r\nPLAIN\r\n.\r\n");
	assert_string_equal(
	    drive_say(&d, "STLS\r\n"), "-ERR TLS is active\r\n");
	drive_clear(&d);
}

/* S-2449-11, S-ENG-36: a burst, and output that is let go at its mark. */
static void
test_burst(void **state)
{
	static const uint64_t salt[2];
	struct pop3_policy policy = { .plain_passwords = true };
	struct pop3_server s;
	struct buf in, out;
	size_t replies = 0;
	enum pop3_want want;

	(void)state;
	buf_init(&in, 100000, true);
	buf_init(&out, 2048, false);
	pop3_server_init(&s, &policy, true, salt);
	s.wanted = POP3_WANT_PASS;
	pop3_server_opened(&s, &out, 0, 0);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(buf_put(&in, "noop\r\n", 6), E_OK);
	while (
	    (want = pop3_server_run(&s, &in, &out, 1024)) == POP3_WANT_FLUSH) {
		assert_true(out.len >= 1024 && out.len < 1024 + 64);
		for (size_t i = 0; i < out.len; i++)
			replies += buf_data(&out)[i] == '\n';
		buf_consume(&out, out.len);
	}
	assert_int_equal(want, POP3_WANT_INPUT);
	for (size_t i = 0; i < out.len; i++)
		replies += buf_data(&out)[i] == '\n';
	assert_int_equal(replies, 10001);
	pop3_server_clear(&s);
	buf_free(&in);
	buf_free(&out);
}

/* S-1939-06, S-2449-09: what others wrote cannot break a reply. */
static void
test_reply_text(void **state)
{
	static const uint64_t salt[2] = { UINT64_MAX, UINT64_MAX };
	char host[400], text[2000];
	const struct pop3_arg arg[POP3_TEXT_ARGS] = {
		{ .text = { text, sizeof(text) } }, { .number = 7 }
	};
	struct pop3_policy policy = { .host = host, .apop = true };
	struct pop3_server s;
	struct buf out;

	(void)state;
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	memset(text, 'x', sizeof(text));
	memcpy(text, "a\r\n\xff\t%2%s", 9);
	buf_init(&out, 4096, false);
	for (unsigned i = 0; i < 4; i++) {
		policy.apop = i == 1;
		pop3_server_init(&s, &policy, false, salt);
		if (i < 2)
			pop3_server_greet(&s, &out);
		else if (i == 2)
			pop3_server_turn_away(&out, POP3_TEXT_CONNECTIONS);
		else
			pop3_server_refused(&s, &out, POP3_TEXT_IN_USE, arg);
		assert_true(out.len <= 512);
		assert_ptr_equal(memchr(buf_data(&out), '\r', out.len),
		    buf_data(&out) + out.len - 2);
		assert_memory_equal(buf_data(&out) + out.len - 2, "\r\n", 2);
		if (i == 1)
			assert_memory_equal(
			    buf_data(&out) + out.len - 4, "h>", 2);
		if (i == 2)
			assert_memory_equal(buf_data(&out),
			    "-ERR [SYS/TEMP] too many connections\r\n", 38);
		if (i == 3)
			assert_memory_equal(buf_data(&out),
			    "-ERR [IN-USE] open since a????%2%sxx", 36);
		buf_consume(&out, out.len);
		pop3_server_clear(&s);
	}
	buf_free(&out);
}

/* Every reply says what it is; what it leaves open stands in its place. */
static void
test_texts(void **state)
{
	const struct pop3_arg arg[POP3_TEXT_ARGS] = { { .number = 12 },
		{ .text = { "here", 4 } } };
	char line[64];
	size_t n;

	for (enum pop3_text t = POP3_NO_TEXT + 1; t < POP3_TEXTS_END; t++) {
		n = pop3_text_write(line, sizeof(line), &pop3_english, t, arg);
		assert_true(n > 5 && n <= sizeof(line));
		assert_null(memchr(line, '%', n));
		if (pop3_text_is_good(t))
			assert_memory_equal(line, "+OK ", 4);
		else
			assert_memory_equal(line, "-ERR ", 5);
		assert_true(
		    pop3_text_write(line, 7, &pop3_english, t, NULL) <= 7);
	}
	n = pop3_text_write(
	    line, sizeof(line), &pop3_english, POP3_TEXT_IN_USE, arg);
	assert_int_equal(n, 37);
	assert_memory_equal(line, "-ERR [IN-USE] open since 12 from here", n);
}

/* S-1939-20, S-2595-04 */
static void
test_timestamp(void **state)
{
	static const uint64_t salt[2] = { 1, 2 };
	struct pop3_policy policy = { .host = "h.example", .apop = true };
	char text[POP3_TIMESTAMP];
	struct pop3_server s;

	(void)state;
	pop3_server_init(&s, &policy, false, salt);
	assert_int_equal(pop3_server_timestamp(&s, text, sizeof(text)), 44);
	assert_string_equal(
	    text, "<00000000000000010000000000000002@h.example>");
	assert_int_equal(pop3_server_timestamp(&s, text, 44), 0);
	assert_int_equal(pop3_server_timestamp(&s, text, 45), 44);
	s.wanted = POP3_WANT_TLS;
	pop3_server_tls(&s);
	assert_int_equal(pop3_server_timestamp(&s, text, sizeof(text)), 0);
	policy.apop = false;
	pop3_server_init(&s, &policy, false, salt);
	assert_int_equal(pop3_server_timestamp(&s, text, sizeof(text)), 0);
}

/* M-47 */
static void
test_mask(void **state)
{
	static const struct {
		const char *line, *shown;
		bool in_sasl;
	} row[] = {
		{ "PASS hunter2", "PASS", false },
		{ "pass  hunter2 ", "pass", false },
		{ "PASS", "PASS", false },
		{ "PASS\thunter2", "PASS", false },
		{ "APOP tim 0123", "APOP tim", false },
		{ "APOP", "APOP", false },
		{ "AUTH PLAIN AHRpbQB4", "AUTH PLAIN", false },
		{ "auth  plain  x y z", "auth  plain", false },
		{ "AUTH", "AUTH", false },
		{ "USER tim", "USER tim", false },
		{ "RETR 1", "RETR 1", false },
		{ "hunter2", "(hidden)", false },
		{ "PASSS hunter2", "(hidden)", false },
		{ " PASS hunter2", "(hidden)", false },
		{ "", "(hidden)", false },
		{ "dGltAA==", "(hidden)", true },
		{ "USER tim", "(hidden)", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = strlen(row[i].line);
		struct slice line = { guard_copy(0, row[i].line, n), n };

		assert_true(slice_eq(
		    pop3_server_mask(line, row[i].in_sasl), row[i].shown));
	}
}

/* ---- the maildrop as one ---- */

/* What LIST or UIDL of everything must say. */
static void
listing_want(const struct drive *d, const bool *deleted, bool uidl, char *text,
    size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 1; i <= d->n_messages; i++) {
		if (deleted[i])
			continue;
		n += (size_t)(uidl ? snprintf(text + n, size - n, "%u %s\r\n",
					 i, drive_uid(i).p)
				   : snprintf(text + n, size - n, "%u %llu\r\n",
					 i,
					 (unsigned long long)drive_size(d, i)));
	}
	snprintf(text + n, size - n, ".\r\n");
}

static void
listing_check(struct drive *d, const bool *deleted, bool uidl)
{
	char want[4096];
	const char *reply = drive_say(d, uidl ? "UIDL\r\n" : "LIST\r\n");

	listing_want(d, deleted, uidl, want, sizeof(want));
	assert_true(is_ok(reply));
	assert_string_equal(strstr(reply, "\r\n") + 2, want);
}

static void
one_check(struct drive *d, uint32_t msgno, bool deleted)
{
	static const char *const verbs[] = { "LIST", "UIDL", "RETR", "TOP" };
	char text[64], want[4][64];

	snprintf(want[0], 64, "+OK %u %llu\r\n", msgno,
	    (unsigned long long)drive_size(d, msgno));
	snprintf(want[1], 64, "+OK %u %s\r\n", msgno, drive_uid(msgno).p);
	snprintf(want[2], 64, "+OK %llu octets\r\n",
	    (unsigned long long)drive_size(d, msgno));
	snprintf(want[3], 64, "+OK the top follows\r\n");
	for (unsigned i = 0; i < 4; i++) {
		const char *reply;

		snprintf(text, sizeof(text), "%s %u%s\r\n", verbs[i], msgno,
		    i == 3 ? " 0" : "");
		reply = drive_say(d, text);
		if (deleted)
			assert_true(is_err(reply));
		else
			assert_memory_equal(reply, want[i], strlen(want[i]));
	}
}

/* After any DELE and RSET all commands tell of the same maildrop, and QUIT
 * removes exactly what they no longer tell of (S-1939-23..35, M-06). */
static void
test_agree(void **state)
{
	unsigned seed = 5;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		bool deleted[DRIVE_MESSAGES + 1] = { false };
		struct drive d;
		char text[64], want[64];
		uint32_t n = 1 + (uint32_t)rand_r(&seed) % DRIVE_MESSAGES;

		begin(&d, n);
		d.message[(unsigned)rand_r(&seed) % n].size = 1ULL << 33;
		drive_say(&d, LOGIN);
		for (unsigned i = 0; i < 100; i++) {
			uint32_t msgno = 1 + (uint32_t)rand_r(&seed) % n;
			uint64_t octets = 0;
			unsigned there = 0;

			if (rand_r(&seed) % 40 == 0) {
				assert_true(is_ok(drive_say(&d, "RSET\r\n")));
				memset(deleted, 0, sizeof(deleted));
			} else {
				snprintf(
				    text, sizeof(text), "DELE %u\r\n", msgno);
				assert_int_equal(is_ok(drive_say(&d, text)),
				    !deleted[msgno]);
				deleted[msgno] = true;
			}
			for (uint32_t k = 1; k <= n; k++)
				if (!deleted[k]) {
					octets += drive_size(&d, k);
					there++;
				}
			snprintf(want, sizeof(want), "+OK %u %llu\r\n", there,
			    (unsigned long long)octets);
			assert_string_equal(drive_say(&d, "STAT\r\n"), want);
			msgno = 1 + (uint32_t)rand_r(&seed) % n;
			one_check(&d, msgno, deleted[msgno]);
			if (i % 10 == 0) {
				listing_check(&d, deleted, false);
				listing_check(&d, deleted, true);
			}
		}
		assert_true(is_ok(drive_say(&d, "QUIT\r\n")));
		assert_true(d.closed);
		for (uint32_t k = 1; k <= n; k++)
			assert_int_equal(d.message[k - 1].removed, deleted[k]);
		drive_clear(&d);
	}
}

/* A maildrop whose messages say more than all of them together. */
static void
test_octets_disagree(void **state)
{
	struct drive d;

	(void)state;
	begin(&d, 2);
	drive_say(&d, LOGIN);
	d.message[0].size = UINT64_C(1) << 40;
	assert_true(is_ok(drive_say(&d, "DELE 1\r\n")));
	assert_string_equal(drive_say(&d, "STAT\r\n"), "+OK 1 0\r\n");
	drive_clear(&d);
}

/* What the log and the store want to know. */
static void
test_counters(void **state)
{
	struct drive d;

	(void)state;
	begin(&d, 3);
	drive_say(&d, LOGIN "RETR 1\r\nRETR 2\r\nTOP 1 0\r\nRETR 9\r\n");
	assert_int_equal(d.server.n_retr, 2);
	assert_int_equal(d.server.n_top, 1);
	assert_null(pop3_server_marks(&d.server));
	drive_say(&d, "DELE 3\r\n");
	assert_int_equal(pop3_server_marks(&d.server)[0], 4);
	assert_true(pop3_server_is_marked(&d.server, 3));
	assert_false(pop3_server_is_marked(&d.server, 1));
	drive_say(&d, "RSET\r\n");
	assert_null(pop3_server_marks(&d.server));
	assert_int_equal(d.server.state, POP3_TRANSACTION);
	drive_say(&d, "QUIT\r\n");
	assert_int_equal(d.server.state, POP3_UPDATE);
	drive_clear(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_offered),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_between_user_and_pass),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_no_over_read),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_replies),
		cmocka_unit_test(test_output_full),
		cmocka_unit_test(test_input_small),
		cmocka_unit_test(test_borrowed),
		cmocka_unit_test(test_borrowed_sasl),
		cmocka_unit_test(test_tls_forgets),
		cmocka_unit_test(test_xclient),
		cmocka_unit_test(test_secured),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_reply_text),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_timestamp),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_agree),
		cmocka_unit_test(test_octets_disagree),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_expire_announced),
		cmocka_unit_test(test_expire_once),
		cmocka_unit_test(test_expire_once_counts),
		cmocka_unit_test(test_expire_once_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

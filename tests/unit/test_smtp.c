/* A dialogue with a server that takes mail, and the record of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/send/smtp.h"
#include "client/send/smtp_words.h"
#include "guard.h"

static struct smtp s;
static struct buf out;
static struct outgoing o;

static void
begin(bool starts_tls, size_t recipients)
{
	static const char *const to[] = { "one@b", "two@b", "three@b" };

	buf_free(&out);
	buf_init(&out, 10000, false);
	smtp_init(&s, starts_tls);
	outgoing_clear(&o);
	o.sender = strdup("ana@b");
	o.account = strdup("casa");
	o.v = calloc(recipients, sizeof(*o.v));
	o.n = recipients;
	o.octets = 100;
	for (size_t i = 0; i < recipients; i++)
		o.v[i].address = strdup(to[i]);
}

static enum smtp_event
hear(const char *line)
{
	size_t n = strlen(line);

	return smtp_take(&s, (struct slice){ guard_copy(0, line, n), n }, &out);
}

static void
assert_said(const char *expected)
{
	assert_int_equal(buf_put(&out, "", 1), E_OK);
	assert_string_equal(buf_data(&out), expected);
	buf_consume(&out, out.len);
}

/* Up to where a message can be handed in. */
static void
greet(size_t recipients, const char *extension)
{
	begin(false, recipients);
	assert_int_equal(hear("220 here"), SMTP_MORE);
	assert_said("EHLO [127.0.0.1]\r\n");
	assert_int_equal(hear("250-here"), SMTP_MORE);
	assert_int_equal(hear(extension), SMTP_SIGN_IN);
}

static void
expect(enum smtp_event got, enum smtp_event wanted, const char *said)
{
	assert_int_equal(got, wanted);
	assert_said(said);
}

static void
one_message(void **state)
{
	greet(2, "250 x");
	expect(smtp_mail(&s, &out, &o), SMTP_MORE, "MAIL FROM:<ana@b>\r\n");
	expect(hear("250 2.1.0 ok"), SMTP_MORE, "RCPT TO:<one@b>\r\n");
	expect(hear("250 ok"), SMTP_MORE, "RCPT TO:<two@b>\r\n");
	expect(hear("550-5.1.1 no"), SMTP_MORE, "");
	expect(hear("550 5.1.1 such user"), SMTP_MORE, "DATA\r\n");
	assert_int_equal(hear("354"), SMTP_SEND);
	smtp_sent(&s);
	assert_int_equal(hear("250 ok"), SMTP_OVER);
	assert_int_equal(o.v[0].fate, FATE_SENT);
	assert_int_equal(o.v[1].fate, FATE_REFUSED);
	assert_non_null(strstr(o.v[1].words, "550 5.1.1 no such user"));
	expect(smtp_quit(&s, &out), SMTP_MORE, "QUIT\r\n");
	assert_int_equal(hear("221"), SMTP_BYE);
}

/* Whom it was sent to is not asked for again. */
static void
only_those_who_wait(void **state)
{
	greet(3, "250 x");
	o.v[0].fate = FATE_SENT;
	o.v[1].fate = FATE_PERHAPS;
	smtp_mail(&s, &out, &o);
	buf_consume(&out, out.len);
	expect(hear("250 ok"), SMTP_MORE, "RCPT TO:<three@b>\r\n");
	expect(hear("450 4.7.1 later"), SMTP_MORE, "RSET\r\n");
	assert_int_equal(hear("250 ok"), SMTP_OVER);
	assert_int_equal(o.v[0].fate, FATE_SENT);
	assert_int_equal(o.v[1].fate, FATE_PERHAPS);
	assert_int_equal(o.v[2].fate, FATE_WAITING);
	assert_string_equal(
	    o.v[2].words, "the server says \"450 4.7.1 later\"");
}

/* ---- commands that do not wait for answers (RFC 2920) ---- */

static void
ahead(void **state)
{
	greet(3, "250 PIPELINING");
	o.v[1].fate = FATE_SENT;
	expect(smtp_mail(&s, &out, &o), SMTP_MORE,
	    "MAIL FROM:<ana@b>\r\nRCPT TO:<one@b>\r\nRCPT "
	    "TO:<three@b>\r\nDATA\r\n");
	expect(hear("250 ok"), SMTP_MORE, "");
	expect(hear("550 5.1.1 no"), SMTP_MORE, "");
	assert_string_equal(smtp_phase_name(&s), "RCPT");
	expect(hear("250 ok"), SMTP_MORE, "");
	expect(hear("354 go on"), SMTP_SEND, "");
	smtp_sent(&s);
	assert_int_equal(hear("250 ok"), SMTP_OVER);
	assert_int_equal(o.v[0].fate, FATE_REFUSED);
	assert_int_equal(o.v[1].fate, FATE_SENT);
	assert_int_equal(o.v[2].fate, FATE_SENT);
	/* What follows is not taken for the message before. */
	o.v[1].fate = FATE_WAITING;
	expect(smtp_mail(&s, &out, &o), SMTP_MORE,
	    "MAIL FROM:<ana@b>\r\nRCPT TO:<two@b>\r\nDATA\r\n");
}

/* The server wants the message of nobody: it gets none. */
static void
ahead_and_nobody(void **state)
{
	static const struct {
		const char *mail, *recipient, *data, *said;
		enum fate fate;
	} rows[] = {
		{ "250 ok", "550 no", "354 go on", ".\r\n", FATE_REFUSED },
		{ "250 ok", "550 no", "554 nobody", "RSET\r\n", FATE_REFUSED },
		{ "250 ok", "450 later", "354 go on", ".\r\n", FATE_WAITING },
		{ "550 no", "503 MAIL", "503 RCPT", "RSET\r\n", FATE_REFUSED },
		{ "451 later", "250 ok", "354 go on", ".\r\n", FATE_WAITING },
		{ "250 ok", "250 ok", "451 later", "RSET\r\n", FATE_WAITING },
		{ "250 ok", "250 ok", "554 no", "RSET\r\n", FATE_REFUSED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		greet(1, "250 PIPELINING");
		smtp_mail(&s, &out, &o);
		buf_consume(&out, out.len);
		expect(hear(rows[i].mail), SMTP_MORE, "");
		expect(hear(rows[i].recipient), SMTP_MORE, "");
		expect(hear(rows[i].data), SMTP_MORE, rows[i].said);
		assert_int_equal(hear("554 no"), SMTP_OVER);
		assert_int_equal(o.v[0].fate, rows[i].fate);
		assert_non_null(o.v[0].words);
	}
	/* Neither is an end that nobody had asked for. */
	greet(1, "250 PIPELINING");
	smtp_mail(&s, &out, &o);
	assert_int_equal(hear("530 sign in"), SMTP_NEVER);
	assert_int_equal(o.v[0].fate, FATE_WAITING);
}

/* No more of them than any server bears. */
static void
ahead_of_many(void **state)
{
	size_t n = SMTP_AHEAD + 2, said = 0;
	const char *p;

	greet(1, "250 PIPELINING");
	o.v = realloc(o.v, n * sizeof(*o.v));
	for (; o.n < n; o.n++)
		o.v[o.n] = (struct recipient){ .address = strdup("x@b") };
	smtp_mail(&s, &out, &o);
	assert_int_equal(buf_put(&out, "", 1), E_OK);
	for (p = buf_data(&out); (p = strstr(p, "RCPT")) != NULL; p++)
		said++;
	assert_int_equal(said, SMTP_AHEAD);
	assert_null(strstr(buf_data(&out), "DATA"));
	buf_consume(&out, out.len);
	expect(hear("250 ok"), SMTP_MORE, "");
	expect(hear("250 ok"), SMTP_MORE, "RCPT TO:<x@b>\r\n");
	expect(hear("250 ok"), SMTP_MORE, "RCPT TO:<x@b>\r\nDATA\r\n");
	for (size_t i = 2; i < n; i++)
		expect(hear("250 ok"), SMTP_MORE, "");
	assert_int_equal(hear("354 go on"), SMTP_SEND);
}

/* A message that everybody has is none to hand in. */
static void
for_nobody(void **state)
{
	greet(1, "250 PIPELINING");
	o.v[0].fate = FATE_SENT;
	expect(smtp_mail(&s, &out, &o), SMTP_OVER, "");
}

static void
extensions(void **state)
{
	greet(1, "250 x");
	assert_false(s.has_eightbit || s.has_utf8 || s.has_size);
	begin(false, 1);
	hear("220 x");
	hear("250-8BITMIME");
	hear("250-8BITMIME");
	hear("250-size 99999");
	hear("250-SMTPUTF8");
	hear("250-AUTH=LOGIN");
	hear("250 auth plain CRAM-MD5");
	buf_consume(&out, out.len);
	assert_true(smtp_has_auth(&s, "PLAIN") && smtp_has_auth(&s, "LOGIN"));
	assert_false(smtp_has_auth(&s, "MD5"));
	o.eightbit = o.utf8 = true;
	expect(smtp_mail(&s, &out, &o), SMTP_MORE,
	    "MAIL FROM:<ana@b> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n");
}

static void
what_the_server_cannot_carry(void **state)
{
	greet(1, "250 SIZE 99");
	assert_int_equal(smtp_mail(&s, &out, &o), SMTP_OVER);
	assert_int_equal(o.v[0].fate, FATE_REFUSED);
	assert_non_null(strstr(o.v[0].words, "no more than 99"));
	greet(1, "250 x");
	o.utf8 = true;
	assert_int_equal(smtp_mail(&s, &out, &o), SMTP_OVER);
	assert_non_null(strstr(o.v[0].words, "SMTPUTF8"));
}

static void
tls(void **state)
{
	begin(true, 1);
	hear("220 x");
	hear("250-x");
	buf_consume(&out, out.len);
	expect(hear("250 STARTTLS"), SMTP_MORE, "STARTTLS\r\n");
	assert_int_equal(hear("220 go on"), SMTP_START_TLS);
	expect(smtp_secured(&s, &out), SMTP_MORE, "EHLO [127.0.0.1]\r\n");
	assert_int_equal(hear("250 x"), SMTP_SIGN_IN);
	begin(true, 1);
	hear("220 x");
	assert_int_equal(hear("250 x"), SMTP_NO_TLS);
	begin(true, 1);
	hear("220 x");
	hear("250-x");
	hear("250 STARTTLS");
	assert_int_equal(hear("454 later"), SMTP_NO_TLS);
}

static void
signing_in(void **state)
{
	const struct slice none = { "", 0 }, some = { "abc", 3 };

	greet(1, "250 AUTH PLAIN");
	expect(smtp_auth(&s, &out, "PLAIN", &some), SMTP_MORE,
	    "AUTH PLAIN YWJj\r\n");
	assert_int_equal(hear("235 ok"), SMTP_SIGNED_IN);
	greet(1, "250 AUTH PLAIN");
	expect(smtp_auth(&s, &out, "X", &none), SMTP_MORE, "AUTH X =\r\n");
	greet(1, "250 AUTH PLAIN");
	expect(smtp_auth(&s, &out, "X", NULL), SMTP_MORE, "AUTH X\r\n");
	assert_int_equal(hear("334 VXNlcg=="), SMTP_CHALLENGE);
	assert_int_equal(s.challenge.n, 8);
	expect(smtp_answer(&s, &out, some), SMTP_MORE, "YWJj\r\n");
	expect(smtp_cancel(&s, &out), SMTP_MORE, "*\r\n");
	assert_int_equal(hear("535 5.7.8 no"), SMTP_DENIED);
	assert_string_equal(s.reply.status, "5.7.8");
	greet(1, "250 AUTH PLAIN");
	smtp_auth(&s, &out, "X", NULL);
	assert_int_equal(hear("454 4.7.0 later"), SMTP_NOT_NOW);
}

static void
refusals(void **state)
{
	static const struct {
		const char *line;
		enum fate fate;
	} at_the_end[] = { { "250 ok", FATE_SENT }, { "554 no", FATE_REFUSED },
		{ "451 later", FATE_WAITING }, { "421 later", FATE_WAITING } };

	for (size_t i = 0; i < 4; i++) {
		greet(1, "250 x");
		smtp_mail(&s, &out, &o);
		hear("250 ok");
		hear("250 ok");
		hear("354 go on");
		smtp_sent(&s);
		assert_int_equal(hear(at_the_end[i].line), SMTP_OVER);
		assert_int_equal(o.v[0].fate, at_the_end[i].fate);
	}
	greet(2, "250 x");
	smtp_mail(&s, &out, &o);
	assert_int_equal(hear("530 sign in"), SMTP_NEVER);
	assert_int_equal(o.v[0].fate, FATE_WAITING);
	/* It was said for too many recipients once. */
	greet(1, "250 x");
	smtp_mail(&s, &out, &o);
	hear("250 ok");
	hear("552 too many");
	assert_int_equal(o.v[0].fate, FATE_WAITING);
}

static void
refused_before_the_end(void **state)
{
	greet(1, "250 x");
	smtp_mail(&s, &out, &o);
	hear("250 ok");
	hear("250 ok");
	hear("354 go on");
	assert_int_equal(hear("552 5.3.4 too much"), SMTP_NOT_NOW);
	assert_int_equal(o.v[0].fate, FATE_REFUSED);
	greet(1, "250 x");
	smtp_mail(&s, &out, &o);
	hear("250 ok");
	hear("250 ok");
	hear("354 go on");
	assert_int_equal(hear("250 ok"), SMTP_NO_SENSE);
	assert_int_equal(o.v[0].fate, FATE_WAITING);
}

/* Whoever sent it again might send it twice. */
static void
neither_yes_nor_no(void **state)
{
	greet(1, "250 x");
	smtp_mail(&s, &out, &o);
	hear("250 ok");
	hear("250 ok");
	hear("354 go on");
	smtp_sent(&s);
	o.v[0].fate = FATE_SENDING;
	assert_int_equal(hear("354 go on"), SMTP_NO_SENSE);
	assert_int_equal(o.v[0].fate, FATE_SENDING);
}

static void
what_makes_no_sense(void **state)
{
	static const char *const bad[] = { "", "2", "22", "abc", "220", "620 x",
		"120 x", "220x", "+OK", "250-a\0b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(false, 1);
		assert_int_equal(hear(bad[i]), i == 4   ? SMTP_MORE
					       : i == 9 ? SMTP_MORE
							: SMTP_NO_SENSE);
	}
	begin(false, 1);
	hear("220-a");
	assert_int_equal(hear("250 b"), SMTP_NO_SENSE);
	greet(1, "250 x");
	assert_int_equal(hear("250 nobody has asked"), SMTP_NO_SENSE);
	begin(false, 1);
	for (int i = 0; i < SMTP_LINES; i++)
		assert_int_equal(hear("220-x"), SMTP_MORE);
	assert_int_equal(hear("220-x"), SMTP_NO_SENSE);
}

static void
words_are_safe(void **state)
{
	char words[SMTP_WORDS];

	begin(false, 1);
	hear("554-5.7.1 \x1b[2Jone");
	assert_int_equal(hear("554 5.7.1 two"), SMTP_NEVER);
	smtp_words(words, &s);
	assert_null(strchr(words, '\x1b'));
	assert_non_null(strstr(words, "554 5.7.1 "));
	assert_non_null(strstr(words, "one two"));
}

/* ---- its record ---- */

static void
a_record_is_read_as_it_was_written(void **state)
{
	struct outgoing got, half;
	char *text;

	begin(false, 3);
	o.v[1].fate = FATE_PERHAPS;
	o.v[2].words = strdup("no \"such\" user");
	o.utf8 = o.copied = true;
	o.octets = UINT64_C(1) << 40;
	o.queued_at = 5;
	o.next_at = -6;
	o.tries = 7;
	text = outgoing_print(&o);
	assert_non_null(text);
	assert_int_equal(
	    outgoing_parse(&got, (struct slice){ text, strlen(text) }), E_OK);
	assert_string_equal(got.v[2].words, "no \"such\" user");
	assert_int_equal(got.v[1].fate, FATE_PERHAPS);
	assert_true(got.utf8 && got.copied && !got.eightbit);
	assert_true(got.octets == o.octets && got.queued_at == 5 &&
		    got.next_at == -6 && got.tries == 7);
	/* Half of it is none. */
	for (size_t n = 0; n < strlen(text); n++)
		assert_int_not_equal(
		    outgoing_parse(&half, (struct slice){ text, n }), E_OK);
	outgoing_clear(&got);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_message),
		cmocka_unit_test(only_those_who_wait),
		cmocka_unit_test(ahead),
		cmocka_unit_test(ahead_and_nobody),
		cmocka_unit_test(ahead_of_many),
		cmocka_unit_test(for_nobody),
		cmocka_unit_test(extensions),
		cmocka_unit_test(what_the_server_cannot_carry),
		cmocka_unit_test(tls),
		cmocka_unit_test(signing_in),
		cmocka_unit_test(refusals),
		cmocka_unit_test(refused_before_the_end),
		cmocka_unit_test(neither_yes_nor_no),
		cmocka_unit_test(what_makes_no_sense),
		cmocka_unit_test(words_are_safe),
		cmocka_unit_test(a_record_is_read_as_it_was_written),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	outgoing_clear(&o);
	buf_free(&out);
	return failed;
}

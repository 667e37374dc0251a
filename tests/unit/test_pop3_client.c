/*
 * The client's side of the protocol: replies right and wrong, limits, and what
 * is sent.
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
#include "talk.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static enum err
send_one(struct talk *t, enum pop3_cmd cmd)
{
	struct pop3_client *c = &t->client;
	bool deferred;

	switch (cmd) {
	case POP3_CMD_GREETING: return E_OK;
	case POP3_CMD_USER: return pop3_client_user(c, &t->out, text("tim"));
	case POP3_CMD_PASS: return pop3_client_pass(c, &t->out, text("secret"));
	case POP3_CMD_APOP:
		return pop3_client_apop(c, &t->out, text("tim"),
		    "0123456789abcdef0123456789abcdef");
	case POP3_CMD_AUTH:
		return pop3_client_auth(c, &t->out, "LOGIN", NULL, &deferred);
	case POP3_CMD_LANG: return pop3_client_lang(c, &t->out, "pt-BR");
	case POP3_CMD_TOP:
	case POP3_CMD_RETR:
	case POP3_CMD_LIST_ONE:
	case POP3_CMD_UIDL_ONE:
	case POP3_CMD_ENV:
	case POP3_CMD_DELE: return pop3_client_message(c, &t->out, cmd, 7);
	default: return pop3_client_send(c, &t->out, cmd);
	}
}

static void
say(struct talk *t, enum pop3_cmd cmd)
{
	assert_int_equal(send_one(t, cmd), E_OK);
}

/* A client that has been greeted and awaits the reply to one command. */
static void
begin(struct talk *t, enum pop3_cmd cmd)
{
	talk_init(t, 0);
	if (cmd == POP3_CMD_GREETING)
		return;
	talk_feed(t, "+OK\r\n", 5);
	buf_consume(&t->log, t->log.len);
	say(t, cmd);
}

/* What comes of a reply, at once and cut at each place. */
static void
reply_check(enum pop3_cmd cmd, const char *reply, const char *want)
{
	size_t n = strlen(reply);

	for (size_t at = 0; at < n; at++) {
		struct talk t;

		begin(&t, cmd);
		talk_feed(&t, reply, at);
		talk_feed(&t, reply + at, n - at);
		if (strcmp(talk_log(&t), want) != 0) {
			print_error("%s\ncut at %zu:\n%s\nnot:\n%s\n", reply,
			    at, talk_log(&t), want);
			fail();
		}
		talk_clear(&t);
	}
}

#define NO_REPLY "broken what the server sent is no reply of POP3\n"
#define NOTHING  "broken the server sent octets that answer nothing\n"
#define TOO_LONG "broken a line of the server is too long\n"

/* ---- first lines ---- */

/* C-ENG-16, C-1957-01, M-41: what is a reply, and what is not. */
static void
test_indicator(void **state)
{
	static const struct {
		const char *reply, *want;
	} table[] = {
		{ "+OK\r\n", "APOP ok\n" },
		{ "+OK\n", "APOP ok\n" },
		{ "+OK \r\n", "APOP ok\n" },
		{ "+OK  a\r\n", "APOP ok  a\n" },
		{ "+ok yes\r\n", "APOP ok yes\n" },
		{ "+Ok\r\n", "APOP ok\n" },
		{ "-ERR\r\n", "APOP err\n" },
		{ "-ERR no\n", "APOP err no\n" },
		{ "-err no\r\n", "APOP err no\n" },
		{ "+OK \xff\x1b[2J\r\r\n", "APOP ok \xff\x1b[2J\r\n" },
		{ "+OKAY\r\n", "APOP ok AY\n" },
		{ "+OK\tyes\r\n", "APOP ok \tyes\n" },
		{ "+OK, yes\r\n", "APOP ok , yes\n" },
		{ "-ERRno\r\n", "APOP err no\n" },
		{ "-error no\r\n", "APOP err no\n" },
		{ "+ERR no\r\n", "APOP err no\n" },
		{ "+ERROR\r\n", "APOP err\n" },
		{ " +OK\r\n", NO_REPLY },
		{ "OK\r\n", NO_REPLY },
		{ "-ERROR\r\n", "APOP err\n" },
		{ "+O\r\n", NO_REPLY },
		{ "-ER\r\n", NO_REPLY },
		{ "+\r\n", NO_REPLY },
		{ "+ \r\n", NO_REPLY },
		{ "+ YQ==\r\n", NO_REPLY },
		{ "-\r\n", NO_REPLY },
		{ "\r\n", NO_REPLY },
		{ "\n", NO_REPLY },
		{ ".\r\n", NO_REPLY },
		{ "220 mail ESMTP\r\n", NO_REPLY },
		{ "<html>\r\n", NO_REPLY },
		{ "* OK IMAP4\r\n", NO_REPLY },
		{ "+OK\r", "" },
		{ "+OK a", "" },
		/* C-1939-02: a refusal is one line */
		{ "+OK\r\n+OK\r\n", "APOP ok\n" NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++)
		reply_check(POP3_CMD_APOP, table[i].reply, table[i].want);
	reply_check(POP3_CMD_RETR, "-ERR no\r\n", "RETR 7 err no\n");
	reply_check(POP3_CMD_LIST, "-ERR no\r\n", "LIST err no\n");
}

/* Lines that answer nothing: behind a reply and before the next, but never where
 * they could be mail, or the refusal of a server that does not know the command. */
static void
test_strays(void **state)
{
	static const struct {
		enum pop3_cmd cmd;
		const char *reply, *want;
	} table[] = {
		{ POP3_CMD_PASS, "+OK\r\nwelcome\r\n\r\n.\r\n", "PASS ok\n" },
		{ POP3_CMD_PASS, "welcome\r\n\r\n+OK\r\n", "PASS ok\n" },
		{ POP3_CMD_PASS, "-ERR no\r\nreally\n", "PASS err no\n" },
		{ POP3_CMD_STAT, "welcome\r\n+OK 1 2\r\n",
		    "STAT ok 1 2 1 2\n" },
		{ POP3_CMD_DELE, "gone\r\n-ERR no\r\n", "DELE 7 err no\n" },
		{ POP3_CMD_NOOP, "+OK\r\n+OK\r\n", "NOOP ok\n" NOTHING },
		{ POP3_CMD_NOOP, "+OK\r\n-ERR\r\n", "NOOP ok\n" NOTHING },
		{ POP3_CMD_NOOP, "+OK\r\n\r", "NOOP ok\n" },
		{ POP3_CMD_CAPA, "500 what?\r\n", NO_REPLY },
		{ POP3_CMD_LIST, "a\r\n+OK\r\n", NO_REPLY },
		{ POP3_CMD_TOP, "a\r\n+OK\r\n", NO_REPLY },
		{ POP3_CMD_RETR, "a\r\n+OK\r\n", NO_REPLY },
		{ POP3_CMD_STLS, "a\r\n+OK\r\n", NO_REPLY },
		{ POP3_CMD_RETR, "+OK\r\n.\r\na\r\n",
		    "RETR 7 ok\nRETR 7 end 0\n" NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++)
		reply_check(table[i].cmd, table[i].reply, table[i].want);
}

/* There is an end to them; each reply begins anew. */
static void
test_strays_without_end(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, POP3_CMD_PASS);
	for (int i = 0; i < 64; i++)
		talk_feed(&t, "a\r\n", 3);
	talk_feed(&t, "+OK\r\n", 5);
	for (int i = 0; i < 64; i++)
		talk_feed(&t, "a\r\n", 3);
	assert_string_equal(talk_log(&t), "PASS ok\n");
	assert_true(t.client.has_strayed);
	talk_feed(&t, "a\r\n", 3);
	assert_string_equal(
	    talk_log(&t), "PASS ok\nbroken the server talks without an end\n");
	talk_clear(&t);
}

/* Once it is known that no message is coming any more. */
static void
test_strays_in_step(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, POP3_CMD_RETR);
	talk_feed(&t, "+OK\r\n.\r\n", 8);
	pop3_client_in_step(&t.client);
	say(&t, POP3_CMD_DELE);
	talk_feed(&t, "gone\r\n+OK\r\nfor ever\r\n", 21);
	say(&t, POP3_CMD_RETR);
	talk_feed(&t, "+OK\r\n.\r\n", 8);
	assert_string_equal(talk_log(&t), "RETR 7 ok\nRETR 7 end 0\nDELE 7 ok\n"
					  "RETR 7 ok\nRETR 7 end 0\n");
	talk_feed(&t, "a\r\n", 3);
	assert_true(t.broken);
	talk_clear(&t);
}

/* A TLS record and NULs, which are no C string. */
static void
test_binary(void **state)
{
	static const char hello[] = "\x16\x03\x01\0\xf4\x01\n";
	static const char nul[] = "+OK a\0b\r\n";
	struct talk t;

	(void)state;
	begin(&t, POP3_CMD_GREETING);
	talk_feed(&t, hello, sizeof(hello) - 1);
	assert_string_equal(talk_log(&t), NO_REPLY);
	talk_clear(&t);
	begin(&t, POP3_CMD_NOOP);
	talk_feed(&t, nul, sizeof(nul) - 1);
	assert_int_equal(t.log.len, strlen("NOOP ok a.b\n"));
	assert_memory_equal(talk_log(&t), "NOOP ok a\0b\n", t.log.len);
	talk_clear(&t);
}

/* RFC 2449 s8, 3206, 6856 s5: B-2449-02. */
static void
test_codes(void **state)
{
	static const struct {
		const char *text, *rest;
		enum pop3_code code;
	} table[] = {
		{ "[AUTH] no", "no", POP3_CODE_AUTH },
		{ "[auth] no", "no", POP3_CODE_AUTH },
		{ "[AUTH]", "", POP3_CODE_AUTH },
		{ "[AUTH]  no", " no", POP3_CODE_AUTH },
		{ "[AUTH]no", "no", POP3_CODE_AUTH },
		{ "[AUTH/NAME] no", "no", POP3_CODE_AUTH },
		{ "[IN-USE] x", "x", POP3_CODE_IN_USE },
		{ "[LOGIN-DELAY] x", "x", POP3_CODE_LOGIN_DELAY },
		{ "[SYS/TEMP] x", "x", POP3_CODE_SYS_TEMP },
		{ "[sys/Temp/disk/full] x", "x", POP3_CODE_SYS_TEMP },
		{ "[SYS/PERM] x", "x", POP3_CODE_SYS_PERM },
		{ "[UTF8] x", "x", POP3_CODE_UTF8 },
		{ "[SYS] x", "x", POP3_CODE_OTHER },
		{ "[SYS/TEMPO] x", "x", POP3_CODE_OTHER },
		{ "[AUTHOR] x", "x", POP3_CODE_OTHER },
		{ "[XYZ/1] x", "x", POP3_CODE_OTHER },
		{ "[[] x", "x", POP3_CODE_OTHER },
		{ "[] x", "[] x", POP3_NO_CODE },
		{ "[/AUTH] x", "[/AUTH] x", POP3_NO_CODE },
		{ "[AUTH/] x", "[AUTH/] x", POP3_NO_CODE },
		{ "[SYS//TEMP] x", "[SYS//TEMP] x", POP3_NO_CODE },
		{ "[AUTH x", "[AUTH x", POP3_NO_CODE },
		{ "[not a code] x", "[not a code] x", POP3_NO_CODE },
		{ "[\xff] x", "[\xff] x", POP3_NO_CODE },
		{ "[\x7f] x", "[\x7f] x", POP3_NO_CODE },
		{ " [AUTH] x", " [AUTH] x", POP3_NO_CODE },
		{ "x [AUTH]", "x [AUTH]", POP3_NO_CODE },
		{ "[", "[", POP3_NO_CODE },
		{ "]", "]", POP3_NO_CODE },
		{ "", "", POP3_NO_CODE },
	};

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++) {
		size_t n = strlen(table[i].text);
		char *copy = malloc(n + 1); /* its end is watched */
		struct slice s = { copy, n };

		assert_non_null(memcpy(copy, table[i].text, n));
		assert_int_equal(pop3_code_parse(&s), table[i].code);
		assert_true(slice_eq(s, table[i].rest));
		free(copy);
	}
	reply_check(POP3_CMD_PASS, "-ERR [AUTH] no\r\n", "PASS err 1 no\n");
	reply_check(POP3_CMD_PASS, "+OK [XYZ] yes\r\n", "PASS ok 7 yes\n");
}

/* What servers say without a code, as it was seen. */
static void
test_words_without_code(void **state)
{
	static const struct {
		const char *text;
		enum pop3_code code;
	} table[] = {
		{ "maildrop already locked", POP3_CODE_IN_USE },
		{ "Unable to lock maildrop: it is locked by POP server",
		    POP3_CODE_IN_USE },
		{ ".tim.pop lock busy!  Is another session active?",
		    POP3_CODE_IN_USE },
		{ "MAILBOX IN USE", POP3_CODE_IN_USE },
		{ "Login allowed only every 15 minutes",
		    POP3_CODE_LOGIN_DELAY },
		{ "logging in too often", POP3_CODE_LOGIN_DELAY },
		{ "Maximum number of connections exceeded",
		    POP3_CODE_SYS_TEMP },
		{ "Temporary authentication failure.", POP3_CODE_SYS_TEMP },
		{ "service unavailable", POP3_CODE_SYS_TEMP },
		{ "Busy", POP3_CODE_SYS_TEMP },
		/* trying these again helps nobody */
		{ "Too many login attempts, try again later",
		    POP3_CODE_SYS_PERM },
		{ "Account is locked", POP3_CODE_SYS_PERM },
		{ "account temporarily disabled", POP3_CODE_SYS_PERM },
		{ "invalid password; is it in use?", POP3_CODE_SYS_PERM },
		{ "access denied", POP3_CODE_SYS_PERM },
		{ "authentication failed", POP3_NO_CODE },
		{ "bus", POP3_NO_CODE },
		{ "", POP3_NO_CODE },
	};

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++)
		assert_int_equal(
		    pop3_code_guess(text(table[i].text)), table[i].code);
}

/* Is it the command that was refused, or the person? */
static void
test_words_for_unknown(void **state)
{
	static const struct {
		const char *text;
		enum pop3_unknown what;
	} table[] = {
		{ "Unknown command", POP3_UNKNOWN_COMMAND },
		{ "invalid command: AUTH", POP3_UNKNOWN_COMMAND },
		{ "Command unrecognized", POP3_UNKNOWN_COMMAND },
		{ "not implemented", POP3_UNKNOWN_COMMAND },
		{ "AUTH is not supported here", POP3_UNKNOWN_COMMAND },
		{ "Too many arguments", POP3_UNKNOWN_COMMAND },
		{ "Unrecognized authentication type.", POP3_UNKNOWN_MECHANISM },
		{ "unsupported mechanism", POP3_UNKNOWN_MECHANISM },
		{ "unknown", POP3_UNKNOWN_NOTHING },
		{ "invalid", POP3_UNKNOWN_NOTHING },
		{ "invalid authentication", POP3_UNKNOWN_NOTHING },
		{ "Unknown user or bad command", POP3_UNKNOWN_NOTHING },
		{ "bad password in command", POP3_UNKNOWN_NOTHING },
		{ "mechanism failed: bad key", POP3_UNKNOWN_NOTHING },
		{ "POP is not supported for this account",
		    POP3_UNKNOWN_NOTHING },
		{ "", POP3_UNKNOWN_NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++) {
		const char *text = table[i].text;

		assert_int_equal(
		    pop3_code_unknown((struct slice){ text, strlen(text) }),
		    table[i].what);
	}
}

/* Only what begins by an indicator is one. */
static void
test_greeting(void **state)
{
	(void)state;
	reply_check(POP3_CMD_GREETING, "+OK hello\r\n", "greeting ok hello\n");
	reply_check(
	    POP3_CMD_GREETING, "-ERR [SYS/TEMP] no\r\n", "greeting err 4 no\n");
	reply_check(POP3_CMD_GREETING, "+ hello\r\n", NO_REPLY);
	reply_check(POP3_CMD_GREETING, "hello\r\n+OK\r\n", NO_REPLY);
	/* More lines of it, before anything was asked, are passed over. */
	reply_check(POP3_CMD_GREETING, "+OK a\r\n+OK b\r\n-ERR\r\nc\r\n",
	    "greeting ok a\n");
}

/* C-ENG-01, C-1939-03, M-34 (CVE-2007-1558) */
static void
test_timestamp(void **state)
{
	static const struct {
		const char *greeting, *want;
	} table[] = {
		{ "+OK ready <1896.6@dbc.mtview.ca.us>",
		    "<1896.6@dbc.mtview.ca.us>" },
		{ "+OK <a@b>", "<a@b>" },
		{ "+OK<a@b>", "<a@b>" },
		{ "+OK <a+/=_-~@b-c> bye", "<a+/=_-~@b-c>" },
		{ "+OK <a.b.c@[127.0.0.1]>", "<a.b.c@[127.0.0.1]>" },
		{ "+OK <\"a b\".c@d>", "<\"a b\".c@d>" },
		{ "+OK <hello> <a@b>", "<a@b>" },
		{ "+OK <<a@b>", "<a@b>" },
		{ "+OK <a@b> <c@d>", "<a@b>" },
		{ "-ERR <a@b>", "" },
		{ "+OK a@b", "" },
		{ "+OK <a>", "" },
		{ "+OK <a,b>", "" },
		{ "+OK <a@b", "" },
		{ "+OK <a@>", "" },
		{ "+OK <@b>", "" },
		{ "+OK <>", "" },
		{ "+OK <", "" },
		{ "+OK <a@b@c>", "" },
		{ "+OK <a b@c>", "" },
		{ "+OK <a@b c>", "" },
		{ "+OK <a..b@c>", "" },
		{ "+OK <.a@c>", "" },
		{ "+OK <a.@c>", "" },
		{ "+OK <a@c.>", "" },
		{ "+OK <a@c..d>", "" },
		{ "+OK <a\xc3\xa3@b>", "" },
		{ "+OK <a@b\xff>", "" },
		{ "+OK <a\x7f@b>", "" },
		{ "+OK \x01 <a@b>", "" },
		{ "+OK \x7f <a@b>", "" },
		{ "+OK <a@[b>", "" },
		{ "+OK <a@[b[c]>", "" },
		{ "+OK <\"a@b>", "" },
		{ "+OK <\"a<b\"@c>", "" },
		{ "+OK <\"a\\\"b\"@c>", "" },
		{ "+OK <a@(b)>", "" },
		{ "+OK <a,b@c>", "" },
	};
	char line[600];

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++) {
		struct talk t;

		begin(&t, POP3_CMD_GREETING);
		snprintf(line, sizeof(line), "%s\r\n", table[i].greeting);
		talk_feed(&t, line, strlen(line));
		assert_int_equal(t.broken, table[i].want == NULL);
		assert_string_equal(t.client.timestamp,
		    table[i].want != NULL ? table[i].want : "");
		talk_clear(&t);
	}
	/* of 255 octets, of 256; in a line of 512, of 513 */
	for (unsigned n = 255; n <= 256; n++)
		for (unsigned whole = 512; whole <= 513; whole++) {
			struct talk t;

			memset(line, 'x', sizeof(line));
			memcpy(line, "+OK <", 5);
			memcpy(line + 4 + n - 3, "@b>", 3);
			memcpy(line + whole - 2, "\r\n", 2);
			begin(&t, POP3_CMD_GREETING);
			talk_feed(&t, line, whole);
			assert_false(t.broken);
			assert_int_equal(strlen(t.client.timestamp),
			    n == 255 && whole == 512 ? 255 : 0);
			talk_clear(&t);
		}
}

/* C-ENG-12, M-40: exactly RFC 1939 s5, or not at all. */
static void
test_stat(void **state)
{
	static const struct {
		const char *reply, *want;
	} table[] = {
		{ "+OK 2 320", "STAT ok 2 320 2 320\n" },
		{ "+OK 0 0", "STAT ok 0 0 0 0\n" },
		{ "+OK 2 320 octets", "STAT ok 2 320 2 320 octets\n" },
		{ "+OK 2 320 ", "STAT ok 2 320 2 320 \n" },
		{ "+OK 10000000 18446744073709551615",
		    "STAT ok 10000000 18446744073709551615 10000000 "
		    "18446744073709551615\n" },
		{ "+OK 10000001 1", "STAT ok odd 10000001 1\n" },
		{ "+OK 4294967297 1", "STAT ok odd 4294967297 1\n" },
		{ "+OK 1 18446744073709551616",
		    "STAT ok odd 1 18446744073709551616\n" },
		{ "+OK", "STAT ok odd\n" },
		{ "+OK ", "STAT ok odd\n" },
		{ "+OK 2", "STAT ok odd 2\n" },
		{ "+OK 2 ", "STAT ok odd 2 \n" },
		{ "+OK  2 320", "STAT ok odd  2 320\n" },
		{ "+OK 2  320", "STAT ok odd 2  320\n" },
		{ "+OK 2\t320", "STAT ok odd 2\t320\n" },
		{ "+OK 2 320octets", "STAT ok odd 2 320octets\n" },
		{ "+OK 2 messages", "STAT ok odd 2 messages\n" },
		{ "+OK -2 320", "STAT ok odd -2 320\n" },
		{ "+OK +2 320", "STAT ok odd +2 320\n" },
		{ "+OK 0x2 320", "STAT ok odd 0x2 320\n" },
		{ "+OK you have 2 320", "STAT ok odd you have 2 320\n" },
		{ "-ERR 2 320", "STAT err 2 320\n" },
	};
	char line[100];

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++) {
		snprintf(line, sizeof(line), "%s\r\n", table[i].reply);
		reply_check(POP3_CMD_STAT, line, table[i].want);
	}
}

/* ---- what follows ---- */

/* C-ENG-13, M-40 */
static void
test_listing(void **state)
{
	(void)state;
	reply_check(POP3_CMD_LIST, "+OK 2 messages\r\n.\r\n",
	    "LIST ok 2 messages\nLIST end\n");
	reply_check(POP3_CMD_LIST,
	    "+OK\r\n3 0\r\n1 120\r\n2 200 octets\r\n1 5\r\n 4  6 \r\n5\t7\r\n"
	    "10000000 18446744073709551615\r\n.\r\n",
	    "LIST ok\nLIST entry 3 0\nLIST entry 1 120\nLIST entry 2 200\n"
	    "LIST entry 1 5\nLIST entry 4 6\nLIST entry 5 7\n"
	    "LIST entry 10000000 18446744073709551615\nLIST end\n");
	reply_check(POP3_CMD_LIST,
	    "+OK\r\n\r\n0 5\r\n10000001 5\r\n4294967297 5\r\n-1 5\r\n1\r\n"
	    "1 x\r\n1 5x\r\n1 -5\r\n1 18446744073709551616\r\nx 5\r\n"
	    "..\r\n. 1 5\r\n.1 5\r\n.\r\n",
	    "LIST ok\nLIST entry 0 odd\nLIST entry 0 odd\nLIST entry 0 odd\n"
	    "LIST entry 0 odd\nLIST entry 0 odd\nLIST entry 1 odd\n"
	    "LIST entry 1 odd\nLIST entry 1 odd\nLIST entry 1 odd\n"
	    "LIST entry 1 odd\nLIST entry 0 odd\nLIST entry 0 odd\n"
	    "LIST entry 1 5\nLIST entry 1 5\nLIST end\n");
	reply_check(POP3_CMD_UIDL,
	    "+OK\n1 whqtswO00WBw418f9t5JxYwZ\n2 a b c\n3 \n4\n5 \xff\x01\n"
	    "x y\n.\n",
	    "UIDL ok\nUIDL entry 1 whqtswO00WBw418f9t5JxYwZ\nUIDL entry 2 a\n"
	    "UIDL entry 3 odd\nUIDL entry 4 odd\nUIDL entry 5 \xff\x01\n"
	    "UIDL entry 0 odd\nUIDL end\n");
	/* what looks like a reply is a line all the same */
	reply_check(POP3_CMD_LIST, "+OK\r\n+OK\r\n-ERR no\r\n.\r\n",
	    "LIST ok\nLIST entry 0 odd\nLIST entry 0 odd\nLIST end\n");
}

/* *ENV of SDPS: lines, with their numbers; at most 64. */
static void
test_envelope(void **state)
{
	char many[65 * 2 + 20] = "+OK\r\n";
	struct talk t;

	(void)state;
	reply_check(POP3_CMD_ENV, "+OK here\r\nhost\r\n\r\n<>\n..x@y\r\n.\r\n",
	    "*ENV 7 ok here\n*ENV entry 1 host\n*ENV entry 2\n*ENV entry "
	    "3 <>\n"
	    "*ENV entry 4 .x@y\n*ENV 7 end\n");
	reply_check(POP3_CMD_ENV, "-ERR unknown command\r\n",
	    "*ENV 7 err unknown command\n");
	reply_check(POP3_CMD_ENV, "+OK\r\n.\r\n", "*ENV 7 ok\n*ENV 7 end\n");
	for (unsigned i = 0; i < 65; i++)
		strcat(many, "\r\n");
	begin(&t, POP3_CMD_ENV);
	talk_feed(&t, many, strlen(many));
	assert_non_null(strstr(talk_log(&t), "*ENV entry 64\nbroken the "
					     "server's list has no end\n"));
	talk_clear(&t);
}

/* RFC 1939 says 70 octets; more is taken as it comes (C-ENG-13). */
static void
test_uid_length(void **state)
{
	(void)state;
	for (size_t n = POP3_UID_MAX; n <= POP3_UID_MAX + 1; n++) {
		char line[POP3_UID_MAX + 20], want[POP3_UID_MAX + 50];
		char *uid = malloc(n + 1);
		struct talk t;

		memset(uid, 'u', n);
		uid[n] = '\0';
		snprintf(line, sizeof(line), "+OK\r\n1 %s\r\n", uid);
		snprintf(want, sizeof(want), "UIDL ok\nUIDL entry 1 %s\n",
		    n > POP3_UID_MAX ? "odd" : uid);
		begin(&t, POP3_CMD_UIDL);
		talk_feed(&t, line, strlen(line));
		assert_string_equal(talk_log(&t), want);
		talk_clear(&t);
		free(uid);
	}
}

/* C-ENG-15: 8192 octets of a line are taken, not one more. */
static void
test_line_length(void **state)
{
	static const struct {
		enum pop3_cmd cmd;
		const char *before, *line;
	} table[] = {
		{ POP3_CMD_GREETING, "", "+OK " },
		{ POP3_CMD_NOOP, "", "-ERR " },
		{ POP3_CMD_CAPA, "+OK\r\n", "X" },
		{ POP3_CMD_LIST, "+OK\r\n", "1 5 " },
		{ POP3_CMD_AUTH, "", "+ " },
	};
	static char line[POP3_REPLY_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++)
		for (size_t n = POP3_REPLY_MAX; n <= POP3_REPLY_MAX + 1; n++)
			for (size_t part = 1; part <= n; part += n - 1) {
				struct talk t;

				memset(line, 'x', n);
				memcpy(
				    line, table[i].line, strlen(table[i].line));
				memcpy(line + n - 2, "\r\n", 2);
				talk_init(&t, 2 * POP3_REPLY_MAX);
				if (i != 0) {
					talk_feed(&t, "+OK\r\n", 5);
					say(&t, table[i].cmd);
				}
				talk_feed(&t, table[i].before,
				    strlen(table[i].before));
				for (size_t k = 0; k < n; k += part)
					talk_feed(&t, line + k, part);
				assert_int_equal(t.broken, n > POP3_REPLY_MAX);
				assert_int_equal(
				    strstr(talk_log(&t), TOO_LONG) != NULL,
				    t.broken);
				talk_clear(&t);
			}
}

/* A small input shortens the lines. */
static void
test_small_input(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, 16);
	talk_feed(&t, "+OK 4567890123\r\n", 16);
	say(&t, POP3_CMD_RETR);
	talk_feed(&t, "+OK\r\na long line of a message\r\n.\r\n", 34);
	say(&t, POP3_CMD_NOOP);
	talk_feed(&t, "+OK 45678901234\r\n", 17);
	assert_string_equal(talk_log(&t),
	    "greeting ok 4567890123\nRETR 7 ok\n"
	    "RETR 7 data a long line of a message\n\nRETR 7 end 26\n" TOO_LONG);
	talk_clear(&t);
}

/* C-ENG-17, M-35: the rest is tried in test_unstuff.c. */
static void
test_message(void **state)
{
	(void)state;
	reply_check(POP3_CMD_RETR,
	    "+OK 120 octets\r\nA: b\r\n\r\n..x\r\n.y\r\n\r.\r\na\nb\r\n.\r\n",
	    "RETR 7 ok 120 octets\nRETR 7 data A: b\n\n.x\ny\n\r.\na\nb\n\n"
	    "RETR 7 end 24\n");
	reply_check(POP3_CMD_TOP, "+OK\nA: b\n\n.\n",
	    "TOP 7 ok\nTOP 7 data A: b\n\n\nTOP 7 end 8\n");
	reply_check(POP3_CMD_RETR, "+OK\r\n.\r\n", "RETR 7 ok\nRETR 7 end 0\n");
	reply_check(POP3_CMD_RETR, "+OK\r\n.\r\n.\r\n",
	    "RETR 7 ok\nRETR 7 end 0\n" NOTHING);
	reply_check(
	    POP3_CMD_RETR, "+OK\r\na\r\n.\r", "RETR 7 ok\nRETR 7 data a\n");
}

/* LIST n and UIDL n: one line, and it says the number. */
static void
test_one(void **state)
{
	static const struct {
		enum pop3_cmd cmd;
		const char *reply, *want;
	} rows[] = {
		{ POP3_CMD_UIDL_ONE, "+OK 7 u7", "ok 7 u7 u7" },
		{ POP3_CMD_UIDL_ONE, "+OK 7 u7 behind", "ok 7 u7 behind u7" },
		{ POP3_CMD_UIDL_ONE, "+OK 8 u7", "ok odd 8 u7 u7" },
		{ POP3_CMD_UIDL_ONE, "+OK 7", "ok odd 7" },
		{ POP3_CMD_UIDL_ONE, "+OK", "ok odd" },
		{ POP3_CMD_UIDL_ONE, "+OK 120 octets",
		    "ok odd 120 octets octets" },
		{ POP3_CMD_UIDL_ONE, "-ERR 7 u7", "err 7 u7" },
		{ POP3_CMD_LIST_ONE, "+OK 7 120", "ok 7 120 120" },
		{ POP3_CMD_LIST_ONE, "+OK 7 octets", "ok odd 7 octets" },
		{ POP3_CMD_LIST_ONE, "+OK 120 octets", "ok odd 120 octets" },
		{ POP3_CMD_LIST_ONE, "+OK 70 120", "ok odd 70 120 120" },
	};

	(void)state;
	for (size_t i = 0; i < ITEMS(rows); i++) {
		char reply[100], want[100];

		snprintf(reply, sizeof(reply), "%s\r\n", rows[i].reply);
		snprintf(want, sizeof(want), "%s 7 %s\n",
		    pop3_cmd_name(rows[i].cmd), rows[i].want);
		reply_check(rows[i].cmd, reply, want);
	}
}

/* What comes when a message may have ended and a probe is sent. */
static void
probe_check(const char *first, const char *then, const char *want)
{
	for (int whole = 0; whole < 2; whole++) {
		size_t n = strlen(then), part = whole ? n : 1;
		struct talk t;

		begin(&t, POP3_CMD_RETR);
		t.probes = true;
		talk_feed(&t, first, strlen(first));
		for (size_t i = 0; i < n; i += part)
			talk_feed(&t, then + i, part);
		assert_string_equal(talk_log(&t), want);
		talk_clear(&t);
	}
}

/* A "." line that ends in its own way is the end if the probe's answer is
 * behind it, and text if anything else is. */
static void
test_probe(void **state)
{
	char line[POP3_REPLY_MAX + 10], want[sizeof(line) + 100];

	(void)state;
	probe_check("+OK\r\na\r\nb\n.\r\n", "+OK 7 u7\r\n",
	    "RETR 7 ok\nRETR 7 data a\nb\n\nUIDL 7 probed u7\n"
	    "RETR 7 end 5\nUIDL 7 ok 7 u7 u7\n");
	probe_check("+OK\r\na\r\n.\n", "+OK 7 u7\n",
	    "RETR 7 ok\nRETR 7 data a\n\nUIDL 7 probed u7\n"
	    "RETR 7 end 3\nUIDL 7 ok 7 u7 u7\n");
	probe_check("+OK\r\na\r\nb\n.\r\n", "c\r\n.\r\n+OK 7 u7\r\n",
	    "RETR 7 ok\nRETR 7 data a\nb\n\nUIDL 7 probed odd\n"
	    "RETR 7 data .\nc\n\nRETR 7 end 11\nUIDL 7 ok 7 u7 u7\n");
	probe_check("+OK\r\na\r\nb\n.\r\n", "+OK\r\n.\r\n+OK 7 u7\r\n",
	    "RETR 7 ok\nRETR 7 data a\nb\n\nUIDL 7 probed odd\n"
	    "RETR 7 data .\n+OK\n\nRETR 7 end 13\nUIDL 7 ok 7 u7 u7\n");
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	snprintf(want, sizeof(want),
	    "RETR 7 ok\nRETR 7 data a\nb\n\nUIDL 7 probed odd\n"
	    "RETR 7 data .\n%s",
	    line);
	probe_check("+OK\r\na\r\nb\n.\r\n", line, want);
}

/* ---- CAPA ---- */

static void
capa_feed(struct talk *t, const char *lines)
{
	begin(t, POP3_CMD_CAPA);
	talk_feed(t, "+OK\r\n", 5);
	assert_false(t->client.capa.known);
	talk_feed(t, lines, strlen(lines));
}

/* C-ENG-09, M-42 */
static void
test_capa(void **state)
{
	struct pop3_capa *c;
	struct talk t;

	(void)state;
	capa_feed(&t, "TOP\r\nuidl\r\nUSER\r\nSTLS\r\nRESP-CODES\r\n"
		      "AUTH-RESP-CODE\r\nPIPELINING\r\nUTF8 USER\r\nLANG\r\n"
		      "LOGIN-DELAY 900 USER\r\nEXPIRE 30\r\n"
		      "SASL PLAIN scram-sha-256\r\nX-OTHER\r\n.\r\n");
	c = &t.client.capa;
	assert_true(c->known && c->top && c->uidl && c->user && c->stls);
	assert_true(c->resp_codes && c->auth_resp_code && c->pipelining);
	assert_true(
	    c->utf8 && c->lang && c->login_delay && c->login_delay_user);
	assert_int_equal(c->login_delay_s, 900);
	assert_true(c->expire && !c->expire_user);
	assert_int_equal(c->expire_days, 30);
	assert_true(c->has_sasl);
	assert_string_equal(c->sasl, " PLAIN SCRAM-SHA-256 ");
	assert_string_equal(talk_log(&t), "CAPA ok\nCAPA end\n");

	/* C-2449-06, C-2595-02: asked again, what was known is forgotten;
	 * after TLS at once */
	say(&t, POP3_CMD_CAPA);
	talk_feed(&t, "+OK\r\nTOP\r\n.\r\n", 13);
	assert_true(c->known && c->top && !c->uidl && !c->has_sasl);
	assert_string_equal(c->sasl, "");
	strcpy(t.client.timestamp, "<a@b>");
	pop3_client_tls(&t.client);
	assert_true(!c->known && !c->top);
	assert_string_equal(t.client.timestamp, "");
	/* a refusal says nothing */
	say(&t, POP3_CMD_CAPA);
	talk_feed(&t, "-ERR what?\r\n", 12);
	assert_false(c->known);
	talk_clear(&t);

	/* words, not parts of lines; tags whole */
	capa_feed(&t, "IMPLEMENTATION STLS PIPELINING SASL CRAM-MD5 TOP\r\n"
		      "XSTLS\r\nSTLSX\r\nTOPS\r\nSTL\r\n\r\n..\r\nTOP=1\r\n"
		      "SASL-IR PLAIN\r\n.\r\n");
	assert_true(c->known && !c->stls && !c->top && !c->pipelining);
	assert_false(c->has_sasl);
	talk_clear(&t);
}

static void
test_capa_values(void **state)
{
	struct pop3_capa *c;
	struct talk t;

	(void)state;
	c = &t.client.capa;
	/* C-2449-02: the smallest, the longest; NEVER is none */
	capa_feed(&t, "EXPIRE NEVER\r\nLOGIN-DELAY x\r\n.\r\n");
	assert_true(!c->expire && !c->login_delay);
	talk_clear(&t);
	capa_feed(&t,
	    "EXPIRE 5 user\r\nEXPIRE 0\r\nEXPIRE NEVER\r\nEXPIRE\r\n"
	    "EXPIRE 99999999999\r\nEXPIRE 7\r\n"
	    "LOGIN-DELAY 5\r\nLOGIN-DELAY 9\r\nLOGIN-DELAY 1\r\n.\r\n");
	assert_true(c->expire && c->expire_user && !c->login_delay_user);
	assert_int_equal(c->expire_days, 0);
	assert_int_equal(c->login_delay_s, 9);
	talk_clear(&t);

	/* the union, no mechanism twice, nothing that cannot be one */
	capa_feed(&t, "SASL\r\nsasl LOGIN  plain\r\nSASL Plain CRAM-MD5\r\n"
		      "SASL A.B X\xff 123456789012345678901 "
		      "12345678901234567890\r\n.\r\n");
	assert_string_equal(
	    c->sasl, " LOGIN PLAIN CRAM-MD5 12345678901234567890 ");
	assert_true(pop3_capa_has_sasl(c, "PLAIN"));
	assert_true(pop3_capa_has_sasl(c, "cram-md5"));
	assert_false(pop3_capa_has_sasl(c, "CRAM"));
	assert_false(pop3_capa_has_sasl(c, "MD5"));
	assert_false(pop3_capa_has_sasl(c, "PLAIN CRAM-MD5"));
	assert_false(pop3_capa_has_sasl(c, ""));
	talk_clear(&t);
	capa_feed(&t, "SASL\r\n.\r\n");
	assert_true(c->has_sasl);
	assert_false(pop3_capa_has_sasl(c, "PLAIN"));
	talk_clear(&t);
}

/* C-ENG-09: 200 lines, 64 KiB, mechanisms for a line of 512 octets. */
static void
test_capa_limits(void **state)
{
	static const struct {
		unsigned lines;
		size_t octets;
		bool good;
	} table[] = { { 200, 1, true }, { 201, 1, false }, { 8, 8190, true },
		{ 9, 8190, false } };
	static char line[POP3_REPLY_MAX];

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++) {
		struct talk t;

		capa_feed(&t, "");
		memset(line, 'x', sizeof(line));
		memcpy(line + table[i].octets, "\r\n", 2);
		for (unsigned k = 0; k < table[i].lines; k++)
			talk_feed(&t, line, table[i].octets + 2);
		talk_feed(&t, ".\r\n", 3);
		assert_int_equal(t.broken, !table[i].good);
		assert_int_equal(t.client.capa.known, table[i].good);
		talk_clear(&t);
	}
	for (unsigned n = 42; n <= 43; n++) {
		struct talk t;

		capa_feed(&t, "SASL");
		for (unsigned k = 0; k < n; k++) {
			snprintf(line, sizeof(line), " MECHANISM%u", k + 10);
			talk_feed(&t, line, 12);
		}
		talk_feed(&t, "\r\n.\r\n", 5);
		assert_int_equal(t.broken, n == 43);
		assert_int_equal(
		    pop3_capa_has_sasl(&t.client.capa, "mechanism51"), 1);
		talk_clear(&t);
	}
}

/* ---- STLS ---- */

/* C-2595-03, M-31: response injection. */
static void
test_stls(void **state)
{
	static const char both[] = "+OK go\r\n+OK fake\r\n";
	struct talk t;

	(void)state;
	begin(&t, POP3_CMD_STLS);
	talk_feed(&t, "+OK go\r\n", 8);
	assert_string_equal(talk_log(&t), "STLS ok\n");
	assert_int_equal(t.in.len, 0);
	assert_int_equal(t.client.n_pending, 0);
	talk_feed(&t, both + 8, sizeof(both) - 9);
	assert_string_equal(talk_log(&t), "STLS ok\n" NOTHING);
	talk_clear(&t);

	begin(&t, POP3_CMD_STLS);
	talk_feed(&t, both, sizeof(both) - 1);
	assert_string_equal(talk_log(&t),
	    "broken the server sent octets behind its answer to STLS\n");
	talk_clear(&t);
	/* even if we asked for more */
	begin(&t, POP3_CMD_STLS);
	say(&t, POP3_CMD_NOOP);
	talk_feed(&t, both, sizeof(both) - 1);
	assert_true(t.broken);
	talk_clear(&t);
	reply_check(POP3_CMD_STLS, "-ERR no\r\n", "STLS err no\n");
}

/* ---- AUTH ---- */

/* C-5034-03, C-ENG-16 */
static void
test_challenges(void **state)
{
	static const struct {
		const char *reply, *want;
	} table[] = {
		{ "+ \r\n", "AUTH challenge\n" },
		{ "+ VXNlcm5hbWU6\r\n", "AUTH challenge Username:\n" },
		{ "+ YQ==\n", "AUTH challenge a\n" },
		{ "+\r\n", "AUTH challenge\n" }, /* Exchange */
		{ "+ go ahead\r\n", "AUTH challenge odd\n" },
		{ "+ YQ\r\n", "AUTH challenge odd\n" },
		{ "+ YR==\r\n", "AUTH challenge odd\n" },
		{ "+ =\r\n", "AUTH challenge odd\n" },
		{ "+ YQ== \r\n", "AUTH challenge a\n" },
		{ "+  \r\n", "AUTH challenge\n" },
		{ "+YQ==\r\n", NO_REPLY },
		{ "+OKAY\r\n", "AUTH ok AY\n" },
		{ "+OK yes\r\n", "AUTH ok yes\n" },
		{ "-ERR [AUTH] no\r\n", "AUTH err 1 no\n" },
		{ "+ YQ==\r\n+ Yg==\r\n+OK\r\n",
		    "AUTH challenge a\nAUTH challenge b\nAUTH ok\n" },
		{ "+ YQ==\r\n-ERR no\r\n", "AUTH challenge a\nAUTH err no\n" },
		{ "+OK\r\n+ YQ==\r\n", "AUTH ok\n" NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < ITEMS(table); i++)
		reply_check(POP3_CMD_AUTH, table[i].reply, table[i].want);
}

/* A challenge that is not answered yet is no reason to send more. */
static void
test_challenge_awaits(void **state)
{
	struct pop3_event ev;
	struct talk t;

	(void)state;
	begin(&t, POP3_CMD_AUTH);
	assert_int_equal(buf_put(&t.in, "+ \r\n", 4), E_OK);
	pop3_client_run(&t.client, &t.in, &ev);
	assert_int_equal(ev.type, POP3_EV_CHALLENGE);
	assert_false(ev.odd);
	pop3_client_run(&t.client, &t.in, &ev);
	assert_int_equal(ev.type, POP3_EV_MORE);
	assert_int_equal(buf_put(&t.in, "+OK\r\n", 5), E_OK);
	pop3_client_run(&t.client, &t.in, &ev);
	assert_int_equal(ev.type, POP3_EV_BROKEN);
	talk_clear(&t);
}

/* ---- commands ---- */

static void
out_check(struct talk *t, const char *want)
{
	assert_int_equal(t->out.len, strlen(want));
	assert_memory_equal(buf_data(&t->out), want, t->out.len);
	buf_consume(&t->out, t->out.len);
}

static void
test_commands(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, 0);
	for (int cmd = POP3_CMD_CAPA; cmd <= POP3_CMD_UIDL_ONE; cmd++)
		say(&t, (enum pop3_cmd)cmd);
	out_check(&t,
	    "CAPA\r\nSTLS\r\nUSER tim\r\nPASS secret\r\n"
	    "APOP tim 0123456789abcdef0123456789abcdef\r\nAUTH LOGIN\r\n"
	    "STAT\r\nLIST\r\nUIDL\r\nTOP 7 0\r\nRETR 7\r\nDELE 7\r\nRSET\r\n"
	    "NOOP\r\nQUIT\r\nLIST 7\r\nUIDL 7\r\n");
	assert_int_equal(t.client.n_pending, 17);
	assert_int_equal(
	    pop3_client_message(&t.client, &t.out, POP3_CMD_RETR, UINT32_MAX),
	    E_OK);
	out_check(&t, "RETR 4294967295\r\n");
	/* a password is raw (C-ENG-22) */
	assert_int_equal(
	    pop3_client_pass(&t.client, &t.out, text("  a\t\xff b ")), E_OK);
	assert_int_equal(
	    pop3_client_pass(&t.client, &t.out, (struct slice){ NULL, 0 }),
	    E_OK);
	out_check(&t, "PASS   a\t\xff b \r\nPASS \r\n");
	talk_clear(&t);
}

/* C-ENG-21, M-48: no second command in an argument. */
static void
test_injection(void **state)
{
	static const char bad[] = { '\r', '\n', '\0' };
	struct talk t;

	(void)state;
	talk_init(&t, 0);
	for (size_t i = 0; i < sizeof(bad); i++)
		for (size_t at = 0; at < 3; at++) {
			char name[3] = { 'a', 'b', 'c' };
			struct slice s = { name, 3 };

			name[at] = bad[i];
			assert_int_equal(
			    pop3_client_user(&t.client, &t.out, s), E_FORMAT);
			assert_int_equal(
			    pop3_client_pass(&t.client, &t.out, s), E_FORMAT);
			assert_int_equal(pop3_client_apop(&t.client, &t.out, s,
					     "0123456789abcdef"),
			    E_FORMAT);
		}
	assert_int_equal(t.out.len, 0);
	assert_int_equal(t.client.n_pending, 0);
	talk_clear(&t);
}

/* C-ENG-22: 255 octets with CRLF. */
static void
test_command_length(void **state)
{
	char name[300];
	struct talk t;

	(void)state;
	memset(name, 'x', sizeof(name));
	talk_init(&t, 0);
#define BOTH(call, most) \
	do { \
		struct slice s = { name, most }; \
		assert_int_equal(call, E_OK); \
		assert_int_equal(t.out.len, 255); \
		s.n++; \
		assert_int_equal(call, E_FULL); \
		assert_int_equal(t.out.len, 255); \
		buf_consume(&t.out, t.out.len); \
	} while (0)
	BOTH(pop3_client_user(&t.client, &t.out, s), 248);
	BOTH(pop3_client_pass(&t.client, &t.out, s), 248);
	BOTH(pop3_client_apop(
		 &t.client, &t.out, s, "0123456789abcdef0123456789abcdef"),
	    215);
#undef BOTH
	assert_int_equal(t.client.n_pending, 3);
	talk_clear(&t);
}

/* C-5034-02, M-44: RFC 5034 s4. */
static void
test_initial_response(void **state)
{
	static const char octets[200];
	bool deferred = true;
	struct talk t;
	struct slice s;

	(void)state;
	talk_init(&t, 0);
	assert_int_equal(
	    pop3_client_auth(&t.client, &t.out, "PLAIN", NULL, &deferred),
	    E_OK);
	assert_false(deferred);
	out_check(&t, "AUTH PLAIN\r\n");
	s = (struct slice){ NULL, 0 };
	assert_int_equal(
	    pop3_client_auth(&t.client, &t.out, "EXTERNAL", &s, &deferred),
	    E_OK);
	assert_false(deferred);
	out_check(&t, "AUTH EXTERNAL =\r\n");
	s = (struct slice){ "\0tim\0tanstaaftanstaaf", 21 };
	assert_int_equal(
	    pop3_client_auth(&t.client, &t.out, "PLAIN", &s, &deferred), E_OK);
	assert_false(deferred);
	out_check(&t, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");

	/* 8 + 7 + 240 are 255 */
	s = (struct slice){ octets, 180 };
	assert_int_equal(
	    pop3_client_auth(&t.client, &t.out, "XOAUTH2", &s, &deferred),
	    E_OK);
	assert_false(deferred);
	assert_int_equal(t.out.len, 255);
	buf_consume(&t.out, 255);
	assert_int_equal(
	    pop3_client_auth(&t.client, &t.out, "XOAUTH22", &s, &deferred),
	    E_OK);
	assert_true(deferred);
	out_check(&t, "AUTH XOAUTH22\r\n");
	assert_int_equal(t.client.n_pending, 5);

	assert_int_equal(pop3_client_answer(&t.client, &t.out, s), E_OK);
	assert_int_equal(t.out.len, 242);
	buf_consume(&t.out, 242);
	assert_int_equal(
	    pop3_client_answer(&t.client, &t.out, (struct slice){ NULL, 0 }),
	    E_OK);
	out_check(&t, "\r\n");
	assert_int_equal(pop3_client_cancel(&t.client, &t.out), E_OK);
	out_check(&t, "*\r\n");
	assert_int_equal(t.client.n_pending, 5);
	talk_clear(&t);
}

/* ---- the trace ---- */

static void
note(void *arg, bool received, struct slice line)
{
	struct buf *b = arg;

	assert_int_equal(buf_put(b, received ? "<" : ">", 1), E_OK);
	assert_int_equal(buf_put(b, line.p, line.n), E_OK);
	assert_int_equal(buf_put(b, "\n", 1), E_OK);
}

/* C-ENG-19, M-47 */
static void
test_trace(void **state)
{
	static const char want[] =
	    "<+OK <a@b>\n"
	    ">CAPA\n<+OK\n<TOP\n<.\n"
	    ">USER tim\n<+OK\n"
	    ">PASS ****\n<-ERR [AUTH] no\n"
	    ">APOP tim ****\n<-ERR no\n"
	    ">AUTH LOGIN\n<+ VXNlcm5hbWU6\n>****\n<+ UGFzc3dvcmQ6\n>****\n"
	    "<+OK\n"
	    ">AUTH PLAIN ****\n<+OK\n"
	    ">UIDL\n<+OK\n<1 abc\n<.\n"
	    ">RETR 7\n<+OK text\n"
	    ">TOP 7 0\n<-ERR\n"
	    ">QUIT\n<+OK\n";
	static const struct {
		enum pop3_cmd cmd;
		const char *reply;
	} table[] = {
		{ POP3_CMD_GREETING, "+OK <a@b>\r\n" },
		{ POP3_CMD_CAPA, "+OK\r\nTOP\r\n.\r\n" },
		{ POP3_CMD_USER, "+OK\n" },
		{ POP3_CMD_PASS, "-ERR [AUTH] no\r\n" },
		{ POP3_CMD_APOP, "-ERR no\r\n" },
		{ POP3_CMD_AUTH,
		    "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK\r\n" },
		{ POP3_CMD_GREETING, "+OK\r\n" }, /* AUTH PLAIN */
		{ POP3_CMD_UIDL, "+OK\r\n1 abc\r\n.\r\n" },
		{ POP3_CMD_RETR, "+OK text\r\nprivate\r\n.\r\n" },
		{ POP3_CMD_TOP, "-ERR\r\n" },
		{ POP3_CMD_QUIT, "+OK\r\n" },
	};
	struct buf lines;
	struct talk t;

	(void)state;
	buf_init(&lines, 1 << 16, false);
	talk_init(&t, 0);
	t.client.trace = note;
	t.client.trace_arg = &lines;
	t.response[0] = t.response[1] = "hidden words";
	for (size_t i = 0; i < ITEMS(table); i++) {
		struct slice initial = text("\1tim\1tanstaaf");
		bool deferred;

		if (i == 6)
			assert_int_equal(pop3_client_auth(&t.client, &t.out,
					     "PLAIN", &initial, &deferred),
			    E_OK);
		say(&t, table[i].cmd);
		talk_feed(&t, table[i].reply, strlen(table[i].reply));
	}
	assert_false(t.broken);
	assert_int_equal(lines.len, strlen(want));
	assert_memory_equal(buf_data(&lines), want, lines.len);
	buf_free(&lines);
	talk_clear(&t);
}

/* The longest line that can be shown. */
static void
test_trace_long(void **state)
{
	char name[215];
	struct buf lines;
	struct talk t;

	(void)state;
	memset(name, 'x', sizeof(name));
	buf_init(&lines, 1 << 16, false);
	talk_init(&t, 0);
	t.client.trace = note;
	t.client.trace_arg = &lines;
	assert_int_equal(pop3_client_apop(&t.client, &t.out,
			     (struct slice){ name, sizeof(name) },
			     "0123456789abcdef0123456789abcdef"),
	    E_OK);
	assert_int_equal(lines.len, 1 + 5 + 215 + 5 + 1);
	buf_free(&lines);
	talk_clear(&t);
}

/* ---- many commands, little memory ---- */

/* C-2449-01: replies belong to commands by their order. */
static void
test_order(void **state)
{
	static const char replies[] =
	    "+OK 1 5\r\n+OK\r\n1 5\r\n.\r\n-ERR\r\n+OK\r\nabc\r\n.\r\n"
	    "-ERR [SYS/TEMP]\r\n+OK\r\n+OK bye\r\n";
	struct talk t;

	(void)state;
	begin(&t, POP3_CMD_STAT);
	say(&t, POP3_CMD_LIST);
	say(&t, POP3_CMD_TOP);
	say(&t, POP3_CMD_RETR);
	say(&t, POP3_CMD_DELE);
	say(&t, POP3_CMD_NOOP);
	say(&t, POP3_CMD_QUIT);
	assert_int_equal(t.client.pending_octets, t.out.len);
	talk_feed(&t, replies, sizeof(replies) - 1);
	assert_string_equal(talk_log(&t),
	    "STAT ok 1 5 1 5\nLIST ok\nLIST entry 1 5\nLIST end\nTOP 7 err\n"
	    "RETR 7 ok\nRETR 7 data abc\n\nRETR 7 end 5\nDELE 7 err 4\n"
	    "NOOP ok\nQUIT ok bye\n");
	talk_clear(&t);
}

/* Any number, in any order of sending and answering. */
static void
test_many(void **state)
{
	uint32_t sent = 0, answered = 0;
	unsigned seed = 11;
	struct talk t;

	(void)state;
	talk_init(&t, 0);
	talk_feed(&t, "+OK\r\n", 5);
	while (answered < 200000) {
		uint32_t n = (uint32_t)rand_r(&seed) % 3000;

		for (uint32_t i = 0; i < n && sent < 200000; i++)
			assert_int_equal(pop3_client_message(&t.client, &t.out,
					     POP3_CMD_DELE, ++sent % 1000 + 1),
			    E_OK);
		buf_consume(&t.out, t.out.len);
		n = (uint32_t)rand_r(&seed) % 3000;
		for (uint32_t i = 0; i < n && answered < sent; i++) {
			char want[64];

			buf_consume(&t.log, t.log.len);
			talk_feed(&t, "+OK\r\n", 5);
			snprintf(want, sizeof(want), "DELE %u ok\n",
			    ++answered % 1000 + 1);
			assert_string_equal(talk_log(&t), want);
			assert_int_equal(t.client.n_pending, sent - answered);
		}
	}
	assert_int_equal(t.client.pending_octets, 0);
	talk_feed(&t, "+OK\r\n", 5);
	assert_true(t.broken);
	talk_clear(&t);
}

/* The n-th allocation fails: nothing is sent, and it goes well afterwards. */
static void
test_no_memory(void **state)
{
	(void)state;
	for (int cmd = POP3_CMD_CAPA; cmd <= POP3_CMD_UIDL_ONE; cmd++)
		for (unsigned n = 1;; n++) {
			struct talk t;
			bool failed;

			begin(&t, POP3_CMD_GREETING);
			alloc_fail(n);
			for (unsigned i = 0; i < 40; i++) {
				size_t before = t.out.len;
				enum err e = send_one(&t, (enum pop3_cmd)cmd);

				if (e != E_OK) {
					assert_int_equal(e, E_NOMEM);
					assert_true(alloc_failed());
					assert_int_equal(t.out.len, before);
					assert_int_equal(t.client.n_pending, i);
					say(&t, (enum pop3_cmd)cmd);
				}
			}
			failed = alloc_failed();
			alloc_fail(0);
			assert_int_equal(t.client.n_pending, 40);
			assert_int_equal(t.client.pending_octets, t.out.len);
			talk_clear(&t);
			if (!failed)
				break;
			assert_true(n < 20);
		}
}

static void
test_answer_no_memory(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, 0);
	alloc_fail(1);
	assert_int_equal(
	    pop3_client_answer(&t.client, &t.out, text("x")), E_NOMEM);
	alloc_fail(1);
	assert_int_equal(pop3_client_cancel(&t.client, &t.out), E_NOMEM);
	alloc_fail(0);
	assert_int_equal(t.out.len, 0);
	talk_clear(&t);
}

/* A full output takes nothing and forgets nothing. */
static void
test_output_full(void **state)
{
	struct talk t;

	(void)state;
	for (int cmd = POP3_CMD_CAPA; cmd <= POP3_CMD_UIDL_ONE; cmd++) {
		size_t n;

		begin(&t, POP3_CMD_GREETING);
		say(&t, (enum pop3_cmd)cmd);
		n = t.out.len;
		talk_clear(&t);
		for (size_t max = 1; max <= n; max++) {
			begin(&t, POP3_CMD_GREETING);
			t.out.max = max;
			assert_int_equal(send_one(&t, (enum pop3_cmd)cmd),
			    max == n ? E_OK : E_FULL);
			assert_int_equal(t.out.len, max == n ? n : 0);
			assert_int_equal(t.client.n_pending, max == n);
			talk_clear(&t);
		}
	}
	talk_init(&t, 0);
	t.out.max = 5;
	assert_int_equal(
	    pop3_client_answer(&t.client, &t.out, text("x")), E_FULL);
	assert_int_equal(t.out.len, 0);
	talk_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_indicator),
		cmocka_unit_test(test_strays),
		cmocka_unit_test(test_strays_without_end),
		cmocka_unit_test(test_strays_in_step),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_words_without_code),
		cmocka_unit_test(test_words_for_unknown),
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_timestamp),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_uid_length),
		cmocka_unit_test(test_line_length),
		cmocka_unit_test(test_small_input),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_capa),
		cmocka_unit_test(test_capa_values),
		cmocka_unit_test(test_capa_limits),
		cmocka_unit_test(test_stls),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_challenge_awaits),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_command_length),
		cmocka_unit_test(test_initial_response),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_trace_long),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_answer_no_memory),
		cmocka_unit_test(test_output_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Our client against our server, in memory, with portions of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "drive.h"
#include "talk.h"

enum { STORED_MAX = 200 };

struct pair {
	struct drive server;
	struct talk client;
	struct buf want; /* what the client's log should be */
	size_t passed;   /* octets of the server that the client has */
	unsigned seed;
};

static size_t
portion(struct pair *p, size_t n)
{
	size_t most = rand_r(&p->seed) % 2 == 0 ? 5 : 3000;

	n = n < most ? n : most;
	return 1 + (size_t)rand_r(&p->seed) % n;
}

/* Until both have nothing more to say. */
static void
pump(struct pair *p)
{
	struct buf *up = &p->client.out, *down = &p->server.sent;

	while (up->len != 0 || p->passed < down->len) {
		bool is_up = p->passed == down->len ||
			     (up->len != 0 && rand_r(&p->seed) % 2 == 0);
		size_t n = portion(p, is_up ? up->len : down->len - p->passed);

		if (is_up) {
			drive_feed(&p->server, buf_data(up), n, up->len - n);
			buf_consume(up, n);
		} else {
			talk_feed(&p->client, buf_data(down) + p->passed, n);
			p->passed += n;
		}
	}
}

static void
want(struct pair *p, const char *text, size_t n)
{
	assert_int_equal(buf_put(&p->want, text, n), E_OK);
}

__attribute__((format(printf, 2, 3))) static void
wantf(struct pair *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof(text));
	want(p, text, (size_t)n);
}

static void
compare(struct pair *p)
{
	struct buf *log = &p->client.log;

	pump(p);
	if (log->len != p->want.len ||
	    memcmp(buf_data(log), buf_data(&p->want), log->len) != 0) {
		print_error("%s\nnot:\n%.*s\n", talk_log(&p->client),
		    (int)p->want.len, buf_data(&p->want));
		fail();
	}
	buf_consume(log, log->len);
	buf_consume(&p->want, p->want.len);
}

static void
start(struct pair *p, unsigned seed)
{
	memset(p, 0, sizeof(*p));
	p->seed = seed;
	drive_init(&p->server);
	drive_offer(&p->server, "X-FIRST");
	p->server.policy.plain_passwords = true;
	p->server.policy.stls = true;
	p->server.policy.apop = true;
	talk_init(&p->client, 0);
	buf_init(&p->want, 64 << 20, false);
}

/* The messages are there; the greeting comes. */
static void
greet(struct pair *p)
{
	drive_start(&p->server, false);
	pump(p);
	assert_string_not_equal(p->client.client.timestamp, "");
	buf_consume(&p->client.log, p->client.log.len);
}

static void
finish(struct pair *p)
{
	drive_clear(&p->server);
	talk_clear(&p->client);
	buf_free(&p->want);
}

static struct slice
text(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static void
send_plain(struct pair *p, enum pop3_cmd cmd)
{
	struct talk *t = &p->client;

	assert_int_equal(pop3_client_send(&t->client, &t->out, cmd), E_OK);
}

static void
send_message(struct pair *p, enum pop3_cmd cmd, uint32_t msgno)
{
	struct talk *t = &p->client;

	assert_int_equal(
	    pop3_client_message(&t->client, &t->out, cmd, msgno), E_OK);
}

/* ---- signing in ---- */

static void
apop(struct pair *p)
{
	struct talk *t = &p->client;
	unsigned char md5[16];
	char joined[400], digest[33];

	snprintf(joined, sizeof(joined), "%s%s", t->client.timestamp,
	    p->server.password);
	assert_int_equal(
	    EVP_Digest(joined, strlen(joined), md5, NULL, EVP_md5(), NULL), 1);
	for (unsigned i = 0; i < 16; i++)
		snprintf(digest + 2 * i, 3, "%02x", md5[i]);
	assert_int_equal(
	    pop3_client_apop(&t->client, &t->out, text("tim"), digest), E_OK);
	wantf(p, "APOP");
}

static void
sasl(struct pair *p, const char *mechanism, const struct slice *initial)
{
	struct talk *t = &p->client;
	bool deferred;

	assert_true(pop3_capa_has_sasl(&t->client.capa, mechanism));
	assert_int_equal(pop3_client_auth(&t->client, &t->out, mechanism,
			     initial, &deferred),
	    E_OK);
	assert_false(deferred);
}

/* By each way that the server has. */
static void
sign_in(struct pair *p, unsigned way)
{
	static const struct slice plain = { "\0tim\0tanstaaftanstaaf", 21 };
	struct talk *t = &p->client;

	switch (way) {
	case 0:
		assert_int_equal(
		    pop3_client_user(&t->client, &t->out, text("tim")), E_OK);
		assert_int_equal(pop3_client_pass(&t->client, &t->out,
				     text("tanstaaftanstaaf")),
		    E_OK);
		wantf(p, "USER ok now the password\nPASS");
		break;
	case 1: apop(p); break;
	case 2:
		sasl(p, "PLAIN", &plain);
		wantf(p, "AUTH");
		break;
	case 3:
		t->response[0] = "tim";
		t->response[1] = "tanstaaftanstaaf";
		sasl(p, "LOGIN", NULL);
		wantf(p, "AUTH challenge Username:\n"
			 "AUTH challenge Password:\nAUTH");
		break;
	default:
		t->response[0] = "tim tanstaaftanstaaf";
		sasl(p, "X-FIRST", NULL);
		wantf(p, "AUTH challenge who?\nAUTH");
		break;
	}
}

static void
capa(struct pair *p)
{
	send_plain(p, POP3_CMD_CAPA);
	wantf(p, "CAPA ok capabilities follow\nCAPA end\n");
	compare(p);
	assert_true(p->client.client.capa.known);
	assert_true(p->client.client.capa.top);
	assert_true(p->client.client.capa.uidl);
	assert_true(p->client.client.capa.pipelining);
	assert_true(p->client.client.capa.resp_codes);
	assert_false(p->client.client.capa.expire);
}

static void
stls(struct pair *p)
{
	assert_true(p->client.client.capa.stls);
	send_plain(p, POP3_CMD_STLS);
	wantf(p, "STLS ok\n");
	compare(p);
	assert_true(p->server.server.tls);
	pop3_client_tls(&p->client.client);
	capa(p);
	assert_false(p->client.client.capa.stls);
}

static void
test_sign_in(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 5; way++)
		for (unsigned with_tls = 0; with_tls < 2; with_tls++)
			for (unsigned good = 0; good < 2; good++) {
				struct pair p;

				if (way == 1 && with_tls)
					continue;
				start(&p, way + 100);
				greet(&p);
				capa(&p);
				if (with_tls)
					stls(&p);
				if (!good)
					p.server.user = "bob";
				sign_in(&p, way);
				wantf(&p,
				    good ? " ok 0 messages (0 octets)\n"
					 : " err 1 authentication failed\n");
				compare(&p);
				finish(&p);
			}
}

/* The exchange is given up, and another one goes well. */
static void
test_cancel(void **state)
{
	struct pair p;

	(void)state;
	start(&p, 1);
	greet(&p);
	capa(&p);
	sasl(&p, "LOGIN", NULL);
	wantf(&p, "AUTH challenge Username:\nAUTH err cancelled\n");
	compare(&p);
	p.client.challenges = 0;
	sign_in(&p, 3);
	wantf(&p, " ok 0 messages (0 octets)\n");
	compare(&p);
	finish(&p);
}

/* ---- the maildrop ---- */

static size_t
odd_text(char *out, unsigned *seed)
{
	static const char *const some[] = { ".", ".", "\r", "\n", "\n", "\r\n",
		"a", "b: c", "\xff" };
	size_t n = 0, max = (size_t)rand_r(seed) % (STORED_MAX - 4);

	while (n < max) {
		const char *s =
		    some[(size_t)rand_r(seed) % (sizeof(some) / sizeof(*some))];

		memcpy(out + n, s, strlen(s));
		n += strlen(s);
	}
	return n;
}

/* A message as the client should get it: LF at each line's end.  top: to the
 * empty line that ends the header, which comes in any case. */
static void
want_data(struct pair *p, uint32_t msgno, bool top)
{
	struct slice s = p->server.message[msgno - 1].text;
	char out[STORED_MAX + 2];
	size_t n = 0;
	uint64_t octets = 0;
	bool empty = false;

	for (size_t i = 0, start = 0; i < s.n && !(top && empty); i++) {
		if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
			continue;
		out[n++] = s.p[i];
		octets += s.p[i] == '\n' ? 2 : 1;
		if (s.p[i] == '\n') {
			empty = n - start == 1;
			start = n;
		}
	}
	if (n != 0 && out[n - 1] != '\n') {
		out[n++] = '\n';
		octets += 2;
	}
	if (top && !empty) {
		out[n++] = '\n';
		octets += 2;
	}
	if (n != 0) {
		wantf(p, "%s %u data ", top ? "TOP" : "RETR", msgno);
		want(p, out, n);
		want(p, "\n", 1);
	}
	wantf(p, "%s %u end %llu\n", top ? "TOP" : "RETR", msgno,
	    (unsigned long long)octets);
	if (!top)
		assert_int_equal(octets, drive_size(&p->server, msgno));
}

static uint64_t
total(const struct pair *p)
{
	uint64_t octets = 0;

	for (uint32_t i = 1; i <= p->server.n_messages; i++)
		octets += drive_size(&p->server, i);
	return octets;
}

/* STAT, LIST and UIDL, sent together. */
static void
lists(struct pair *p)
{
	uint32_t n = p->server.n_messages;
	unsigned long long octets = total(p);

	send_plain(p, POP3_CMD_STAT);
	send_plain(p, POP3_CMD_LIST);
	send_plain(p, POP3_CMD_UIDL);
	wantf(p, "STAT ok %u %llu %u %llu\n", n, octets, n, octets);
	wantf(p, "LIST ok %u messages (%llu octets)\n", n, octets);
	for (uint32_t i = 1; i <= n; i++)
		wantf(p, "LIST entry %u %llu\n", i,
		    (unsigned long long)drive_size(&p->server, i));
	wantf(p, "LIST end\nUIDL ok %u messages (%llu octets)\n", n, octets);
	for (uint32_t i = 1; i <= n; i++)
		wantf(p, "UIDL entry %u %s\n", i, drive_uid(i).p);
	wantf(p, "UIDL end\n");
}

static void
message(struct pair *p, uint32_t msgno)
{
	bool gone = p->server.message[msgno - 1].gone;

	if (rand_r(&p->seed) % 2 == 0) {
		send_message(p, POP3_CMD_TOP, msgno);
		if (gone)
			wantf(p,
			    "TOP %u err 4 this message cannot be read now\n",
			    msgno);
		else
			wantf(p, "TOP %u ok the top follows\n", msgno);
		if (!gone)
			want_data(p, msgno, true);
	}
	send_message(p, POP3_CMD_RETR, msgno);
	if (gone) {
		wantf(p, "RETR %u err 4 this message cannot be read now\n",
		    msgno);
		return;
	}
	wantf(p, "RETR %u ok %llu octets\n", msgno,
	    (unsigned long long)drive_size(&p->server, msgno));
	want_data(p, msgno, false);
	send_message(p, POP3_CMD_DELE, msgno);
	wantf(p, "DELE %u ok message %u deleted\n", msgno, msgno);
	if (rand_r(&p->seed) % 8 == 0) {
		send_message(p, POP3_CMD_RETR, msgno);
		wantf(p, "RETR %u err the message is deleted\n", msgno);
	}
}

/* C-2449-01: all of a session, with any number of commands on their way. */
static void
test_collect(void **state)
{
	static char stored[DRIVE_MESSAGES][STORED_MAX];

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		unsigned depth, removed = 0;
		struct pair p;
		uint32_t n;

		start(&p, round + 1000);
		n = (uint32_t)rand_r(&p.seed) % (DRIVE_MESSAGES + 1);
		for (uint32_t i = 0; i < n; i++) {
			drive_add(
			    &p.server, stored[i], odd_text(stored[i], &p.seed));
			p.server.message[i].gone = rand_r(&p.seed) % 10 == 0;
			removed += !p.server.message[i].gone;
		}
		depth = 1 + (unsigned)rand_r(&p.seed) % 70;
		greet(&p);
		capa(&p);
		sign_in(&p, round % 5);
		wantf(&p, " ok %u messages (%llu octets)\n", n,
		    (unsigned long long)total(&p));
		compare(&p);
		lists(&p);
		for (uint32_t i = 1; i <= n; i++) {
			message(&p, i);
			if (i % depth == 0)
				compare(&p);
		}
		send_plain(&p, POP3_CMD_NOOP);
		send_plain(&p, POP3_CMD_QUIT);
		wantf(&p,
		    "NOOP ok nothing done\n"
		    "QUIT ok bye, %u messages removed\n",
		    removed);
		compare(&p);
		assert_int_equal(p.client.client.n_pending, 0);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(p.server.message[i].removed,
			    !p.server.message[i].gone);
		finish(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign_in),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_collect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The client's end of IMAP: what is said, and what is made of what comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "imap/imap_client.h"
#include "imap/mailbox.h"

/* The machine, and its events as text, one a line. */
struct talk {
	struct imap_client client;
	struct buf in, out, log;
};

static struct slice
slice_of(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static void
talk_init(struct talk *t)
{
	imap_client_init(&t->client);
	buf_init(&t->in, 256 * 1024, false);
	buf_init(&t->out, 256 * 1024, false);
	buf_init(&t->log, 256 * 1024, false);
}

static void
talk_clear(struct talk *t)
{
	buf_free(&t->in);
	buf_free(&t->out);
	buf_free(&t->log);
}

static void PRINTF(2, 3) note(struct talk *t, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	assert_int_equal(buf_put(&t->log, line, strlen(line)), E_OK);
}

#define SHOWN(s) (int)(s).n, (s).p

static void
note_event(struct talk *t, const struct imap_event *ev)
{
	static const char *const statuses[] = { "-", "OK", "NO", "BAD", "BYE",
		"PREAUTH" };
	const struct imap_response *r = &ev->response;

	switch (ev->type) {
	case IMAP_EV_GREETING:
		note(t, "greeting %s\n", statuses[r->status]);
		break;
	case IMAP_EV_GO:
		note(t, "go %d \"%.*s\"\n", ev->command, SHOWN(r->words));
		break;
	case IMAP_EV_DATA:
		note(t, "data %s %u %.*s[%.*s] code %d[%.*s]\n",
		    statuses[r->status], r->number, SHOWN(r->name),
		    SHOWN(r->rest), r->code, SHOWN(r->args));
		break;
	case IMAP_EV_BYE: note(t, "bye \"%.*s\"\n", SHOWN(r->words)); break;
	case IMAP_EV_DONE:
		note(t, "done %d item %zu %s code %d[%.*s] \"%.*s\"\n",
		    ev->command, ev->item, statuses[r->status], r->code,
		    SHOWN(r->args), SHOWN(r->words));
		break;
	case IMAP_EV_BROKEN: note(t, "broken\n"); break;
	case IMAP_EV_MORE: break;
	}
}

/* False: nothing more can come. */
static bool
look(struct talk *t)
{
	struct imap_event ev;

	do {
		imap_client_run(&t->client, &t->in, &ev);
		note_event(t, &ev);
		if (ev.type == IMAP_EV_BROKEN || ev.type == IMAP_EV_BYE)
			return false;
	} while (ev.type != IMAP_EV_MORE);
	return true;
}

static void
feed(struct talk *t, const char *p, size_t n, size_t piece)
{
	bool goes_on = true;

	while (n != 0 && goes_on) {
		size_t some = piece < n ? piece : n;

		assert_int_equal(buf_put(&t->in, p, some), E_OK);
		p += some;
		n -= some;
		goes_on = look(t);
	}
}

/* What has been said so far, which is forgotten. */
static void
assert_said(struct talk *t, const char *words)
{
	if (t->out.len != strlen(words) ||
	    memcmp(buf_data(&t->out), words, t->out.len) != 0)
		fail_msg("said: %.*s, not: %s", (int)t->out.len,
		    buf_data(&t->out), words);
	buf_consume(&t->out, t->out.len);
}

/* ---- what comes ---- */

/* A1 is LOGIN, A2 an APPEND with the item 7 that waits. */
static const struct {
	const char *in, *log;
} dialogues[] = {
	{ "* OK ready\r\n", "greeting OK\n" },
	{ "* PREAUTH hi\r\n", "greeting PREAUTH\n" },
	{ "* BYE full\r\n", "greeting BYE\n" },
	{ "* OK bare LF\n", "greeting OK\n" },
	{ "+OK POP3\r\n", "broken\n" },
	{ "220 SMTP\r\n", "broken\n" },
	{ "* FLAGS ()\r\n", "broken\n" },
	{ "* OK x\r\nA1 OK done\r\n",
	    "greeting OK\ndone 3 item 0 OK code 0[] \"done\"\n" },
	{ "* OK x\r\na1 OK done\r\n", "greeting OK\nbroken\n" },
	{ "* OK x\r\nA3 OK done\r\n", "greeting OK\nbroken\n" },
	{ "* OK x\r\nA1 PREAUTH x\r\n", "greeting OK\nbroken\n" },
	{ "* OK x\r\nA1OK x\r\n", "greeting OK\nbroken\n" },
	{ "* OK x\r\nA1 OK x\r\nA1 OK x\r\n",
	    "greeting OK\ndone 3 item 0 OK code 0[] \"x\"\nbroken\n" },
	/* In another order. */
	{ "* OK x\r\nA2 NO [OVERQUOTA] full\r\nA1 BAD what\r\n",
	    "greeting OK\ndone 8 item 7 NO code 10[] \"full\"\n"
	    "done 3 item 0 BAD code 0[] \"what\"\n" },
	{ "* OK x\r\nA2 OK [APPENDUID 38 3955:3956] x\r\n",
	    "greeting OK\ndone 8 item 7 OK code 2[38 3955:3956] \"x\"\n" },
	{ "* OK x\r\nA2 NO [NEWCODE a b] x\r\n",
	    "greeting OK\ndone 8 item 7 NO code 1[a b] \"x\"\n" },
	{ "* OK x\r\nA2 NO [no end\r\n",
	    "greeting OK\ndone 8 item 7 NO code 0[] \"[no end\"\n" },
	{ "* OK x\r\n+ go on\r\nA2 OK x\r\n",
	    "greeting OK\ngo 8 \"go on\"\ndone 8 item 7 OK code 0[] \"x\"\n" },
	{ "* OK x\r\n+\r\n", "greeting OK\ngo 8 \"\"\n" },
	/* More than was asked for. */
	{ "* OK x\r\n+ go\r\n+ go\r\n", "greeting OK\ngo 8 \"go\"\nbroken\n" },
	{ "* OK x\r\n* 5 EXISTS\r\n* 3 FETCH (UID 4)\r\n",
	    "greeting OK\ndata - 5 EXISTS[] code 0[]\n"
	    "data - 3 FETCH[(UID 4)] code 0[]\n" },
	{ "* OK x\r\n* OK [UIDVALIDITY 7] x\r\n",
	    "greeting OK\ndata OK 0 [] code 14[7]\n" },
	{ "* OK x\r\n* BYE {5}\r\n", "greeting OK\nbye \"{5}\"\n" },
	/* Words that look like a literal, and one. */
	{ "* OK x\r\n* NO {500}\r\n", "greeting OK\ndata NO 0 [] code 0[]\n" },
	{ "* OK x\r\n* LIST () \"/\" {3}\r\na\nb\r\n",
	    "greeting OK\ndata - 0 LIST[() \"/\" {3}\r\na\nb] code 0[]\n" },
	{ "* OK x\r\n* 1 FETCH (BODY[] {2}\r\n\r\n UID 3)\r\n",
	    "greeting OK\ndata - 1 FETCH[(BODY[] {2}\r\n\r\n UID 3)] "
	    "code 0[]\n" },
	{ "* OK x\r\n* 1 FETCH (BODY[] {99999999}\r\n",
	    "greeting OK\nbroken\n" },
	{ "* OK x\r\n* 1 FETCH (BODY[] {99999999999999999999999}\r\n",
	    "greeting OK\ndata - 1 FETCH[(BODY[] "
	    "{99999999999999999999999}] code 0[]\n" },
	{ "* OK x\r\n\r\n", "greeting OK\nbroken\n" },
	{ "* OK x\r\n*\r\n", "greeting OK\nbroken\n" },
	{ "* OK x\r\n* 99999999999 EXISTS\r\n", "greeting OK\nbroken\n" },
};

static void
play(size_t i, size_t piece)
{
	const struct imap_append a = { .mailbox = { "x", 1 }, .octets = 5 };
	struct talk t;

	talk_init(&t);
	assert_int_equal(
	    imap_client_login(&t.client, &t.out, slice_of("a"), slice_of("b")),
	    E_OK);
	assert_int_equal(imap_client_append(&t.client, &t.out, &a, 7), E_OK);
	feed(&t, dialogues[i].in, strlen(dialogues[i].in), piece);
	if (t.log.len != strlen(dialogues[i].log) ||
	    memcmp(buf_data(&t.log), dialogues[i].log, t.log.len) != 0)
		fail_msg("%s\nis: %.*s\nnot: %s", dialogues[i].in,
		    (int)t.log.len, buf_data(&t.log), dialogues[i].log);
	talk_clear(&t);
}

static void
test_dialogues(void **state)
{
	static const size_t pieces[] = { 100000, 1, 2, 3, 7 };

	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++)
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
			play(i, pieces[k]);
}

static void
test_endless_line(void **state)
{
	static char line[2 * IMAP_RESPONSE_MAX];
	struct talk t;

	memset(line, 'x', sizeof(line));
	memcpy(line, "* OK ", 5);
	talk_init(&t);
	feed(&t, line, sizeof(line), 4096);
	assert_int_equal(t.log.len, strlen("broken\n"));
	assert_true(t.in.len <= IMAP_RESPONSE_MAX + 4096);
	talk_clear(&t);
}

/* ---- what is said ---- */

static void
test_commands(void **state)
{
	struct imap_client *c;
	struct talk t;
	struct slice some = { "\0a", 2 }, none = { "", 0 };

	talk_init(&t);
	c = &t.client;
	assert_int_equal(imap_client_plain(c, &t.out, IMAP_CAPABILITY), E_OK);
	assert_int_equal(
	    imap_client_authenticate(c, &t.out, "PLAIN", &some), E_OK);
	assert_said(&t, "A1 CAPABILITY\r\nA2 AUTHENTICATE PLAIN AGE=\r\n");
	assert_int_equal(
	    imap_client_authenticate(c, &t.out, "EXTERNAL", &none), E_OK);
	assert_int_equal(
	    imap_client_authenticate(c, &t.out, "LOGIN", NULL), E_OK);
	assert_said(
	    &t, "A3 AUTHENTICATE EXTERNAL =\r\nA4 AUTHENTICATE LOGIN\r\n");
	assert_int_equal(imap_client_answer(c, &t.out, some), E_OK);
	assert_int_equal(imap_client_answer(c, &t.out, none), E_OK);
	assert_int_equal(
	    imap_client_answer(c, &t.out, (struct slice){ NULL, 0 }), E_OK);
	assert_said(&t, "AGE=\r\n\r\n*\r\n");
	assert_int_equal(
	    imap_client_login(c, &t.out, slice_of("a\"b"), slice_of("c\\d e")),
	    E_OK);
	assert_said(&t, "A5 LOGIN \"a\\\"b\" \"c\\\\d e\"\r\n");
	/* What fails leaves no trace, nor a tag. */
	assert_int_equal(
	    imap_client_login(c, &t.out, slice_of("a"), slice_of("\xc3\xa9")),
	    E_FORMAT);
	assert_int_equal(
	    imap_client_login(c, &t.out, slice_of("a"), slice_of("b\r\nx")),
	    E_FORMAT);
	assert_said(&t, "");
	assert_int_equal(
	    imap_client_mailbox(c, &t.out, IMAP_STATUS, slice_of("In\"b&x")),
	    E_OK);
	assert_int_equal(
	    imap_client_mailbox(c, &t.out, IMAP_CREATE, slice_of("x")), E_OK);
	assert_said(&t, "A6 STATUS \"In\\\"b&-x\" (UIDVALIDITY UIDNEXT)\r\n"
			"A7 CREATE \"x\"\r\n");
	assert_int_equal(imap_client_search(c, &t.out, "UID 5:*"), E_OK);
	assert_int_equal(
	    imap_client_fetch(c, &t.out, "5", "UID RFC822.SIZE"), E_OK);
	assert_int_equal(imap_client_list(c, &t.out), E_OK);
	assert_int_equal(
	    imap_client_examine_listed(c, &t.out, slice_of("[G]/All &-")),
	    E_OK);
	assert_int_equal(imap_client_enable_utf8(c, &t.out), E_OK);
	assert_said(&t,
	    "A8 UID SEARCH UID 5:*\r\nA9 UID FETCH 5 (UID RFC822.SIZE)\r\n"
	    "A10 LIST \"\" \"*\"\r\nA11 EXAMINE \"[G]/All &-\"\r\n"
	    "A12 ENABLE UTF8=ACCEPT\r\n");
	talk_clear(&t);
}

static void
can(struct talk *t, const char *words)
{
	imap_capability_read(&t->client.capability, slice_of(words));
}

static void
test_append(void **state)
{
	struct imap_append a = { .mailbox = { "x", 1 },
		.flags = "\\Seen $A",
		.date = 1767607230,
		.octets = 4096 };
	struct imap_append more = { .octets = 5 };
	struct imap_client *c;
	struct talk t;

	talk_init(&t);
	c = &t.client;
	assert_true(imap_client_append_waits(c, &a));
	assert_int_equal(imap_client_append(c, &t.out, &a, 0), E_OK);
	assert_said(&t,
	    "A1 APPEND \"x\" (\\Seen $A) \"05-Jan-2026 10:00:30 +0000\" "
	    "{4096}\r\n");
	can(&t, "IMAP4rev1 LITERAL-");
	assert_false(imap_client_append_waits(c, &a));
	a.octets++;
	assert_true(imap_client_append_waits(c, &a));
	can(&t, "IMAP4rev2");
	assert_true(imap_client_append_waits(c, &a));
	assert_false(imap_client_append_waits(c, &more));
	can(&t, "literal+ x");
	assert_false(imap_client_append_waits(c, &a));
	a.flags = NULL;
	a.date = 0;
	assert_int_equal(imap_client_append(c, &t.out, &a, 0), E_OK);
	assert_int_equal(imap_client_append_more(c, &t.out, &a, &more), E_OK);
	assert_int_equal(imap_client_append_end(c, &t.out, &more), E_OK);
	assert_said(&t, "A2 APPEND \"x\" {4097+}\r\n {5+}\r\n\r\n");
	/* RFC 6855: names as they are, headers in a literal of their own. */
	c->utf8 = true;
	a.mailbox = slice_of("\xc3\xa9");
	a.is_utf8 = true;
	assert_int_equal(imap_client_append(c, &t.out, &a, 0), E_OK);
	assert_int_equal(imap_client_append_more(c, &t.out, &a, &more), E_OK);
	assert_int_equal(imap_client_append_end(c, &t.out, &a), E_OK);
	assert_said(
	    &t, "A3 APPEND \"\xc3\xa9\" UTF8 (~{4097+}\r\n) {5+}\r\n)\r\n");
	talk_clear(&t);
}

static void
test_too_many_commands(void **state)
{
	struct talk t;
	size_t before;

	talk_init(&t);
	for (unsigned i = 0; i < IMAP_PENDING_MAX; i++)
		assert_int_equal(
		    imap_client_plain(&t.client, &t.out, IMAP_LOGOUT), E_OK);
	before = t.out.len;
	assert_int_equal(
	    imap_client_plain(&t.client, &t.out, IMAP_LOGOUT), E_FULL);
	assert_int_equal(t.out.len, before);
	talk_clear(&t);
}

/* ---- what it can ---- */

/* What was said in the clear, or before the sign-in, is not believed after it. */
static void
test_capability(void **state)
{
	const struct imap_response plain = { .kind = IMAP_TAGGED };
	struct imap_capability *can_do;
	struct talk t;
	const char *in =
	    "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED auth=plain "
	    "AUTH=SCRAM-SHA-256 APPENDLIMIT=1000 X-GM-EXT-1 MULTIAPPEND "
	    "UTF8=ACCEPT SASL-IR] x\r\n";

	talk_init(&t);
	can_do = &t.client.capability;
	feed(&t, in, strlen(in), 1000);
	assert_true(can_do->known && can_do->starttls &&
		    can_do->logindisabled && can_do->gmail &&
		    can_do->multiappend && can_do->utf8 && can_do->sasl_ir);
	assert_false(can_do->literal_plus);
	assert_int_equal(can_do->append_limit, 1000);
	assert_true(imap_capability_has_sasl(can_do, "PLAIN"));
	assert_true(imap_capability_has_sasl(can_do, "SCRAM-SHA-256"));
	assert_false(imap_capability_has_sasl(can_do, "SCRAM-SHA-1"));
	assert_int_equal(imap_client_secured(&t.client, &t.in), E_OK);
	assert_false(can_do->known || can_do->starttls);
	in = "* CAPABILITY IMAP4rev1 LITERAL+\r\n";
	feed(&t, in, strlen(in), 1000);
	assert_true(can_do->known && can_do->literal_plus);
	assert_false(can_do->gmail);
	imap_client_signed_in(&t.client, &plain);
	assert_false(can_do->known || can_do->literal_plus);
	assert_int_equal(can_do->append_limit, UINT64_MAX);
	talk_clear(&t);
}

/* Somebody on the way puts words behind the answer in the clear. */
static void
test_words_before_tls(void **state)
{
	const char *in = "* OK x\r\nA1 OK go\r\n* CAPABILITY AUTH=PLAIN\r\n";
	struct imap_event ev = { .type = IMAP_EV_MORE };
	struct talk t;

	talk_init(&t);
	assert_int_equal(
	    imap_client_plain(&t.client, &t.out, IMAP_STARTTLS), E_OK);
	assert_int_equal(buf_put(&t.in, in, strlen(in)), E_OK);
	while (ev.type != IMAP_EV_DONE)
		imap_client_run(&t.client, &t.in, &ev);
	assert_int_equal(imap_client_secured(&t.client, &t.in), E_FORMAT);
	talk_clear(&t);
}

/* ---- data ---- */

static void
test_fetch(void **state)
{
	static const struct {
		const char *rest;
		bool good;
		uint32_t uid;
		int64_t size; /* -1: not said */
		const char *body;
	} rows[] = {
		{ "(UID 5 RFC822.SIZE 300)", true, 5, 300, NULL },
		{ "(rfc822.size 0 uid 1)", true, 1, 0, NULL },
		{ "(FLAGS (\\Seen $x) UID 5)", true, 5, -1, NULL },
		{ "(MODSEQ (12) X ((a) \"b\" (c {3}\r\n))) d)) UID 5)", true, 5,
		    -1, NULL },
		{ "(UID 5 BODY[] {4}\r\na\r\nb)", true, 5, -1, "a\r\nb" },
		{ "(UID 5 BODY[]<0> \"ab\")", true, 5, -1, "ab" },
		{ "(UID 5 BODY[HEADER.FIELDS (A B)]<7> NIL)", true, 5, -1, "" },
		{ "(UID 5 BODY[] ~{2}\r\nab)", true, 5, -1, "ab" },
		{ "()", true, 0, -1, NULL },
		{ "(UID x)", false, 0, 0, NULL },
		{ "(UID 5", false, 0, 0, NULL },
		{ "UID 5", false, 0, 0, NULL },
		{ "(UID 5 BODY[] {9}\r\nab)", false, 0, 0, NULL },
		{ "(UID 5 BODY[ {2}\r\nab)", false, 0, 0, NULL },
		{ "(UID 5 \"x\" )", false, 0, 0, NULL },
		{ "(UID 99999999999)", false, 0, 0, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct imap_fetch f;

		if (imap_fetch_read(slice_of(rows[i].rest), &f) != rows[i].good)
			fail_msg("%s", rows[i].rest);
		if (!rows[i].good)
			continue;
		assert_int_equal(f.uid, rows[i].uid);
		assert_int_equal(
		    f.has_size ? (int64_t)f.size : -1, rows[i].size);
		assert_int_equal(f.has_body, rows[i].body != NULL);
		if (f.has_body)
			assert_true(slice_eq(f.body, rows[i].body));
	}
}

static void
test_status_and_list(void **state)
{
	struct imap_mailbox m;
	struct imap_list l;

	assert_true(imap_status_read(
	    slice_of("\"In (b\" (UIDNEXT 7 X 3 UIDVALIDITY 9)"), &m));
	assert_int_equal(m.uidnext, 7);
	assert_int_equal(m.uidvalidity, 9);
	assert_true(imap_status_read(slice_of("{2}\r\na) (UIDNEXT 7)"), &m));
	assert_int_equal(m.uidvalidity, 0);
	assert_false(imap_status_read(slice_of("INBOX (UIDNEXT)"), &m));
	assert_false(imap_status_read(slice_of("INBOX"), &m));
	assert_true(imap_list_read(
	    slice_of("(\\HasNoChildren \\All) \"/\" \"[G]/All \\\"x\""), &l));
	assert_true(slice_eq(l.flags, "\\HasNoChildren \\All"));
	assert_true(slice_eq(l.name, "[G]/All \\\"x"));
	assert_true(imap_list_read(slice_of("() NIL INBOX"), &l));
	assert_true(slice_eq(l.name, "INBOX"));
	assert_false(imap_list_read(slice_of("() NIL"), &l));
	assert_false(imap_list_read(slice_of("() \"/ x"), &l));
}

/* ---- IMAP4rev2 ---- */

struct numbers {
	uint32_t v[8];
	size_t n;
};

static bool
add_number(void *arg, uint32_t number)
{
	struct numbers *all = arg;

	all->v[all->n++] = number;
	return all->n < 6;
}

static void
test_esearch(void **state)
{
	static const struct {
		const char *said;
		size_t most, n;
		uint32_t v[8];
	} rows[] = {
		{ "(TAG \"A5\") UID ALL 2,5:7", 8, 4, { 2, 5, 6, 7 } },
		{ "(TAG \"A5\") UID COUNT 2 all 7:6", 8, 2, { 6, 7 } },
		{ "(TAG \"A5\") UID ALL 1:4294967295", 3, 3, { 1, 2, 3 } },
		{ "UID ALL 4294967294:4294967295", 8, 2,
		    { UINT32_MAX - 1, UINT32_MAX } },
		{ "UID ALL 1:9,20", 8, 6, { 1, 2, 3, 4, 5, 6 } },
		{ "(TAG \"A5\") UID", 8, 0, { 0 } },
		{ "UID MIN 3", 8, 0, { 0 } },
		{ "UID ALL", 8, 0, { 0 } },
		{ "UID ALL x", 8, 0, { 0 } },
		{ "UID ALL 3:x", 8, 0, { 0 } },
		{ "UID ALL 3,*", 8, 1, { 3 } },
		{ "", 8, 0, { 0 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].said);
		struct numbers got = { .n = 0 };

		imap_esearch_read(
		    (struct slice){ guard_copy(0, rows[i].said, n), n },
		    rows[i].most, add_number, &got);
		assert_int_equal(got.n, rows[i].n);
		assert_memory_equal(got.v, rows[i].v, got.n * sizeof(got.v[0]));
	}
}

/* Where there is nothing before it, names are UTF-8 without being asked for. */
static void
test_names_of_rev2(void **state)
{
	static const struct {
		const char *can, *said;
	} rows[] = {
		{ "IMAP4rev2", "A1 STATUS \"\xc3\xad&\" (UIDVALIDITY UIDNEXT)"
			       "\r\n" },
		{ "IMAP4rev1 IMAP4rev2",
		    "A1 STATUS \"&AO0-&-\" (UIDVALIDITY UIDNEXT)\r\n" },
	};
	struct talk t;

	for (size_t i = 0; i < 2; i++) {
		talk_init(&t);
		can(&t, rows[i].can);
		assert_true(t.client.capability.literal_minus &&
			    t.client.capability.sasl_ir);
		assert_int_equal(
		    imap_client_mailbox(&t.client, &t.out, IMAP_STATUS,
			(struct slice){ "\xc3\xad&", 3 }),
		    E_OK);
		assert_said(&t, rows[i].said);
		talk_clear(&t);
	}
}

/* ---- names ---- */

static void
test_mailbox_names(void **state)
{
	static const struct {
		const char *name, *written; /* NULL: it cannot be */
	} rows[] = {
		{ "INBOX", "\"INBOX\"" },
		{ "a&b", "\"a&-b\"" },
		{ "a\"\\", "\"a\\\"\\\\\"" },
		{ "Fam\xc3\xadlia", "\"Fam&AO0-lia\"" },
		/* RFC 3501 s5.1.3 */
		{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		  "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		    "\"~peter/mail/&U,BTFw-/&ZeVnLIqe-\"" },
		{ "\xf0\x9f\x98\x80x", "\"&2D3eAA-x\"" },
		{ "\xc3\xa9&", "\"&AOk-&-\"" },
		{ "\xff", NULL },
	};
	struct buf out;

	buf_init(&out, 1024, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum err e =
		    imap_put_mailbox(&out, slice_of(rows[i].name), false);

		assert_int_equal(e, rows[i].written != NULL ? E_OK : E_FORMAT);
		if (e == E_OK)
			assert_true(
			    slice_eq((struct slice){ buf_data(&out), out.len },
				rows[i].written));
		buf_consume(&out, out.len);
	}
	buf_free(&out);
}

static void
test_dates(void **state)
{
	char date[IMAP_DATE];

	assert_string_equal(imap_date(date, 0), "01-Jan-1970 00:00:00 +0000");
	assert_string_equal(
	    imap_date(date, 1709251199), "29-Feb-2024 23:59:59 +0000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_too_many_commands),
		cmocka_unit_test(test_capability),
		cmocka_unit_test(test_words_before_tls),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_status_and_list),
		cmocka_unit_test(test_esearch),
		cmocka_unit_test(test_names_of_rev2),
		cmocka_unit_test(test_mailbox_names),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests_name("imap_client", tests, NULL, NULL);
}

#include "pop3/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "pop3/server_command.h"
#include "pop3/server_reply.h"

enum {
	/* "AUTH ", a mechanism's name (RFC 4422 s3.1), SP, CRLF */
	AUTH_LINE = 5 + 20 + 1 + 2,
};

void
pop3_server_init(struct pop3_server *s, const struct pop3_policy *policy,
    bool tls, const uint64_t salt[2])
{
	*s = (struct pop3_server){
		.state = POP3_AUTHORIZATION,
		.policy = policy,
		.trace = policy->trace,
		.language = &pop3_english,
		.tls = tls,
		.apop = policy->apop,
		.first = true,
	};
	if (s->apop)
		memcpy(s->apop_salt, salt, sizeof(s->apop_salt));
}

void
pop3_server_clear(struct pop3_server *s)
{
	pop3_server_forget_name(s);
	free(s->marks);
	free(s->takes);
	memset(s, 0, sizeof(*s));
	s->wanted = POP3_WANT_CLOSE;
}

/* The only place that changes the state after init. */
static void
state_enter(struct pop3_server *s, enum pop3_state state)
{
	s->in_sasl = false;
	s->state = state;
}

/* ---- replies ---- */

/* Every -ERR drops the name of USER; before login too many end the session. */
static void
complain(struct pop3_server *s, struct buf *out, enum pop3_text text)
{
	pop3_server_forget_name(s);
	if (s->state == POP3_AUTHORIZATION && ++s->bad == s->policy->bad_max) {
		pop3_server_finish(s, "bad-commands");
		text = POP3_TEXT_BAD_COMMANDS;
	}
	pop3_server_say(s, out, text, NULL);
}

size_t
pop3_server_timestamp(const struct pop3_server *s, char *out, size_t size)
{
	int n;

	if (!s->apop || s->stls_done)
		return 0;
	n = snprintf(out, size, "<%016llx%016llx@%.255s>",
	    (unsigned long long)s->apop_salt[0],
	    (unsigned long long)s->apop_salt[1], s->policy->host);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* The host's name stands in the timestamp if there is one: twice might be too
 * long. */
void
pop3_server_greet(struct pop3_server *s, struct buf *out)
{
	char timestamp[POP3_TIMESTAMP];
	const char *host = s->policy->host;
	size_t n = pop3_server_timestamp(s, timestamp, sizeof(timestamp));

	/* As Dovecot's proxies look for it; the client's own follows. */
	if (s->xclient)
		pop3_server_reply(
		    s, out, "+OK [XCLIENT] %.255s POP3 ready", host);
	else if (n != 0)
		pop3_server_say(s, out, POP3_TEXT_READY_APOP,
		    (struct pop3_arg[POP3_TEXT_ARGS]){
			{ .text = { timestamp, n } } });
	else
		pop3_server_say(s, out, POP3_TEXT_READY,
		    (struct pop3_arg[POP3_TEXT_ARGS]){
			{ .text = { host, strnlen(host, 255) } } });
}

void
pop3_server_secure(struct pop3_server *s)
{
	s->tls = true;
}

void
pop3_server_turn_away(struct buf *out, enum pop3_text t)
{
	struct pop3_server none = { .language = &pop3_english };

	pop3_server_say(&none, out, t, NULL);
}

/* ---- commands ---- */

/* Does something begin like HTTP or like TLS?  The octets need not be a whole
 * line. */
static bool
is_stranger(const char *p, size_t n)
{
	static const char *const starts[] = { "\x16\x03", "GET ", "HEAD ",
		"POST ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ",
		"PATCH ", "PRI " };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		size_t len = strlen(starts[i]);

		if (n >= len && memcmp(p, starts[i], len) == 0)
			return true;
	}
	return false;
}

/* How long a line may be that begins like this (RFC 2449 s4, 5034 s4).  Beyond
 * the 255 octets of a command is what a name or password of AUTH would need in
 * USER and PASS. */
static size_t
line_limit(const struct pop3_server *s, const struct buf *in)
{
	struct slice head = { buf_data(in), in->len < 5 ? in->len : 5 };
	size_t sasl = B64_ENCODED(s->policy->sasl_max) + AUTH_LINE;
	size_t max = POP3_LINE_COMMAND;
	bool before = s->state == POP3_AUTHORIZATION;

	if (s->in_sasl || (before && slice_caseeq(head, "AUTH ")))
		max = max > sasl ? max : sasl;
	else if (before && slice_caseeq(head, "USER "))
		max = POP3_LINE_USER;
	else if (before && slice_caseeq(head, "PASS "))
		max = POP3_LINE_PASS;
	else if (before && s->xclient && slice_caseeq(head, "XCLIE"))
		max = POP3_LINE_XCLIENT;
	return max < in->max ? max : in->max;
}

static struct pop3_next
line_run(struct pop3_server *s, char *line, size_t n, struct buf *out)
{
	struct slice text = { line, n };

	memset(&s->request, 0, sizeof(s->request));
	return s->in_sasl ? pop3_command_respond(s, text)
			  : pop3_command_run(s, text, out);
}

static void
carry_out(struct pop3_server *s, struct pop3_next next, struct buf *out)
{
	if (next.want == POP3_WANT_CLOSE)
		pop3_server_finish(s, "quit");
	else if (s->wanted != POP3_WANT_CLOSE)
		s->wanted = next.want;
	if (next.want == POP3_WANT_CANCEL)
		s->in_sasl = false;
	if (next.want == POP3_WANT_UPDATE)
		state_enter(s, POP3_UPDATE);
	if (next.text == POP3_NO_TEXT)
		return;
	if (pop3_text_is_good(next.text))
		pop3_server_say(s, out, next.text, NULL);
	else
		complain(s, out, next.text);
}

/* Runs one line.  False: there is none yet. */
static bool
line_take(struct pop3_server *s, struct buf *in, struct buf *out)
{
	struct pop3_next next = { POP3_TEXT_LINE_LONG, POP3_WANT_INPUT };
	char *line = buf_data(in);
	enum pop3_line_result r;
	size_t len, used;

	if (s->first && !s->tls && is_stranger(line, in->len)) {
		next =
		    (struct pop3_next){ POP3_TEXT_NOT_POP3, POP3_WANT_CLOSE };
		pop3_server_finish(s, "not-pop3");
		carry_out(s, next, out);
		return true;
	}
	r = pop3_line_next(
	    &s->line, line, in->len, line_limit(s, in), &len, &used);
	if (used != 0)
		s->first = false;
	switch (r) {
	case POP3_LINE_OK:
		s->n_commands++;
		if (s->trace != NULL)
			s->trace(s, false,
			    pop3_server_mask(
				(struct slice){ line, len }, s->in_sasl));
		next = line_run(s, line, len, out);
		if (s->request.secret.p != NULL) {
			s->consume = used;
			used = 0;
		}
		break;
	case POP3_LINE_LONG:
		if (s->in_sasl)
			next.want = POP3_WANT_CANCEL;
		break;
	case POP3_LINE_ENDLESS: pop3_server_finish(s, "endless-line"); break;
	case POP3_LINE_MORE: buf_consume(in, used); return false;
	}
	buf_consume(in, used);
	carry_out(s, next, out);
	return true;
}

/* What the request had borrowed goes. */
static void
request_release(struct pop3_server *s, struct buf *in)
{
	if (s->consume == 0)
		return;
	buf_consume(in, s->consume);
	s->consume = 0;
	memset(&s->request, 0, sizeof(s->request));
	pop3_server_forget_name(s);
}

enum pop3_want
pop3_server_run(
    struct pop3_server *s, struct buf *in, struct buf *out, size_t mark)
{
	switch (s->wanted) {
	case POP3_WANT_INPUT:
	case POP3_WANT_FLUSH:
	case POP3_WANT_CANCEL: s->wanted = POP3_WANT_INPUT; break;
	case POP3_WANT_CLOSE: break;
	default: return s->wanted; /* not answered yet */
	}
	request_release(s, in);
	while (s->wanted == POP3_WANT_INPUT) {
		if (out->len >= mark)
			s->wanted = POP3_WANT_FLUSH;
		else if (in->len == 0 || !line_take(s, in, out))
			break;
	}
	return s->wanted;
}

/* ---- answers ---- */

/* Called first, so that what goes wrong then can still close. */
static void
answered(struct pop3_server *s)
{
	if (s->wanted != POP3_WANT_CLOSE)
		s->wanted = POP3_WANT_INPUT;
}

void
pop3_server_tls(struct pop3_server *s)
{
	answered(s);
	state_enter(s, POP3_AUTHORIZATION);
	pop3_server_forget_name(s);
	memset(&s->request, 0, sizeof(s->request));
	memset(&s->line, 0, sizeof(s->line));
	s->language = &pop3_english;
	s->tls = true;
	s->stls_done = true;
}

void
pop3_server_proxied(struct pop3_server *s, struct buf *out, bool good)
{
	answered(s);
	if (!good) {
		complain(s, out, POP3_TEXT_ARGUMENTS);
		return;
	}
	s->language = &pop3_english;
	s->xclient = false;
	pop3_server_greet(s, out);
}

void
pop3_server_challenge(
    struct pop3_server *s, struct buf *out, const void *data, size_t n)
{
	size_t len = B64_ENCODED(n);
	char *room = buf_room(out, 2 + len + 2);

	answered(s);
	s->in_sasl = true;
	if (room == NULL) {
		pop3_server_finish(s, "out-of-memory");
		return;
	}
	memcpy(room, "+ ", 2);
	b64_encode(room + 2, data, n);
	memcpy(room + 2 + len, "\r\n", 2);
	buf_added(out, 2 + len + 2);
}

static void
say_messages(
    struct pop3_server *s, struct buf *out, uint32_t count, uint64_t octets)
{
	pop3_server_say(s, out, POP3_TEXT_MESSAGES,
	    (struct pop3_arg[POP3_TEXT_ARGS]){
		{ .number = count }, { .number = octets } });
}

static void
say_number(struct pop3_server *s, struct buf *out, enum pop3_text t, uint64_t v)
{
	pop3_server_say(
	    s, out, t, (struct pop3_arg[POP3_TEXT_ARGS]){ { .number = v } });
}

/* Most programs do not ask for capabilities: what removes mail is said to
 * everybody. */
static void
say_opened(struct pop3_server *s, struct buf *out)
{
	if (s->retention == RETENTION_NEVER)
		say_messages(s, out, s->count, s->octets);
	else if (s->retention == RETENTION_ONCE)
		say_number(s, out, POP3_TEXT_MESSAGES_ONCE, s->count);
	else
		pop3_server_say(s, out, POP3_TEXT_MESSAGES_DAYS,
		    (struct pop3_arg[POP3_TEXT_ARGS]){
			{ .number = s->count }, { .number = s->retention } });
}

void
pop3_server_opened(
    struct pop3_server *s, struct buf *out, uint32_t count, uint64_t octets)
{
	answered(s);
	state_enter(s, POP3_TRANSACTION);
	s->count = count;
	s->octets = octets;
	say_opened(s, out);
}

void
pop3_server_refused(struct pop3_server *s, struct buf *out, enum pop3_text t,
    const struct pop3_arg *arg)
{
	const struct pop3_policy *policy = s->policy;
	enum pop3_code code = pop3_text_code(t);

	answered(s);
	s->in_sasl = false;
	if (policy->one_sign_in)
		pop3_server_finish(s, "sign-in-refused");
	else if (code == POP3_CODE_AUTH &&
		 ++s->failures == policy->failures_max)
		pop3_server_finish(s, "failed-sign-ins");
	else if (code == POP3_NO_CODE && ++s->bad == policy->bad_max)
		pop3_server_finish(s, "bad-commands");
	pop3_server_say(s, out, t, arg);
}

/* Bit msgno - 1 of a bitmap becomes `on`; was it another? */
static bool
change_bit(uint8_t *bits, uint32_t msgno, bool on)
{
	uint8_t *octet = &bits[(msgno - 1) / 8], was = *octet;
	uint8_t bit = (uint8_t)(1U << (msgno - 1) % 8);

	*octet = on ? was | bit : was & (uint8_t)~bit;
	return *octet != was;
}

static void
mark(struct pop3_server *s, uint64_t octets)
{
	uint32_t msgno = s->request.msgno;

	change_bit(s->marks, msgno, true);
	if (s->takes != NULL && change_bit(s->takes, msgno, false))
		s->taken--;
	s->marked++;
	s->marked_octets += octets;
}

void
pop3_server_entry(
    struct pop3_server *s, struct buf *out, uint64_t octets, struct slice uid)
{
	uint32_t msgno = s->request.msgno;

	answered(s);
	if (s->verb->flags & POP3_VERB_MARKS) {
		mark(s, octets);
		say_number(s, out, POP3_TEXT_DELETED, msgno);
	} else if (s->request.uidl) {
		pop3_server_reply(
		    s, out, "+OK %u %.*s", msgno, (int)uid.n, uid.p);
	} else {
		pop3_server_reply(
		    s, out, "+OK %u %llu", msgno, (unsigned long long)octets);
	}
}

void
pop3_server_failed(struct pop3_server *s, struct buf *out, enum pop3_text t)
{
	answered(s);
	pop3_server_say(s, out, t, NULL);
}

void
pop3_server_listing_begin(struct pop3_server *s, struct buf *out)
{
	say_messages(s, out, s->count - s->marked, pop3_server_octets(s));
}

void
pop3_server_listing_end(struct pop3_server *s, struct buf *out)
{
	answered(s);
	pop3_server_reply(s, out, ".");
}

void
pop3_server_message_begin(
    struct pop3_server *s, struct buf *out, uint64_t octets)
{
	if (s->request.top)
		pop3_server_say(s, out, POP3_TEXT_TOP, NULL);
	else
		say_number(s, out, POP3_TEXT_OCTETS, octets);
}

/* EXPIRE 0: at QUIT the message goes as if DELE had been said.  One for which
 * there is no memory stays. */
static void
take(struct pop3_server *s)
{
	if (s->takes == NULL)
		s->takes = calloc(((size_t)s->count + 7) / 8, 1);
	if (s->takes != NULL && change_bit(s->takes, s->request.msgno, true))
		s->taken++;
}

void
pop3_server_message_end(struct pop3_server *s, bool whole)
{
	answered(s);
	if (s->request.top) {
		s->n_top++;
		return;
	}
	s->n_retr++;
	if (s->retention == RETENTION_ONCE && !s->read_only && whole)
		take(s);
}

/* A line of the envelope, as it is: an address may be UTF-8. */
static void
put_address(struct pop3_server *s, struct buf *out, const char *address)
{
	char line[1 + POP3_ADDRESS_MAX + 2];
	size_t n = strlen(address), at = 0;

	if (address[0] == '.')
		line[at++] = '.';
	memcpy(line + at, address, n);
	memcpy(line + at + n, "\r\n", 2);
	if (buf_put(out, line, at + n + 2) != E_OK)
		pop3_server_finish(s, "out-of-memory");
}

/* Clients of SDPS take the fourth line for the sender and the fifth for the
 * recipient. */
void
pop3_server_envelope(struct pop3_server *s, struct buf *out,
    const struct pop3_envelope *envelope, uint64_t octets)
{
	answered(s);
	pop3_server_say(s, out, POP3_TEXT_ENVELOPE, NULL);
	pop3_server_reply(s, out, "%u", s->request.msgno);
	pop3_server_reply(s, out, "%llu", (unsigned long long)octets);
	put_address(s, out, envelope->sender);
	put_address(s, out, envelope->recipient);
	pop3_server_reply(s, out, ".");
}

void
pop3_server_updated(
    struct pop3_server *s, struct buf *out, uint32_t removed, uint32_t failed)
{
	pop3_server_finish(s, "quit");
	if (failed != 0)
		pop3_server_say(s, out, POP3_TEXT_NOT_REMOVED, NULL);
	else
		say_number(s, out, POP3_TEXT_BYE_REMOVED, removed);
}

const uint8_t *
pop3_server_marks(const struct pop3_server *s)
{
	return s->marked != 0 ? s->marks : NULL;
}

const uint8_t *
pop3_server_takes(const struct pop3_server *s)
{
	return s->taken != 0 ? s->takes : NULL;
}

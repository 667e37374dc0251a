#include "client/send/smtp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/b64.h"
#include "base/i18n.h"
#include "client/send/address_list.h"
#include "client/send/smtp_words.h"

void
smtp_init(struct smtp *s, bool starts_tls)
{
	*s = (struct smtp){ .starts_tls = starts_tls };
}

const char *
smtp_phase_name(const struct smtp *s)
{
	static const char *const names[] = {
		[SMTP_GREETING] = N_("greeting"),
		[SMTP_EHLO] = "EHLO",
		[SMTP_STARTTLS] = "STARTTLS",
		[SMTP_AUTH] = "AUTH",
		[SMTP_IDLE] = "-",
		[SMTP_MAIL] = "MAIL",
		[SMTP_RCPT] = "RCPT",
		[SMTP_DATA] = "DATA",
		[SMTP_BODY] = N_("message"),
		[SMTP_NOTHING] = N_("message"),
		[SMTP_RSET] = "RSET",
		[SMTP_QUIT] = "QUIT",
	};

	return _(names[s->phase]);
}

/* ---- replies ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
parse_code(struct slice line, unsigned *code_r, bool *last_r)
{
	const char *p = line.p;

	if (line.n < 3 || p[0] < '2' || p[0] > '5' || !is_digit(p[1]) ||
	    !is_digit(p[2]) || (line.n > 3 && p[3] != ' ' && p[3] != '-'))
		return false;
	*code_r = (unsigned)(p[0] - '0') * 100 + (unsigned)(p[1] - '0') * 10 +
		  (unsigned)(p[2] - '0');
	*last_r = line.n == 3 || p[3] == ' ';
	return true;
}

/* Octets of "5.7.8" at the beginning, or 0. */
static size_t
status_length(struct slice s, unsigned class)
{
	size_t n = 0, dots = 0, digits = 0;

	if (s.n < 5 || (unsigned)(s.p[0] - '0') != class)
		return 0;
	for (; n < s.n && (is_digit(s.p[n]) || s.p[n] == '.'); n++) {
		dots += s.p[n] == '.';
		digits = s.p[n] == '.' ? 0 : digits + 1;
		if (digits > 3)
			return 0;
	}
	return dots == 2 && digits != 0 && s.p[n - 1] != '.' ? n : 0;
}

/* Puts what a line says behind what those before it have said. */
static void
add_text(struct smtp_reply *r, struct slice text)
{
	size_t n = strlen(r->text), status = status_length(text, r->code / 100);

	if (status != 0) {
		if (r->status[0] == '\0' && status < sizeof(r->status))
			snprintf(r->status, sizeof(r->status), "%.*s",
			    (int)status, text.p);
		text.p += status;
		text.n -= status;
	}
	while (text.n != 0 && text.p[0] == ' ') {
		text.p++;
		text.n--;
	}
	if (text.n == 0 || n + 2 >= sizeof(r->text))
		return;
	if (n != 0)
		r->text[n++] = ' ';
	str_quote(r->text + n, sizeof(r->text) - n, text.p, text.n);
}

/* ---- EHLO ---- */

static bool
take_word(struct slice *rest, struct slice *word)
{
	size_t n = 0;

	while (rest->n != 0 && rest->p[0] == ' ') {
		rest->p++;
		rest->n--;
	}
	while (n < rest->n && rest->p[n] != ' ')
		n++;
	*word = (struct slice){ rest->p, n };
	rest->p += n;
	rest->n -= n;
	return n != 0;
}

static void
add_mechanism(struct smtp *s, struct slice name)
{
	size_t n = strlen(s->auth);

	if (name.n + 2 > sizeof(s->auth) - n)
		return;
	snprintf(s->auth + n, sizeof(s->auth) - n, "%s%.*s", n != 0 ? " " : "",
	    (int)name.n, name.p);
}

/* "AUTH=LOGIN" is how some have written it before RFC 2554. */
static void
note_extension(struct smtp *s, struct slice line)
{
	struct slice word;

	if (!take_word(&line, &word))
		return;
	if (word.n > 5 && strncasecmp(word.p, "AUTH=", 5) == 0) {
		add_mechanism(s, (struct slice){ word.p + 5, word.n - 5 });
		word.n = 4;
	}
	if (slice_caseeq(word, "STARTTLS"))
		s->has_starttls = true;
	else if (slice_caseeq(word, "8BITMIME"))
		s->has_eightbit = true;
	else if (slice_caseeq(word, "SMTPUTF8"))
		s->has_utf8 = true;
	else if (slice_caseeq(word, "PIPELINING"))
		s->has_pipelining = true;
	else if (slice_caseeq(word, "SIZE")) {
		s->has_size = true;
		if (!take_word(&line, &word) || !str_to_u64(word, &s->size))
			s->size = 0;
	} else if (slice_caseeq(word, "AUTH")) {
		while (take_word(&line, &word))
			add_mechanism(s, word);
	}
}

bool
smtp_has_auth(const struct smtp *s, const char *name)
{
	return str_has_word(s->auth, name);
}

/* ---- commands ---- */

static enum smtp_event
command(struct smtp *s, enum smtp_phase phase, enum err e)
{
	s->phase = phase;
	return e == E_OK ? SMTP_MORE : SMTP_NOMEM;
}

/* This computer's own name is nobody's business; a server that is told one that
 * DNS does not know may mind. */
static enum smtp_event
say_hello(struct smtp *s, struct buf *out)
{
	s->has_starttls = s->has_eightbit = s->has_utf8 = s->has_size = false;
	s->has_pipelining = false;
	s->auth[0] = '\0';
	s->size = 0;
	return command(s, SMTP_EHLO, buf_printf(out, "EHLO [127.0.0.1]\r\n"));
}

enum smtp_event
smtp_secured(struct smtp *s, struct buf *out)
{
	s->secure = true;
	return s->starts_tls ? say_hello(s, out) : SMTP_MORE;
}

static enum err
put_base64(struct buf *out, struct slice message)
{
	char *room = buf_room(out, B64_ENCODED(message.n) + 1);

	if (room == NULL)
		return E_FULL;
	b64_encode(room, message.p, message.n);
	buf_added(out, B64_ENCODED(message.n));
	return E_OK;
}

enum smtp_event
smtp_auth(struct smtp *s, struct buf *out, const char *name,
    const struct slice *initial)
{
	enum err e = buf_printf(out, "AUTH %s", name);

	if (e == E_OK && initial != NULL)
		e = buf_printf(out, initial->n == 0 ? " =" : " ");
	if (e == E_OK && initial != NULL)
		e = put_base64(out, *initial);
	return command(s, SMTP_AUTH, e == E_OK ? buf_put(out, "\r\n", 2) : e);
}

enum smtp_event
smtp_answer(struct smtp *s, struct buf *out, struct slice message)
{
	enum err e = put_base64(out, message);

	return command(s, SMTP_AUTH, e == E_OK ? buf_put(out, "\r\n", 2) : e);
}

enum smtp_event
smtp_cancel(struct smtp *s, struct buf *out)
{
	return command(s, SMTP_AUTH, buf_put(out, "*\r\n", 3));
}

enum smtp_event
smtp_quit(struct smtp *s, struct buf *out)
{
	return command(s, SMTP_QUIT, buf_put(out, "QUIT\r\n", 6));
}

/* ---- a transaction ---- */

/* The answer is the same for all whom it concerns. */
static void
answer(struct smtp *s, bool only_accepted, enum fate fate)
{
	char words[SMTP_WORDS];

	smtp_words(words, s);
	for (size_t i = 0; i < s->o->n; i++) {
		struct recipient *r = &s->o->v[i];

		if (only_accepted ? !r->accepted : r->fate != FATE_WAITING)
			continue;
		r->fate = fate;
		r->accepted = false;
		outgoing_say(&r->words, fate == FATE_SENT ? NULL : words);
	}
}

static enum smtp_event
over(struct smtp *s)
{
	s->o = NULL;
	s->phase = SMTP_IDLE;
	return SMTP_OVER;
}

/* What was begun with is dropped there. */
static enum smtp_event
reset(struct smtp *s, struct buf *out)
{
	return command(s, SMTP_RSET, buf_put(out, "RSET\r\n", 6));
}

/* The server could not carry it: that is known before it is asked. */
static bool
is_beyond(struct smtp *s)
{
	if (s->o->utf8 && !s->has_utf8) {
		smtp_words_no_utf8(s);
		return true;
	}
	if (s->size != 0 && s->o->octets > s->size) {
		smtp_words_too_large(s);
		return true;
	}
	return false;
}

static enum err
put_mail(struct smtp *s, struct buf *out)
{
	const struct outgoing *o = s->o;
	enum err e = buf_printf(out, "MAIL FROM:<%s>", o->sender);

	if (e == E_OK && s->has_size)
		e = buf_printf(
		    out, " SIZE=%llu", (unsigned long long)o->octets);
	if (e == E_OK && s->has_eightbit && (o->eightbit || o->utf8))
		e = buf_printf(out, " BODY=8BITMIME");
	if (e == E_OK && o->utf8)
		e = buf_printf(out, " SMTPUTF8");
	return e == E_OK ? buf_put(out, "\r\n", 2) : e;
}

/* From `i` on, the next one that the transaction is for; o->n: none. */
static size_t
next_asked(const struct outgoing *o, size_t i)
{
	while (i < o->n && !o->v[i].asked)
		i++;
	return i;
}

static bool
is_any_accepted(const struct outgoing *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].accepted)
			return true;
	return false;
}

/* Recipients and DATA, as far as they may follow by now: with PIPELINING they do not
 * wait for answers (RFC 2920 s3.1). */
static enum err
put_more(struct smtp *s, struct buf *out)
{
	unsigned most = s->has_pipelining       ? SMTP_AHEAD
			: s->phase == SMTP_MAIL ? 0
						: 1;
	enum err e = E_OK;

	while (e == E_OK && s->next < s->o->n && s->unanswered < most) {
		e = buf_printf(
		    out, "RCPT TO:<%s>\r\n", s->o->v[s->next].address);
		s->next = next_asked(s->o, s->next + 1);
		s->unanswered++;
	}
	if (e != E_OK || s->asked_data || s->next < s->o->n ||
	    !(s->has_pipelining ||
		(s->unanswered == 0 && is_any_accepted(s->o))))
		return e;
	s->asked_data = true;
	return buf_put(out, "DATA\r\n", 6);
}

enum smtp_event
smtp_mail(struct smtp *s, struct buf *out, struct outgoing *o)
{
	enum err e;

	s->o = o;
	s->ended = s->dropped = s->asked_data = false;
	s->unanswered = 0;
	for (size_t i = 0; i < o->n; i++) {
		o->v[i].accepted = false;
		o->v[i].asked = o->v[i].fate == FATE_WAITING;
		o->v[i].tried |= o->v[i].asked;
	}
	s->at = s->next = next_asked(o, 0);
	s->phase = SMTP_MAIL;
	if (s->next == o->n)
		return over(s);
	if (is_beyond(s)) {
		answer(s, false, FATE_REFUSED);
		return over(s);
	}
	e = put_mail(s, out);
	return command(s, SMTP_MAIL, e == E_OK ? put_more(s, out) : e);
}

/* After an answer: what may follow it, and which answer comes next. */
static enum smtp_event
go_on(struct smtp *s, struct buf *out)
{
	s->phase = SMTP_RCPT;
	if (!s->dropped && put_more(s, out) != E_OK)
		return SMTP_NOMEM;
	if (s->unanswered != 0)
		return SMTP_MORE;
	if (!s->asked_data)
		return reset(s, out);
	s->phase = SMTP_DATA;
	return SMTP_MORE;
}

static enum smtp_event
answered_mail(struct smtp *s, struct buf *out)
{
	if (s->reply.code == 530)
		return SMTP_NEVER; /* it wants a sign-in */
	s->dropped = s->reply.code / 100 != 2;
	if (s->dropped)
		answer(s, false,
		    s->reply.code / 100 == 5 ? FATE_REFUSED : FATE_WAITING);
	return go_on(s, out);
}

/* 552 was said for too many recipients once, and then means "later" (RFC 5321
 * s4.5.3.1.10). */
static void
take_recipient(struct smtp *s, struct recipient *r)
{
	char words[SMTP_WORDS];

	r->accepted = s->reply.code / 100 == 2;
	if (r->accepted)
		return;
	if (s->reply.code / 100 == 5 && s->reply.code != 552)
		r->fate = FATE_REFUSED;
	smtp_words(words, s);
	outgoing_say(&r->words, words);
}

static enum smtp_event
answered_recipient(struct smtp *s, struct buf *out)
{
	if (!s->dropped)
		take_recipient(s, &s->o->v[s->at]);
	s->at = next_asked(s->o, s->at + 1);
	s->unanswered--;
	return go_on(s, out);
}

/* A server that has accepted nobody may want the message all the same: it gets an
 * empty one (RFC 2920 s3.1). */
static enum smtp_event
answered_data(struct smtp *s, struct buf *out)
{
	bool goes = s->reply.code == 354;

	if (goes && is_any_accepted(s->o)) {
		s->phase = SMTP_BODY;
		return SMTP_SEND;
	}
	if (goes)
		return command(s, SMTP_NOTHING, buf_put(out, ".\r\n", 3));
	answer(s, true, s->reply.code / 100 == 5 ? FATE_REFUSED : FATE_WAITING);
	return reset(s, out);
}

void
smtp_sent(struct smtp *s)
{
	s->ended = true;
}

/* A reply before the end was sent is a refusal; no command can follow then, as the
 * server may still take it for the message.  Behind the end neither yes nor no is
 * no answer: the message is perhaps there. */
static enum smtp_event
answered_body(struct smtp *s)
{
	unsigned class = s->reply.code / 100;

	if (class == 3 || (!s->ended && class == 2))
		return SMTP_NO_SENSE;
	answer(s, true,
	    class == 2   ? FATE_SENT
	    : class == 5 ? FATE_REFUSED
			 : FATE_WAITING);
	if (s->ended)
		return over(s);
	s->o = NULL;
	return SMTP_NOT_NOW;
}

/* ---- the dialogue ---- */

static enum smtp_event
answered_hello(struct smtp *s, struct buf *out)
{
	if (s->reply.code != 250)
		return s->reply.code / 100 == 4 ? SMTP_NOT_NOW : SMTP_NEVER;
	if (!s->starts_tls || s->secure) {
		s->phase = SMTP_IDLE;
		return SMTP_SIGN_IN;
	}
	if (!s->has_starttls)
		return SMTP_NO_TLS;
	return command(s, SMTP_STARTTLS, buf_put(out, "STARTTLS\r\n", 10));
}

static enum smtp_event
answered_auth(struct smtp *s)
{
	if (s->reply.code == 334)
		return SMTP_CHALLENGE;
	if (s->reply.code / 100 != 2)
		return s->reply.code / 100 == 4 ? SMTP_NOT_NOW : SMTP_DENIED;
	s->phase = SMTP_IDLE;
	return SMTP_SIGNED_IN;
}

static enum smtp_event
answered_greeting(struct smtp *s, struct buf *out)
{
	if (s->reply.code / 100 == 2)
		return say_hello(s, out);
	return s->reply.code / 100 == 4 ? SMTP_NOT_NOW : SMTP_NEVER;
}

/* A whole reply has come.  421 may be said at any time: it hangs up. */
static enum smtp_event
answered(struct smtp *s, struct buf *out)
{
	if (s->reply.code == 421 && s->phase != SMTP_BODY)
		return SMTP_NOT_NOW;
	switch (s->phase) {
	case SMTP_GREETING: return answered_greeting(s, out);
	case SMTP_EHLO: return answered_hello(s, out);
	case SMTP_STARTTLS:
		return s->reply.code == 220 ? SMTP_START_TLS : SMTP_NO_TLS;
	case SMTP_AUTH: return answered_auth(s);
	case SMTP_MAIL: return answered_mail(s, out);
	case SMTP_RCPT: return answered_recipient(s, out);
	case SMTP_DATA: return answered_data(s, out);
	case SMTP_BODY: return answered_body(s);
	case SMTP_NOTHING:
	case SMTP_RSET: return over(s);
	case SMTP_QUIT: return SMTP_BYE;
	case SMTP_IDLE: break; /* nobody has asked */
	}
	return SMTP_NO_SENSE;
}

enum smtp_event
smtp_take(struct smtp *s, struct slice line, struct buf *out)
{
	unsigned code;
	bool last;

	if (!parse_code(line, &code, &last) ||
	    (s->lines != 0 && code != s->reply.code) ||
	    s->lines == SMTP_LINES) {
		str_quote(s->reply.text, sizeof(s->reply.text), line.p, line.n);
		return SMTP_NO_SENSE;
	}
	if (s->lines == 0)
		s->reply = (struct smtp_reply){ .code = code };
	line.n -= line.n > 3 ? 4 : 3;
	line.p += 4;
	if (s->phase == SMTP_EHLO && s->lines != 0)
		note_extension(s, line);
	add_text(&s->reply, line);
	s->challenge = line;
	s->lines++;
	if (!last)
		return SMTP_MORE;
	s->lines = 0;
	return answered(s, out);
}

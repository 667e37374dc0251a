#include "client/send/submission.h"

#include <errno.h>
#include <ev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/secret/refused.h"
#include "client/secret/secret.h"
#include "client/send/sign_on.h"
#include "client/send/smtp.h"
#include "client/send/smtp_words.h"
#include "client/session/advice.h"
#include "net/line.h"
#include "pop3/wire.h"

enum {
	PIECE = 16 * 1024,    /* octets of a message, read at a time */
	OUT_FULL = 32 * 1024, /* octets on their way: then it waits */
	/* How many times the account's timeout: RFC 5321 s4.5.3.2. */
	PATIENCE = 5,
	PATIENCE_AT_END = 10,
};

struct submission {
	struct submission_conf conf;
	struct account account; /* submission_account() */
	struct submission_result result;
	struct line line;
	struct smtp smtp;
	ev_timer turn; /* what is told from the loop only */
	bool over;

	struct secret *secret; /* that is being asked for; or NULL */
	struct sign_on sign_on;
	char no_secret[256]; /* why there is none; or empty */
	int64_t mark_at;     /* of the secret: see secret/refused.h */
	unsigned mark;

	struct outbox_item *item; /* under way */
	off_t at;                 /* octets of it that were read */
	/* That its end leaves is being put on record; or NULL. */
	struct outbox_task *marking;
	struct pop3_wire wire;
};

struct account
submission_account(const struct account *a)
{
	struct account view = *a;
	bool same =
	    a->server != NULL && strcasecmp(a->smtp.server, a->server) == 0;

	view.server = a->smtp.server;
	view.port = a->smtp.port;
	view.security = a->smtp.security;
	view.user = a->smtp.user;
	view.auth = a->smtp.auth;
	/* A pin is that of one server. */
	view.fingerprint = a->smtp.fingerprint != NULL ? a->smtp.fingerprint
			   : same                      ? a->fingerprint
						       : NULL;
	return view;
}

/* ---- the end ---- */

static void
tell_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct submission *s = w->data;

	s->conf.hooks->over(s->conf.arg, &s->result);
}

/* The end of a message has not left yet. */
static void
stop_marking(struct submission *s)
{
	if (s->marking == NULL)
		return;
	outbox_task_leave(s->marking);
	s->marking = NULL;
	if (s->item != NULL)
		outgoing_turn(&s->item->o, FATE_SENDING, FATE_WAITING);
}

/* A message that is under way: what the server may have is not sent again. */
static void
let_go(struct submission *s)
{
	struct outbox_item *item = s->item;

	stop_marking(s);
	s->item = NULL;
	s->smtp.o = NULL;
	if (item == NULL)
		return;
	outgoing_turn(&item->o, FATE_SENDING, FATE_PERHAPS);
	outgoing_say(&item->o.words, s->result.words);
	s->conf.hooks->done(s->conf.arg, item);
}

static void
end(struct submission *s)
{
	if (s->over)
		return;
	s->over = true;
	line_close(&s->line);
	let_go(s);
	ev_timer_start(s->conf.loop, &s->turn);
}

/* The first failure counts; its words have no secret. */
static void PRINTF(4, 5) fail(struct submission *s, enum outcome o,
    enum cause cause, const char *fmt, ...)
{
	va_list ap;

	if (s->over)
		return;
	s->result.outcome = o;
	s->result.cause = cause;
	va_start(ap, fmt);
	vsnprintf(s->result.words, sizeof(s->result.words), fmt, ap);
	va_end(ap);
	sign_on_mask(&s->sign_on, s->result.words);
	end(s);
}

static void
fail_memory(struct submission *s)
{
	fail(s, OUTCOME_INTERNAL, CAUSE_OTHER, "%s", _("out of memory"));
}

/* ---- speaking ---- */

/* One line, with its end. */
static void
trace_line(struct submission *s, const char *p, size_t n)
{
	char text[SMTP_LINE];

	if (s->smtp.phase == SMTP_AUTH)
		snprintf(text, sizeof(text), "%s",
		    n > 5 && memcmp(p, "AUTH ", 5) == 0 ? "AUTH ..." : "...");
	else
		str_quote(text, sizeof(text), p, n - 2);
	s->conf.hooks->trace(s->conf.arg, false, text);
}

/* Of what was put into `out` since it had `before` octets. */
static void
trace_sent(struct submission *s, size_t before)
{
	const char *p = buf_data(&s->line.out) + before, *lf;
	size_t n = s->line.out.len - before;

	if (s->conf.hooks->trace == NULL)
		return;
	for (; n != 0 && (lf = memchr(p, '\n', n)) != NULL; p = lf + 1) {
		size_t line = (size_t)(lf + 1 - p);

		trace_line(s, p, line);
		n -= line;
	}
}

static void
expect(struct submission *s)
{
	line_expect(
	    &s->line, s->account.timeout * (double)(s->smtp.phase == SMTP_BODY
							? PATIENCE_AT_END
							: PATIENCE));
}

static void take_event(struct submission *s, enum smtp_event ev);

static void
said(struct submission *s, size_t before, enum smtp_event ev)
{
	trace_sent(s, before);
	take_event(s, ev);
}

/* ---- one message ---- */

/* The disk says by now that the end of the message may have left. */
static void
on_marked(void *arg, enum err e, const char *words)
{
	struct submission *s = arg;
	char end_octets[POP3_WIRE_END];
	size_t n = pop3_wire_end(&s->wire, end_octets);

	s->marking = NULL;
	if (e == E_OK && buf_put(&s->line.out, end_octets, n) == E_OK) {
		smtp_sent(&s->smtp);
		line_flush(&s->line);
		expect(s);
		return;
	}
	outgoing_turn(&s->item->o, FATE_SENDING, FATE_WAITING);
	if (e != E_OK)
		fail(s, OUTCOME_DISK, CAUSE_SPACE, "%s", words);
	else
		fail_memory(s);
}

static void
put_end(struct submission *s)
{
	struct outgoing *o = &s->item->o;

	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].accepted)
			o->v[i].fate = FATE_SENDING;
	s->marking = outbox_thread_save(s->conf.thread, s->item, on_marked, s);
	if (s->marking == NULL) {
		outgoing_turn(o, FATE_SENDING, FATE_WAITING);
		fail_memory(s);
	}
}

/* False: that was all, or it has failed. */
static bool
put_piece(struct submission *s)
{
	char in[PIECE];
	ssize_t n = pread(s->item->fd, in, sizeof(in), s->at);
	struct pop3_wire_step step;
	char *room;

	if (n < 0) {
		fail(s, OUTCOME_DISK, CAUSE_OTHER,
		    _("the message cannot be read: %s"), strerror(errno));
		return false;
	}
	if (n == 0) {
		put_end(s);
		return false;
	}
	s->at += n;
	for (const char *p = in; p < in + n; p += step.used) {
		/* Each octet may become two. */
		if ((room = buf_room(&s->line.out, 2 * PIECE)) == NULL) {
			fail_memory(s);
			return false;
		}
		step = pop3_wire_encode(
		    &s->wire, p, (size_t)(in + n - p), room, 2 * PIECE);
		buf_added(&s->line.out, step.made);
	}
	return true;
}

/* Sends as much as the server takes for now. */
static void
pump(struct submission *s)
{
	while (!s->over && s->smtp.phase == SMTP_BODY && !s->smtp.ended &&
	       s->marking == NULL && s->line.out.len < OUT_FULL) {
		if (!put_piece(s))
			break;
		line_flush(&s->line);
		expect(s);
	}
	if (!s->over)
		line_flush(&s->line);
}

static void
begin_message(struct submission *s)
{
	size_t before = s->line.out.len;

	s->at = 0;
	pop3_wire_init(&s->wire, POP3_ALL_LINES);
	line_limit(&s->line, s->account.session_timeout);
	said(s, before, smtp_mail(&s->smtp, &s->line.out, &s->item->o));
}

/* The fates are as the server has said. */
static void
message_over(struct submission *s)
{
	struct outbox_item *item = s->item;

	line_expect(&s->line, 0);
	s->item = NULL;
	outgoing_turn(&item->o, FATE_SENDING, FATE_PERHAPS);
	outgoing_say(&item->o.words, NULL);
	s->conf.hooks->done(s->conf.arg, item);
}

void
submission_next(struct submission *s)
{
	size_t before = s->line.out.len;

	if (s->over)
		return;
	s->item = s->conf.hooks->next(s->conf.arg);
	if (s->item != NULL)
		begin_message(s);
	else
		said(s, before, smtp_quit(&s->smtp, &s->line.out));
}

/* ---- signing in ---- */

static void
sign_in(struct submission *s)
{
	const struct sasl_mechanism *m = sign_on_choose(
	    &s->sign_on, &s->smtp, s->line.secure ? &s->line.conn : NULL);
	size_t before = s->line.out.len;

	if (m != NULL) {
		snprintf(s->result.sign_in, sizeof(s->result.sign_in), "%s",
		    m->name);
		said(s, before,
		    sign_on_begin(&s->sign_on, m, &s->smtp, &s->line.out));
	} else if (s->smtp.auth[0] == '\0') {
		submission_next(s); /* a server of the house may ask nobody */
	} else if (s->no_secret[0] != '\0') {
		fail(s, OUTCOME_CONFIG, CAUSE_SECRET, "%s", s->no_secret);
	} else {
		fail(s, OUTCOME_DENIED, CAUSE_MECHANISM,
		    _("%s offers no sign-in that account %s can use; it "
		      "offers: %s"),
		    s->account.server, s->account.name, s->smtp.auth);
	}
}

static void
challenged(struct submission *s)
{
	size_t before = s->line.out.len;

	said(s, before, sign_on_answer(&s->sign_on, &s->smtp, &s->line.out));
}

static void
signed_in(struct submission *s)
{
	if (sign_on_is_proved(&s->sign_on)) {
		refused_forget(s->conf.state_dir, &s->account);
		submission_next(s);
	} else {
		fail(s, OUTCOME_DENIED, CAUSE_OTHER,
		    _("%s says yes, but has not proved that it knows the "
		      "password"),
		    s->account.server);
	}
}

/* Another token may do at once. */
static void
note_refusal(struct submission *s)
{
	char words[SUBMISSION_WORDS];

	if (s->mark_at == 0 || (s->result.refused_token && !s->conf.anew &&
				   s->conf.account->client != NULL))
		return;
	refused_note(s->conf.state_dir, &s->account, s->mark_at, s->mark,
	    s->result.words);
	if (s->conf.insist)
		return;
	s->result.denied = true;
	refused_say(words, sizeof(words), s->result.words, s->account.name);
	snprintf(s->result.words, sizeof(s->result.words), "%s", words);
}

static void
denied(struct submission *s)
{
	char advice[ADVICE];
	enum cause cause = advice_provider(&s->account);

	/* What switches POP on does not help. */
	if (cause == CAUSE_POP_OFF)
		cause = CAUSE_PASSWORD;
	advice_write_to_send(advice, cause, &s->account);
	s->result.refused_token = s->sign_on.credentials.token.p != NULL;
	fail(s, OUTCOME_DENIED, cause,
	    _("%s refuses the sign-in: it says \"%u%s%s %s\"%s%s"),
	    s->account.server, s->smtp.reply.code,
	    s->smtp.reply.status[0] != '\0' ? " " : "", s->smtp.reply.status,
	    s->smtp.reply.text, advice[0] != '\0' ? "; " : "", advice);
	note_refusal(s);
}

/* ---- what the server says ---- */

static void
fail_by_reply(struct submission *s, enum outcome o)
{
	char words[SMTP_WORDS];

	fail(s, o, o == OUTCOME_BUSY ? CAUSE_TOO_OFTEN : CAUSE_OTHER, "%s: %s",
	    s->account.server, smtp_words(words, &s->smtp));
}

static void
handshake(struct submission *s)
{
	const struct account *a = &s->account;
	struct tls_client_conf conf = {
		.ca_file = a->ca_file,
		.fingerprint = a->fingerprint,
		.certificate = a->client_certificate,
		.key = a->client_key,
	};
	struct errbuf eb;
	enum err e;

	/* What stands behind the answer to STARTTLS was not said by the server. */
	buf_consume(&s->line.in, s->line.in.len);
	line_expect(&s->line, a->timeout);
	e = line_start_tls(&s->line, &conf, a->server, &eb);
	if (e == E_NOMEM)
		fail_memory(s);
	else if (e != E_OK)
		fail(s, OUTCOME_CONFIG, CAUSE_SETTINGS, "%s", eb.text);
}

static void
take_event(struct submission *s, enum smtp_event ev)
{
	switch (ev) {
	case SMTP_MORE:
		expect(s);
		line_flush(&s->line);
		break;
	case SMTP_START_TLS: handshake(s); break;
	case SMTP_SIGN_IN: sign_in(s); break;
	case SMTP_CHALLENGE: challenged(s); break;
	case SMTP_SIGNED_IN: signed_in(s); break;
	case SMTP_DENIED: denied(s); break;
	case SMTP_SEND: break; /* once all that has come is read: on_came() */
	case SMTP_OVER: message_over(s); break;
	case SMTP_BYE: end(s); break;
	case SMTP_NOT_NOW: fail_by_reply(s, OUTCOME_BUSY); break;
	case SMTP_NEVER: fail_by_reply(s, OUTCOME_SERVER); break;
	case SMTP_NO_TLS:
		fail(s, OUTCOME_TLS, CAUSE_NO_STARTTLS,
		    _("%s offers no STARTTLS at port %u, and nothing is sent "
		      "without TLS; write smtp_port = 465"),
		    s->account.server, s->account.port);
		break;
	case SMTP_NO_SENSE:
		fail(s, OUTCOME_PROTOCOL, CAUSE_OTHER_PROTOCOL,
		    _("what %s says at port %u is not SMTP, or not what was "
		      "asked (%s): \"%s\""),
		    s->account.server, s->account.port,
		    smtp_phase_name(&s->smtp), s->smtp.reply.text);
		break;
	case SMTP_NOMEM: fail_memory(s); break;
	}
}

static void
trace_received(struct submission *s, struct slice line)
{
	char text[SMTP_LINE];

	if (s->conf.hooks->trace == NULL)
		return;
	str_quote(text, sizeof(text), line.p, line.n);
	sign_on_mask(&s->sign_on, text);
	s->conf.hooks->trace(s->conf.arg, true, text);
}

/* One line that is whole; false: there is none. */
static bool
take_line(struct submission *s)
{
	const char *p = buf_data(&s->line.in);
	size_t n = s->line.in.len;
	const char *lf = n != 0 ? memchr(p, '\n', n) : NULL;
	char line[SMTP_LINE];
	enum smtp_event ev;
	size_t before;

	if (lf == NULL && n < sizeof(line))
		return false;
	n = lf != NULL ? (size_t)(lf - p) : n;
	if (n >= sizeof(line)) {
		n = sizeof(line) - 1; /* it is no reply then */
		lf = NULL;
	}
	memcpy(line, p, n);
	buf_consume(&s->line.in, n + (lf != NULL));
	if (n != 0 && line[n - 1] == '\r')
		n--;
	trace_received(s, (struct slice){ line, n });
	before = s->line.out.len;
	ev = lf != NULL
		 ? smtp_take(&s->smtp, (struct slice){ line, n }, &s->line.out)
		 : SMTP_NO_SENSE;
	if (ev == SMTP_MORE)
		trace_sent(s, before);
	take_event(s, ev);
	return true;
}

/* ---- what happens to the line ---- */

static void
on_dialed(void *arg, enum err e, const char *words)
{
	struct submission *s = arg;

	if (e != E_OK)
		fail(s, e == E_NOENT ? OUTCOME_NO_HOST : OUTCOME_CONNECT,
		    s->account.proxy != NULL ? CAUSE_PROXY : cause_of_dial(e),
		    "%s", words);
	else if (s->account.security == SECURITY_TLS)
		handshake(s);
	else
		expect(s);
}

static void
on_secured(void *arg)
{
	struct submission *s = arg;
	size_t before = s->line.out.len;

	snprintf(s->result.tls, sizeof(s->result.tls), "%s %s",
	    conn_tls_version(&s->line.conn), conn_tls_cipher(&s->line.conn));
	said(s, before, smtp_secured(&s->smtp, &s->line.out));
}

static void
on_came(void *arg)
{
	struct submission *s = arg;

	while (!s->over && !s->line.handshaking && take_line(s))
		;
	/* What the server had said before the message is no answer to it. */
	if (!s->line.handshaking)
		pump(s);
}

static void
on_writable(void *arg)
{
	struct submission *s = arg;

	line_flush(&s->line);
	pump(s);
}

static bool
has_tls_failed(const struct submission *s, enum err e)
{
	return s->line.handshaking ||
	       (s->line.secure && e == E_IO && s->smtp.phase <= SMTP_EHLO);
}

static void
on_lost(void *arg, enum err e)
{
	struct submission *s = arg;
	struct tls_found found;
	struct errbuf eb;
	bool its_fault;

	if (e == E_NOMEM) {
		fail_memory(s);
	} else if (s->smtp.phase == SMTP_QUIT) {
		end(s); /* all that was asked for was answered */
	} else if (has_tls_failed(s, e)) {
		its_fault =
		    tls_client_why(&s->line.conn, s->account.server, &eb);
		tls_client_found(&s->line.conn, &found);
		fail(s, its_fault ? OUTCOME_TLS : OUTCOME_CONNECT,
		    cause_of_tls(found.fault), "%s", eb.text);
	} else {
		fail(s, OUTCOME_CONNECT, CAUSE_HUNG_UP,
		    _("%s closed the connection (%s)"), s->account.server,
		    smtp_phase_name(&s->smtp));
	}
}

static void
on_silent(void *arg, double seconds)
{
	struct submission *s = arg;

	if (s->smtp.phase == SMTP_QUIT)
		end(s);
	else
		fail(s, OUTCOME_CONNECT, CAUSE_NO_ANSWER,
		    _("no answer from %s within %.0f s (%s)"),
		    s->account.server, seconds, smtp_phase_name(&s->smtp));
}

static void
on_overdue(void *arg)
{
	struct submission *s = arg;

	fail(s, OUTCOME_CONNECT, CAUSE_NO_ANSWER,
	    _("the session took longer than %u s (session_timeout)"),
	    s->account.session_timeout);
}

static void
on_idle(void *arg)
{
}

static const struct line_hooks line_hooks = {
	.dialed = on_dialed,
	.secured = on_secured,
	.came = on_came,
	.writable = on_writable,
	.lost = on_lost,
	.silent = on_silent,
	.overdue = on_overdue,
	.idle = on_idle,
};

/* ---- the beginning ---- */

static void
dial(struct submission *s)
{
	struct dial_conf conf = {
		.host = s->account.server,
		.port = s->account.port,
		.proxy = s->account.proxy,
		.timeout = s->account.timeout,
	};
	struct errbuf eb;

	if (line_dial(&s->line, s->conf.dialer, &conf, &eb) != E_OK)
		fail(s, OUTCOME_CONFIG, CAUSE_SETTINGS, "%s", eb.text);
}

/* The server is not asked then, whatever is to be sent. */
static bool
was_refused(struct submission *s, const char *secret)
{
	char why[REFUSED_WORDS], words[SUBMISSION_WORDS];

	s->mark_at = time(NULL);
	s->mark = refused_mark(&s->account, secret, s->mark_at);
	if (s->conf.insist ||
	    !refused_before(s->conf.state_dir, &s->account, secret, why))
		return false;
	refused_say(words, sizeof(words), why, s->account.name);
	s->result.denied = true;
	fail(s, OUTCOME_DENIED, CAUSE_PASSWORD, "%s", words);
	return true;
}

static void
on_secret(void *arg, enum err e, const char *value, const char *words)
{
	struct submission *s = arg;

	s->secret = NULL;
	if (e == E_NOENT) {
		/* None is configured: perhaps the server asks for none. */
		snprintf(s->no_secret, sizeof(s->no_secret), "%s", words);
		dial(s);
		return;
	}
	if (e != E_OK) {
		fail(s, e == E_AGAIN ? OUTCOME_CONNECT : OUTCOME_CONFIG,
		    CAUSE_SECRET, "%s", words);
		return;
	}
	if (was_refused(s, value))
		return;
	if (sign_on_take_secret(&s->sign_on, value) == E_OK)
		dial(s);
	else
		fail_memory(s);
}

/* A certificate says who we are, or nobody asks, as a relay of the house. */
static bool
needs_no_secret(const struct account *a)
{
	unsigned flags = sasl_flags(a->auth);

	return (flags & SASL_NEEDS_CERTIFICATE) != 0 ||
	       strcmp(a->auth, "anonymous") == 0;
}

enum err
submission_start(struct submission **s_r, const struct submission_conf *conf,
    struct errbuf *eb)
{
	struct submission *s = calloc(1, sizeof(*s));
	struct secret_question q;

	if ((*s_r = s) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	s->conf = *conf;
	s->account = submission_account(conf->account);
	sign_on_init(&s->sign_on, &s->account);
	line_init(&s->line, conf->loop, &line_hooks, s);
	line_limit(&s->line, s->account.session_timeout);
	smtp_init(&s->smtp, s->account.security == SECURITY_STARTTLS);
	ev_timer_init(&s->turn, tell_over, 0, 0);
	s->turn.data = s;
	if (needs_no_secret(&s->account)) {
		dial(s);
		return E_OK;
	}
	q = (struct secret_question){
		.loop = conf->loop,
		.account = conf->account, /* the keyring knows it by that */
		.kind = account_uses_token(&s->account) ? SECRET_TOKEN
							: SECRET_PASSWORD,
		.terminal = conf->terminal,
		.timeout = s->account.timeout,
		.state_dir = conf->state_dir,
		.anew = conf->anew,
		.done = on_secret,
		.arg = s,
	};
	if (secret_ask(&s->secret, &q, eb) != E_OK)
		fail(s, OUTCOME_CONFIG, CAUSE_SECRET, "%s", eb->text);
	return E_OK;
}

void
submission_free(struct submission *s)
{
	if (s == NULL)
		return;
	ev_timer_stop(s->conf.loop, &s->turn);
	stop_marking(s);
	secret_cancel(s->secret);
	line_close(&s->line);
	sign_on_clear(&s->sign_on);
	free(s);
}

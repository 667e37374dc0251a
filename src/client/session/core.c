#include "client/session/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/notes.h"

enum {
	REMEMBER = 30 * 24 * 3600, /* seconds */
	REMEMBER_FIRST = 24 * 3600,
};

/* ---- the result ---- */

void
visit_fail(struct visit *v, enum outcome o, const char *fmt, ...)
{
	va_list ap;

	if (v->result.outcome != OUTCOME_OK)
		return;
	if (v->facts != NULL)
		notes_failed(v);
	v->result.outcome = o;
	va_start(ap, fmt);
	vsnprintf(v->result.words, sizeof(v->result.words), fmt, ap);
	va_end(ap);
	if (v->mask != NULL)
		v->mask(v, v->result.words);
}

void
visit_blame(struct visit *v, enum cause cause)
{
	if (v->result.cause == CAUSE_NONE)
		v->result.cause = cause;
}

const char *
visit_quote(struct slice text)
{
	static char out[256];

	return str_quote(out, sizeof(out), text.p, text.n);
}

enum pop3_code
visit_code(const struct pop3_event *ev)
{
	return ev->code == POP3_NO_CODE ? pop3_code_guess(ev->text) : ev->code;
}

static void
note_said(struct visit *v, const char *what, const char *said)
{
	struct visit_result *r = &v->result;

	snprintf(r->refused, sizeof(r->refused), "%s", what);
	snprintf(r->said, sizeof(r->said), "%s", said);
	if (v->mask != NULL)
		v->mask(v, r->said);
}

enum pop3_code
visit_refused(struct visit *v, const struct pop3_event *ev, const char *what)
{
	const char *said = visit_quote(ev->text);
	enum pop3_code code = visit_code(ev);
	enum outcome o = OUTCOME_SERVER;

	visit_blame(v, cause_of_refusal(ev->text, code));
	if (code == POP3_CODE_IN_USE || code == POP3_CODE_LOGIN_DELAY ||
	    code == POP3_CODE_SYS_TEMP)
		o = OUTCOME_BUSY;
	else if (code == POP3_CODE_AUTH)
		o = OUTCOME_DENIED;
	if (code == POP3_CODE_LOGIN_DELAY)
		v->result.retry = v->pop3.capa.login_delay_s;
	if (ev->text.n == 0)
		visit_fail(v, o, _("%s: the server does not say why"), what);
	else if (code == POP3_CODE_IN_USE)
		visit_fail(v, o,
		    _("the maildrop is in use by another program: \"%s\""),
		    said);
	else
		visit_fail(v, o, _("%s: the server says \"%s\""), what, said);
	note_said(v,
	    code == POP3_CODE_IN_USE
		? _("the maildrop is in use by another program")
		: what,
	    said);
	return code;
}

/* ---- the way ---- */

bool
visit_quits_in_vain(const struct visit *v)
{
	return v->step == STEP_QUIT && v->items.next_delete == 0;
}

/* Deleting many messages takes its time, and only that. */
static double
step_patience(const struct visit *v)
{
	return (double)v->conf.account->timeout *
	       (visit_quits_in_vain(v) ? 1 : v->steps[v->step].patience);
}

const char *
visit_step_name(const struct visit *v)
{
	return _(v->steps[v->step].name);
}

static void
call_enter(struct visit *v)
{
	v->entering = false;
	if (v->steps[v->step].enter != NULL)
		v->steps[v->step].enter(v);
}

/* With nothing outstanding, what is left of the input answers no command.  It
 * is looked at first, so that none that `enter` sends takes it for its
 * answer. */
void
visit_enter(struct visit *v, enum step step)
{
	const struct step_row *left = &v->steps[v->step];

	if (v->facts != NULL)
		step = notes_next(v, step);
	if (v->step != step && left->leave != NULL)
		left->leave(v, step);
	v->step = step;
	v->entering = true;
	if (v->looking && line_is_open(&v->line))
		return;
	call_enter(v);
	visit_flush(v);
}

void
visit_finish(struct visit *v)
{
	if (v->step == STEP_SAVE || v->step == STEP_OVER)
		return;
	line_close(&v->line);
	visit_enter(v, STEP_SAVE);
}

void
visit_end(struct visit *v, enum outcome o, const char *fmt, ...)
{
	char words[sizeof(v->result.words)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	visit_fail(v, o, "%s", words);
	visit_finish(v);
}

void
visit_memory(struct visit *v)
{
	visit_end(v, OUTCOME_INTERNAL, "%s", _("out of memory"));
}

void
visit_break(struct visit *v, enum outcome o, const char *fmt, ...)
{
	va_list ap;

	/* Who stops malote is in a hurry: no message is to blame then. */
	if (!v->stopping) {
		va_start(ap, fmt);
		vsnprintf(v->broken, sizeof(v->broken), fmt, ap);
		va_end(ap);
		visit_fail(v, o, "%s", v->broken);
	}
	visit_finish(v);
}

/* ---- a server that mixes up its answers ---- */

bool
visit_is_distrusted(const struct visit *v)
{
	return v->record->account.serial_until > time(NULL);
}

void
visit_distrust(struct visit *v)
{
	v->pipelining = false;
	v->record->account.serial_until = time(NULL) + REMEMBER;
}

void
visit_out_of_step(struct visit *v, const char *why)
{
	bool learns =
	    !visit_is_distrusted(v) && (v->was_pipelined || v->plan != NULL);
	char words[sizeof(v->broken)];

	if (visit_quits_in_vain(v)) {
		v->quit_ok = true;
		visit_finish(v);
		return;
	}
	if (why != NULL)
		snprintf(words, sizeof(words),
		    _("%s does not speak POP3 as it should (%s): %s"),
		    v->conf.account->server, visit_step_name(v), why);
	else
		snprintf(words, sizeof(words),
		    _("%s mixes up its answers; from now on it is asked one "
		      "thing at a time"),
		    v->conf.account->server);
	if (learns) {
		visit_distrust(v);
		v->result.again = v->result.learned = true;
		visit_end(v, OUTCOME_PROTOCOL, "%s", words);
	} else {
		/* One thing is asked at a time already: it is the message. */
		v->result.again = v->plan != NULL;
		visit_break(v, OUTCOME_PROTOCOL, "%s", words);
	}
}

/* ---- a server that does not answer ---- */

bool
visit_does_without(int64_t until)
{
	return until > time(NULL);
}

void
visit_lost_at(struct visit *v, int64_t *until, bool at_once)
{
	/* It was not asked for: nothing is learned of it, and nobody connects
	 * again and again for that. */
	if (v->pop3.n_pending == 0 || visit_does_without(*until))
		return;
	v->result.again = true;
	if (at_once || v->record->suspect == until) {
		*until = time(NULL) +
			 (at_once || *until != 0 ? REMEMBER : REMEMBER_FIRST);
		v->result.learned = true;
	}
	v->record->suspect = until;
}

/* ---- the dialogue ---- */

bool
visit_sent(struct visit *v, enum err e)
{
	if (e == E_OK)
		return true;
	if (e == E_FORMAT || e == E_FULL)
		visit_end(v, OUTCOME_CONFIG,
		    _("the name or password of account %s cannot be sent: too "
		      "long, or it has a line end"),
		    v->conf.account->name);
	else
		visit_memory(v);
	return false;
}

void
visit_flush(struct visit *v)
{
	if (!line_is_open(&v->line))
		return;
	line_flush(&v->line);
	if ((v->step == STEP_RETRIEVE || v->step == STEP_DELETE) &&
	    v->pop3.n_pending == 0 && v->line.out.len == 0)
		line_rest(&v->line);
	else
		line_expect(&v->line, step_patience(v));
}

/* Behind an answer to the sign-in some servers say that they cannot open the
 * maildrop after all, and go. */
static void
broken_take(struct visit *v, const struct pop3_event *ev)
{
	if (ev->text.n == 0 || v->plan != NULL || visit_quits_in_vain(v)) {
		if (!v->pop3.greeted)
			visit_blame(v, CAUSE_OTHER_PROTOCOL);
		visit_out_of_step(v, _(ev->why));
		return;
	}
	visit_refused(v, ev, _("the server ends the session"));
	visit_finish(v);
}

void
visit_look(struct visit *v)
{
	struct pop3_event ev;

	if (v->looking)
		return;
	v->looking = true;
	while (line_is_open(&v->line) && !v->line.handshaking) {
		pop3_client_run(&v->pop3, &v->line.in, &ev);
		if (ev.type == POP3_EV_BROKEN)
			broken_take(v, &ev);
		else if (ev.type != POP3_EV_MORE)
			v->steps[v->step].take(v, &ev);
		else if (v->entering)
			call_enter(v);
		else
			break;
	}
	v->looking = false;
	if (line_is_open(&v->line) && v->steps[v->step].writable != NULL)
		v->steps[v->step].writable(v);
	visit_flush(v);
}

enum err
visit_dial(struct visit *v, struct line *l, struct errbuf *eb)
{
	const struct account *a = v->conf.account;
	struct dial_conf conf = {
		.host = a->server,
		.port = a->port,
		.proxy = a->proxy,
		.timeout = a->timeout,
		.found = v->facts != NULL ? notes_found : NULL,
		.found_arg = v,
	};

	return line_dial(l, v->conf.dialer, &conf, eb);
}

void
visit_go_on(struct visit *v)
{
	if (v->step == STEP_SAVE)
		visit_enter(v, STEP_SAVE);
	else
		visit_look(v);
}

size_t
visit_find(const struct visit *v, uint32_t msgno)
{
	const struct plan *p = v->plan;
	size_t low = 0, high = p->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (p->v[middle].listed.msgno < msgno)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->n && p->v[low].listed.msgno == msgno ? low : SIZE_MAX;
}

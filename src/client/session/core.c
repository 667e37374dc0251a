#include "client/session/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"

enum { DISTRUST = 30 * 24 * 3600 }; /* seconds */

/* ---- the result ---- */

void
session_fail(struct session *s, enum outcome o, const char *fmt, ...)
{
	va_list ap;

	if (s->result.outcome != OUTCOME_OK)
		return;
	s->result.outcome = o;
	va_start(ap, fmt);
	vsnprintf(s->result.words, sizeof(s->result.words), fmt, ap);
	va_end(ap);
}

const char *
session_quote(struct slice text)
{
	static char out[256];

	return str_quote(out, sizeof(out), text.p, text.n);
}

void
session_refused(
    struct session *s, const struct pop3_event *ev, const char *what)
{
	const char *said = session_quote(ev->text);
	enum outcome o = OUTCOME_SERVER;

	if (ev->code == POP3_CODE_IN_USE || ev->code == POP3_CODE_LOGIN_DELAY ||
	    ev->code == POP3_CODE_SYS_TEMP)
		o = OUTCOME_BUSY;
	else if (ev->code == POP3_CODE_AUTH)
		o = OUTCOME_DENIED;
	if (ev->code == POP3_CODE_LOGIN_DELAY)
		s->result.retry = s->pop3.capa.login_delay_s;
	if (ev->code == POP3_CODE_IN_USE)
		session_fail(s, o,
		    _("the maildrop is in use by another program: \"%s\""),
		    said);
	else
		session_fail(s, o, _("%s: the server says \"%s\""), what, said);
}

/* ---- the way ---- */

const char *
session_step_name(const struct session *s)
{
	return _(s->steps[s->step].name);
}

static void
call_enter(struct session *s)
{
	s->entering = false;
	if (s->steps[s->step].enter != NULL)
		s->steps[s->step].enter(s);
}

/* With nothing outstanding, what is left of the input answers no command.  It is
 * looked at first, so that none that `enter` sends takes it for its answer. */
void
session_enter(struct session *s, enum step step)
{
	const struct step_row *left = &s->steps[s->step];

	if (s->step != step && left->leave != NULL)
		left->leave(s, step);
	s->step = step;
	s->entering = true;
	if (s->looking && line_is_open(&s->line))
		return;
	call_enter(s);
	session_flush(s);
}

void
session_finish(struct session *s)
{
	if (s->step == STEP_SAVE || s->step == STEP_OVER)
		return;
	line_close(&s->line);
	session_enter(s, STEP_SAVE);
}

void
session_end(struct session *s, enum outcome o, const char *fmt, ...)
{
	char words[sizeof(s->result.words)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	session_fail(s, o, "%s", words);
	session_finish(s);
}

void
session_memory(struct session *s)
{
	session_end(s, OUTCOME_INTERNAL, "%s", _("out of memory"));
}

void
session_break(struct session *s, enum outcome o, const char *fmt, ...)
{
	va_list ap;

	/* Who stops malote is in a hurry: no message is to blame then. */
	if (!s->stopping) {
		va_start(ap, fmt);
		vsnprintf(s->broken, sizeof(s->broken), fmt, ap);
		va_end(ap);
		session_fail(s, o, "%s", s->broken);
	}
	session_finish(s);
}

/* ---- a server that mixes up its answers ---- */

bool
session_is_distrusted(const struct session *s)
{
	return s->record->account.serial_until > time(NULL);
}

void
session_distrust(struct session *s)
{
	s->pipelining = false;
	s->record->account.serial_until = time(NULL) + DISTRUST;
}

void
session_out_of_step(struct session *s, const char *why)
{
	bool learns =
	    !session_is_distrusted(s) && (s->was_pipelined || s->plan != NULL);
	char words[sizeof(s->broken)];

	if (why != NULL)
		snprintf(words, sizeof(words),
		    _("%s does not speak POP3 as it should (%s): %s"),
		    s->conf.account->server, session_step_name(s), why);
	else
		snprintf(words, sizeof(words),
		    _("%s mixes up its answers; from now on it is asked one "
		      "thing at a time"),
		    s->conf.account->server);
	if (learns) {
		session_distrust(s);
		s->result.again = true;
		session_end(s, OUTCOME_PROTOCOL, "%s", words);
	} else {
		/* One thing is asked at a time already: it is the message. */
		session_break(s, OUTCOME_PROTOCOL, "%s", words);
	}
}

/* ---- the dialogue ---- */

bool
session_sent(struct session *s, enum err e)
{
	if (e == E_OK)
		return true;
	if (e == E_FORMAT || e == E_FULL)
		session_end(s, OUTCOME_CONFIG,
		    _("the name or password of account %s cannot be sent: too "
		      "long, or it has a line end"),
		    s->conf.account->name);
	else
		session_memory(s);
	return false;
}

void
session_flush(struct session *s)
{
	if (!line_is_open(&s->line))
		return;
	line_flush(&s->line);
	if (s->step == STEP_RETRIEVE && s->pop3.n_pending == 0 &&
	    s->line.out.len == 0)
		line_rest(&s->line);
	else
		line_expect(&s->line, (double)s->conf.account->timeout *
					  s->steps[s->step].patience);
}

void
session_look(struct session *s)
{
	struct pop3_event ev;

	if (s->looking)
		return;
	s->looking = true;
	while (line_is_open(&s->line) && !s->line.handshaking) {
		pop3_client_run(&s->pop3, &s->line.in, &ev);
		if (ev.type == POP3_EV_BROKEN)
			session_out_of_step(s, _(ev.why));
		else if (ev.type != POP3_EV_MORE)
			s->steps[s->step].take(s, &ev);
		else if (s->entering)
			call_enter(s);
		else
			break;
	}
	s->looking = false;
	if (line_is_open(&s->line) && s->steps[s->step].writable != NULL)
		s->steps[s->step].writable(s);
	session_flush(s);
}

void
session_go_on(struct session *s)
{
	if (s->step == STEP_SAVE)
		session_enter(s, STEP_SAVE);
	else
		session_look(s);
}

size_t
session_find(const struct session *s, uint32_t msgno)
{
	const struct plan *p = s->plan;
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

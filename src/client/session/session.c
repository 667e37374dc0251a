/* Life, steps, the result. */
#include "client/session/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client/session/session_impl.h"

enum { STOP_SECONDS = 3 }; /* for what is under way when a stop comes */

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

void
session_memory(struct session *s)
{
	session_fail(s, OUTCOME_INTERNAL, "%s", _("out of memory"));
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

/* With nothing outstanding, what is left of the input answers no command: it is
 * looked at before another command could take it for its answer. */
void
session_enter(struct session *s, const struct step *step)
{
	s->step = step;
	s->entering = s->looking && s->conn.fd >= 0;
	if (!s->entering && step->enter != NULL)
		step->enter(s);
	if (s->conn.fd >= 0 && !s->entering)
		session_flush(s);
}

void
session_finish(struct session *s)
{
	if (s->over || s->step == &step_save || s->step == &step_over)
		return;
	session_close(s);
	session_enter(s, &step_save);
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
session_break(struct session *s, enum outcome o, const char *fmt, ...)
{
	va_list ap;

	/* Who is stopped is in a hurry: that is nobody's fault. */
	if (!s->stopping) {
		va_start(ap, fmt);
		vsnprintf(s->broken, sizeof(s->broken), fmt, ap);
		va_end(ap);
		session_fail(s, o, "%s", s->broken);
		session_fence_lost(s);
	}
	session_finish(s);
}

static void
dial(struct session *s)
{
	const struct account *a = s->conf.account;
	struct dial_conf conf = {
		.host = a->server,
		.port = a->port,
		.proxy = a->proxy,
		.timeout = a->timeout,
	};
	struct errbuf eb;

	if (dial_start(&s->dial, s->conf.dialer, &conf, session_connected, s,
		&eb) != E_OK)
		session_end(s, OUTCOME_CONFIG, "%s", eb.text);
}

static void
greeting(struct session *s, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_ERR) {
		session_refused(s, ev, _("the server turns us away"));
		if (s->result.outcome == OUTCOME_SERVER)
			s->result.outcome = OUTCOME_BUSY;
		session_finish(s);
		return;
	}
	session_enter(s, &step_capa);
}

/* ---- the end ---- */

static void
quit(struct session *s)
{
	if (session_sent(s, pop3_client_send(&s->pop3, &s->out, POP3_CMD_QUIT)))
		session_flush(s);
}

static void
quit_answered(struct session *s, const struct pop3_event *ev)
{
	if (ev->cmd != POP3_CMD_QUIT)
		return;
	if (ev->type == POP3_EV_OK)
		s->quit_ok = true;
	else
		session_refused(s, ev, _("not all was deleted"));
	session_finish(s);
}

static void
over(struct session *s)
{
	s->over = true;
	s->conf.hooks->over(s->conf.arg);
}

const struct step step_dial = { "connect", 0, dial, NULL, NULL },
		  step_handshake = { "TLS", 1, NULL, NULL, NULL },
		  step_greeting = { N_("greeting"), 1, NULL, greeting, NULL },
		  step_quit = { "QUIT", 5, quit, quit_answered, NULL },
		  step_over = { "over", 0, over, NULL, NULL };

/* ---- life ---- */

static void
trace(void *arg, bool received, struct slice line)
{
	struct session *s = arg;
	char text[1024];

	s->conf.hooks->trace(s->conf.arg, received,
	    str_quote(text, sizeof(text), line.p, line.n));
}

enum err
session_new(struct session **s_r, const struct session_conf *conf,
    struct record *record, struct errbuf *eb)
{
	struct session *s = calloc(1, sizeof(*s));

	*s_r = s;
	if (s == NULL || (s->identity = identity_reader_new()) == NULL) {
		free(s);
		*s_r = NULL;
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	s->conf = *conf;
	s->record = record;
	strcpy(s->result.tls, "none");
	session_io_init(s);
	pop3_client_init(&s->pop3);
	if (conf->hooks->trace != NULL) {
		s->pop3.trace = trace;
		s->pop3.trace_arg = s;
	}
	return E_OK;
}

void
session_start(struct session *s)
{
	session_enter(s, &step_secret);
}

void
session_stop(struct session *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	session_fail(s, OUTCOME_STOPPED, "%s", _("stopped"));
	delivery_stop(s->conf.delivery);
	if (s->step != &step_retrieve && s->step != &step_quit) {
		session_finish(s);
		return;
	}
	/* What has been asked for still comes, unless that takes long. */
	ev_timer_stop(s->conf.loop, &s->limit);
	ev_timer_set(&s->limit, STOP_SECONDS, 0);
	ev_timer_start(s->conf.loop, &s->limit);
	if (s->step->writable != NULL)
		s->step->writable(s);
	session_flush(s);
}

const struct session_result *
session_result(const struct session *s)
{
	return &s->result;
}

bool
session_result_stands(const struct session_result *r)
{
	return r->outcome != OUTCOME_OK &&
	       (r->outcome != OUTCOME_SOME || r->tally.failed != 0);
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	session_close(s);
	pop3_client_clear(&s->pop3);
	plan_free(s->plan);
	session_items_free(s);
	free(s->listed);
	identity_reader_free(s->identity);
	free(s);
}

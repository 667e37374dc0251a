#include "client/command/sending.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/command/failure.h"
#include "client/oauth/renew.h"
#include "client/secret/secret.h"
#include "client/send/mailer.h"
#include "net/dial.h"

enum { PIECE = 64 * 1024, LINE = 2048 };

int
sending_exit_code(enum err e)
{
	switch (e) {
	case E_OK: return EX_OK;
	case E_CONFIG: return EX_CONFIG;
	case E_FORMAT: return EX_DATAERR;
	case E_NOENT: return EX_USAGE;
	case E_DENIED: return EX_NOPERM;
	case E_NOMEM: return EX_OSERR;
	case E_FULL:
	case E_BUSY: return EX_TEMPFAIL;
	default: return EX_IOERR;
	}
}

/* ---- the message ---- */

size_t
sending_bound(const struct client_conf *conf)
{
	uint64_t most = 0;

	for (size_t i = 0; i < conf->n; i++)
		if (conf->v[i].outbox_size > most)
			most = conf->v[i].outbox_size;
	return most < SIZE_MAX / 8 ? (size_t)most : SIZE_MAX / 8;
}

enum err
sending_read(struct buf *text, int fd, size_t max, struct errbuf *eb)
{
	ssize_t n = 1;
	char *room;

	buf_init(text, max + PIECE, false);
	while (n != 0) {
		if (text->len > max || (room = buf_room(text, PIECE)) == NULL)
			return err_set(eb, E_FULL,
			    _("the message is larger than the outbox may be "
			      "(outbox_size)"));
		n = read(fd, room, PIECE);
		if (n < 0 && errno != EINTR)
			return err_sys(
			    eb, E_IO, _("the message cannot be read"));
		if (n > 0)
			buf_added(text, (size_t)n);
	}
	return E_OK;
}

/* ---- words ---- */

static void PRINTF(2, 3) say(const struct sending *s, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	say_error(line);
	if (s->logs)
		syslog(LOG_WARNING, "%s", line);
}

/* "k3f9qab "Lunch"", as the person knows it. */
static const char *
title_of(char out[256], const struct outgoing *o)
{
	if (o->subject != NULL)
		snprintf(out, 256, "%s \"%s\"", o->id, o->subject);
	else
		snprintf(out, 256, "%s", o->id);
	return out;
}

static void
tell_refused(struct sending *s, const struct outgoing *o)
{
	char title[256];

	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].fate == FATE_REFUSED)
			say(s, _("%s: refused for %s: %s"), title_of(title, o),
			    o->v[i].address,
			    o->v[i].words != NULL ? o->v[i].words : "");
}

static void
tell_perhaps(struct sending *s, const struct outgoing *o)
{
	char title[256];

	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].fate == FATE_PERHAPS)
			say(s,
			    _("%s: perhaps sent to %s: the server had all of "
			      "it, but has not said yes; it is not sent again "
			      "by itself; has it arrived? Then: malote outbox "
			      "drop %s; if not: malote outbox retry %s"),
			    title_of(title, o), o->v[i].address, o->id, o->id);
}

static void
tell_waiting(struct sending *s, const struct outgoing *o)
{
	char title[256], when[CLOCK_DATE];
	const char *words = o->words;

	for (size_t i = 0; i < o->n && words == NULL; i++)
		if (o->v[i].fate == FATE_WAITING)
			words = o->v[i].words;
	if (o->denied)
		say(s, _("%s waits in the outbox: %s"), title_of(title, o),
		    words != NULL ? words : "-");
	else
		say(s,
		    _("%s waits in the outbox: %s; it is tried again from %s "
		      "on"),
		    title_of(title, o), words != NULL ? words : "-",
		    clock_date(when, o->next_at));
}

static void
tell_sent(const struct outgoing *o)
{
	char title[256];

	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].fate == FATE_SENT && o->v[i].tried)
			printf(_("%s: sent to %s\n"), title_of(title, o),
			    o->v[i].address);
	fflush(stdout);
}

void
sending_tell(struct sending *s, const struct outgoing *o)
{
	bool refused = outgoing_count(o, FATE_REFUSED) != 0;
	bool perhaps = outgoing_count(o, FATE_PERHAPS) != 0;

	if (s->tells)
		tell_sent(o);
	if (refused)
		tell_refused(s, o);
	if (perhaps)
		tell_perhaps(s, o);
	if (outgoing_count(o, FATE_WAITING) != 0)
		tell_waiting(s, o);
	else if (o->words != NULL && !refused && !perhaps)
		say(s, "%s: %s", o->id, o->words);
	if (refused)
		s->code = EX_CANTCREAT;
	else if (perhaps && (s->code == EX_OK || s->code == EX_TEMPFAIL))
		s->code = EX_PROTOCOL;
	else if (s->retries && outgoing_is_open(o) && s->code == EX_OK)
		s->code = EX_TEMPFAIL;
}

/* ---- a run ---- */

static void
on_message(void *arg, const struct outgoing *o)
{
	sending_tell(arg, o);
}

static void
on_over(void *arg)
{
	ev_break(ev_default_loop(0), EVBREAK_ALL);
}

static void
on_trace(void *arg, bool received, const char *line)
{
	fprintf(stderr, "%s %s\n", received ? "<" : ">", line);
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	ev_signal_stop(loop, w);
	secret_restore_terminal();
	oauth_renew_finish();
	_exit(128 + w->signum); /* the outbox bears it */
}

static void
run_mailer(struct sending *s, const struct mailer_conf *conf,
    struct outbox *outbox, struct outbox_item *item)
{
	ev_signal interrupt, terminate;
	struct mailer *m;
	struct errbuf eb;
	enum err e;

	if ((e = mailer_start(&m, conf, outbox, item, &eb)) != E_OK) {
		say_error(eb.text);
		s->code = sending_exit_code(e);
		return;
	}
	ev_signal_init(&interrupt, on_signal, SIGINT);
	ev_signal_init(&terminate, on_signal, SIGTERM);
	ev_signal_start(conf->loop, &interrupt);
	ev_signal_start(conf->loop, &terminate);
	ev_run(conf->loop, 0);
	ev_signal_stop(conf->loop, &interrupt);
	ev_signal_stop(conf->loop, &terminate);
	mailer_free(m);
}

void
sending_run(struct sending *s, struct outbox *outbox, struct outbox_item *item)
{
	static const struct mailer_hooks quiet = { on_message, on_over, NULL };
	static const struct mailer_hooks loud = { on_message, on_over,
		on_trace };
	struct mailer_conf conf = {
		.loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV),
		.conf = s->conf,
		.state_dir = s->o->state,
		.terminal = s->terminal,
		.insist = s->terminal || s->insist,
		.hooks = option_is_given(s->o, OPT_VERBOSE) ? &loud : &quiet,
		.arg = s,
	};
	struct errbuf eb;

	if (conf.loop != NULL &&
	    dialer_new(&conf.dialer, conf.loop, &eb) == E_OK) {
		run_mailer(s, &conf, outbox, item);
		dialer_free(conf.dialer);
	} else {
		say_error(_("out of memory"));
		s->code = EX_OSERR;
	}
	outbox_release(item);
	outbox_close(outbox);
}

int
sending_end(const struct sending *s)
{
	return option_is_given(s->o, OPT_JSON)
		   ? failed(s->o, s->code, json_array())
		   : s->code;
}

int
sending_flush(const struct options *o, const struct client_conf *conf,
    bool terminal, int code)
{
	struct sending s = {
		.o = o,
		.conf = conf,
		.terminal = terminal,
		.insist = option_is_given(o, OPT_ACCEPT),
	};
	struct outbox_item nothing = OUTBOX_NOTHING;
	struct outbox b;

	if (outbox_open(&b, o->state, false, NULL) == E_OK &&
	    mailer_is_needed(&b))
		sending_run(&s, &b, &nothing);
	outbox_close(&b);
	return code == EX_OK ? s.code : code;
}

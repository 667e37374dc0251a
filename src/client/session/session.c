/* The steps, what happens to the line, life. */
#include "client/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client/session/batch.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/save.h"
#include "client/session/steps.h"

enum {
	STOP_SECONDS = 3,          /* for what is under way when a stop comes */
	REMEMBER = 30 * 24 * 3600, /* seconds: that a server cannot bear CAPA */
	ALONE = 24 * 3600,         /* seconds: one thing at a time is asked */
};

/* ---- the first steps, and the last ---- */

static void
dial_enter(struct session *s)
{
	const struct account *a = s->conf.account;
	struct dial_conf conf = {
		.host = a->server,
		.port = a->port,
		.proxy = a->proxy,
		.timeout = a->timeout,
	};
	struct errbuf eb;

	if (line_dial(&s->line, s->conf.dialer, &conf, &eb) != E_OK)
		session_end(s, OUTCOME_CONFIG, "%s", eb.text);
}

static void
handshake_enter(struct session *s)
{
	const struct account *a = s->conf.account;
	struct tls_client_conf conf = {
		.ca_file = a->ca_file,
		.fingerprint = a->fingerprint,
		.certificate = a->client_certificate,
		.key = a->client_key,
	};
	struct errbuf eb;
	enum err e = line_start_tls(&s->line, &conf, a->server, &eb);

	if (e != E_OK)
		session_end(s, e == E_NOMEM ? OUTCOME_INTERNAL : OUTCOME_CONFIG,
		    "%s", eb.text);
}

static void
greeting_take(struct session *s, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_ERR) {
		session_refused(s, ev, _("the server turns us away"));
		if (s->result.outcome == OUTCOME_SERVER)
			s->result.outcome = OUTCOME_BUSY;
		session_finish(s);
		return;
	}
	session_enter(s, STEP_CAPA);
}

static void
quit_enter(struct session *s)
{
	session_sent(
	    s, pop3_client_send(&s->pop3, &s->line.out, POP3_CMD_QUIT));
}

static void
quit_take(struct session *s, const struct pop3_event *ev)
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
over_enter(struct session *s)
{
	s->conf.hooks->over(s->conf.arg);
}

/* ---- the way ---- */

/* Opening a large maildrop takes its time, and so does making its lists, and
 * deleting at the end. */
static const struct step_row steps[STEPS] = {
	[STEP_SECRET] = { "secret", 0, secret_enter, .leave = sign_in_leave },
	[STEP_DIAL] = { "connect", 0, dial_enter, .leave = sign_in_leave },
	[STEP_HANDSHAKE] = { "TLS", 1, handshake_enter,
	    .leave = sign_in_leave },
	[STEP_GREETING] = { N_("greeting"), 1, NULL, greeting_take,
	    .leave = sign_in_leave },
	[STEP_CAPA] = { "CAPA", 1, capa_enter, capa_take,
	    .leave = sign_in_leave },
	[STEP_STLS] = { "STLS", 1, stls_enter, stls_take,
	    .leave = sign_in_leave },
	[STEP_SIGN_IN] = { N_("sign-in"), 5, sign_in_enter, sign_in_take,
	    .leave = sign_in_leave },
	[STEP_RECAPA] = { "CAPA", 1, recapa_enter, recapa_take },
	[STEP_LISTING] = { "LIST", 5, listing_enter, listing_take,
	    .leave = listing_leave },
	[STEP_HEADERS] = { "TOP", 1, headers_enter, headers_take,
	    headers_writable, fence_leave },
	[STEP_RETRIEVE] = { "RETR", 1, retrieve_enter, retrieve_take,
	    retrieve_writable, retrieve_leave },
	[STEP_QUIT] = { "QUIT", 5, quit_enter, quit_take,
	    .leave = fence_leave },
	[STEP_SAVE] = { "save", 0, save_enter },
	[STEP_OVER] = { "over", 0, over_enter },
};

/* ---- what happens to the line ---- */

static void
dialed(void *arg, enum err e, const char *words)
{
	struct session *s = arg;

	if (e != E_OK)
		session_end(s, e == E_NOENT ? OUTCOME_NO_HOST : OUTCOME_CONNECT,
		    "%s", words);
	else if (s->conf.account->security == SECURITY_TLS)
		session_enter(s, STEP_HANDSHAKE);
	else
		session_enter(s, STEP_GREETING);
}

static void
secured(void *arg)
{
	struct session *s = arg;

	snprintf(s->result.tls, sizeof(s->result.tls), "%s %s",
	    conn_tls_version(&s->line.conn), conn_tls_cipher(&s->line.conn));
	if (s->conf.account->security == SECURITY_TLS) {
		session_enter(s, STEP_GREETING);
	} else {
		pop3_client_tls(&s->pop3);
		session_enter(s, STEP_CAPA);
	}
	session_look(s);
}

static void
came(void *arg)
{
	session_look(arg);
}

static void
writable(void *arg)
{
	session_flush(arg);
}

/* Another connection tries without CAPA, which some ancient servers cannot bear.
 * Where one has served us before, that was not the reason. */
static void
lost_at_capa(struct session *s)
{
	struct state_account *a = &s->record->account;

	if (a->collected_at == 0 || a->no_capa_until != 0)
		a->no_capa_until = (int64_t)ev_now(s->conf.loop) + REMEMBER;
	s->result.again = true;
}

/* A server that wants a certificate of ours says so only behind the handshake. */
static bool
tls_has_failed(const struct session *s, enum err e)
{
	return s->step == STEP_HANDSHAKE ||
	       (s->line.secure && e == E_IO && s->step < STEP_SIGN_IN);
}

static void
lost(void *arg, enum err e)
{
	struct session *s = arg;
	struct errbuf eb;

	if (e == E_NOMEM) {
		session_memory(s);
		return;
	}
	/* Nothing depends on the answer to QUIT then, and not all give it. */
	if (s->step == STEP_QUIT && s->items.n_delete == 0) {
		s->quit_ok = true;
		session_finish(s);
		return;
	}
	s->result.again = s->plan != NULL || s->pop3.n_pending > 1;
	if (s->step == STEP_CAPA)
		lost_at_capa(s);
	if (tls_has_failed(s, e)) {
		tls_client_why(&s->line.conn, s->conf.account->server, &eb);
		session_break(s, OUTCOME_TLS, "%s", eb.text);
	} else {
		session_break(s, OUTCOME_CONNECT,
		    _("%s closed the connection (%s)"), s->conf.account->server,
		    session_step_name(s));
	}
}

static void
silent(void *arg, double seconds)
{
	struct session *s = arg;

	if (s->was_pipelined && s->pop3.n_pending > 1) {
		s->record->account.serial_until =
		    (int64_t)ev_now(s->conf.loop) + ALONE;
		s->result.again = true;
	}
	session_break(s, OUTCOME_CONNECT,
	    _("no answer from %s within %.0f s (%s)"), s->conf.account->server,
	    seconds, session_step_name(s));
}

static void
overdue(void *arg)
{
	struct session *s = arg;

	session_break(s, OUTCOME_CONNECT,
	    _("the session took longer than %u s (session_timeout)"),
	    s->conf.account->session_timeout);
}

/* The disk takes long: the server should not think that we have gone. */
static void
idle(void *arg)
{
	struct session *s = arg;

	if (s->pop3.n_pending == 0 &&
	    session_sent(
		s, pop3_client_send(&s->pop3, &s->line.out, POP3_CMD_NOOP)))
		session_flush(s);
}

static const struct line_hooks line_hooks = {
	.dialed = dialed,
	.secured = secured,
	.came = came,
	.writable = writable,
	.lost = lost,
	.silent = silent,
	.overdue = overdue,
	.idle = idle,
};

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
	s->steps = steps;
	strcpy(s->result.tls, "none");
	line_init(&s->line, conf->loop, &line_hooks, s);
	line_limit(&s->line, conf->account->session_timeout);
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
	session_enter(s, STEP_SECRET);
}

void
session_stop(struct session *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	session_fail(s, OUTCOME_STOPPED, "%s", _("stopped"));
	delivery_stop(s->conf.delivery);
	if (s->step != STEP_RETRIEVE && s->step != STEP_QUIT) {
		session_finish(s);
		return;
	}
	/* What has been asked for still comes, unless that takes long. */
	line_limit(&s->line, STOP_SECONDS);
	if (s->steps[s->step].writable != NULL)
		s->steps[s->step].writable(s);
	session_flush(s);
}

const struct session_result *
session_result(const struct session *s)
{
	return &s->result;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	line_close(&s->line);
	pop3_client_clear(&s->pop3);
	plan_free(s->plan);
	items_clear(&s->items);
	session_fences_free(s);
	session_batch_free(s);
	destination_free(s);
	session_saving_free(s);
	identity_reader_free(s->identity);
	free(s);
}

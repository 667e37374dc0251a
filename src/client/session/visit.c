/* The steps, what happens to the line, life. */
#include "client/session/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client/session/arrivals.h"
#include "client/session/attempt.h"
#include "client/session/batch.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/kerberos.h"
#include "client/session/language.h"
#include "client/session/notes.h"
#include "client/session/probe.h"
#include "client/session/save.h"
#include "client/session/sorting.h"
#include "client/session/steps.h"
#include "client/session/stubs.h"

enum {
	STOP_SECONDS = 3,          /* for what is under way when a stop comes */
	REMEMBER = 30 * 24 * 3600, /* seconds: it is asked one by one */
	ALONE = 24 * 3600,         /* seconds: one thing at a time is asked */
	BURST_MAX = 10,            /* answers: then its length may matter */
};

/* ---- the first steps, and the last ---- */

static void
dial_enter(struct visit *v)
{
	struct errbuf eb;

	destination_foresee(v);
	if (visit_dial(v, &v->line, &eb) != E_OK)
		visit_end(v, OUTCOME_CONFIG, "%s", eb.text);
}

static void
handshake_enter(struct visit *v)
{
	const struct account *a = v->conf.account;
	struct tls_client_conf conf = {
		.ca_file = a->ca_file,
		.fingerprint = a->fingerprint,
		.certificate = a->client_certificate,
		.key = a->client_key,
	};
	struct errbuf eb;
	enum err e = line_start_tls(&v->line, &conf, a->server, &eb);

	if (e != E_OK)
		visit_end(v, e == E_NOMEM ? OUTCOME_INTERNAL : OUTCOME_CONFIG,
		    "%s", eb.text);
}

static void
greeting_take(struct visit *v, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_ERR) {
		if (visit_refused(v, ev, _("the server does not let us in")) !=
			POP3_CODE_SYS_PERM &&
		    v->result.outcome == OUTCOME_SERVER)
			v->result.outcome = OUTCOME_BUSY;
		v->result.turned_away = v->result.outcome == OUTCOME_BUSY;
		visit_finish(v);
		return;
	}
	visit_enter(v, STEP_CAPA);
}

/* The answers to what was sent ahead of it come first. */
static void
signing_in_take(struct visit *v, const struct pop3_event *ev)
{
	if (!language_answered(v, ev))
		sign_in_take(v, ev);
}

static void
greeting_leave(struct visit *v, enum step next)
{
	probe_stop(v);
	sign_in_leave(v, next);
}

static void
quit_enter(struct visit *v)
{
	if (!v->quit_ahead)
		visit_sent(
		    v, pop3_client_send(&v->pop3, &v->line.out, POP3_CMD_QUIT));
}

static void
quit_take(struct visit *v, const struct pop3_event *ev)
{
	if (ev->cmd != POP3_CMD_QUIT)
		return;
	if (ev->type == POP3_EV_OK || visit_quits_in_vain(v))
		v->quit_ok = true;
	else
		visit_refused(v, ev, _("not all was deleted"));
	visit_finish(v);
}

static void
over_enter(struct visit *v)
{
	v->conf.hooks->over(v->conf.arg);
}

/* ---- the way ---- */

/* Opening a large maildrop takes its time, and so does making its lists, and
 * deleting at the end. */
static const struct step_row steps[STEPS] = {
	[STEP_SECRET] = { "secret", 0, secret_enter, NULL, NULL,
	    sign_in_leave },
	[STEP_DIAL] = { "connect", 0, dial_enter, NULL, NULL, sign_in_leave },
	[STEP_KPOP] = { "KPOP", 1, kpop_enter, NULL, NULL, sign_in_leave },
	[STEP_HANDSHAKE] = { "TLS", 1, handshake_enter, NULL, NULL,
	    sign_in_leave },
	[STEP_GREETING] = { N_("greeting"), 1, probe_begin, greeting_take, NULL,
	    greeting_leave },
	[STEP_CAPA] = { "CAPA", 1, capa_enter, capa_take, NULL, capa_leave },
	[STEP_STLS] = { "STLS", 1, stls_enter, stls_take, NULL, sign_in_leave },
	[STEP_LANGUAGE] = { "LANG", 1, language_enter, language_take, NULL,
	    language_leave },
	[STEP_SIGN_IN] = { N_("sign-in"), 5, sign_in_enter, signing_in_take,
	    NULL, sign_in_leave },
	[STEP_RECAPA] = { "CAPA", 1, recapa_enter, recapa_take, NULL,
	    recapa_leave },
	[STEP_LISTING] = { "LIST", 5, listing_enter, listing_take, NULL,
	    listing_leave },
	[STEP_HEADERS] = { "TOP", 1, headers_enter, headers_take,
	    headers_writable, headers_leave },
	[STEP_ENVELOPE] = { "*ENV", 1, envelope_enter, envelope_take,
	    envelope_writable, fence_leave },
	[STEP_SHOW] = { "TOP", 1, headers_enter, headers_take, headers_writable,
	    fence_leave },
	[STEP_RETRIEVE] = { "RETR", 1, retrieve_enter, retrieve_take,
	    retrieve_writable, retrieve_leave },
	[STEP_VERIFY] = { "TOP", 1, verify_enter, verify_take, headers_writable,
	    headers_leave },
	[STEP_DELETE] = { "DELE", 1, delete_enter, delete_take, delete_writable,
	    NULL },
	[STEP_QUIT] = { "QUIT", 5, quit_enter, quit_take, NULL, fence_leave },
	[STEP_SAVE] = { "save", 0, save_enter, NULL, NULL, NULL },
	[STEP_OVER] = { "over", 0, over_enter, NULL, NULL, NULL },
};

/* ---- what happens to the line ---- */

static void
visit_dialed(void *arg, enum err e, const char *words)
{
	struct visit *v = arg;

	if (e != E_OK) {
		visit_blame(v, v->conf.account->proxy != NULL
				   ? CAUSE_PROXY
				   : cause_of_dial(e));
		visit_end(v, e == E_NOENT ? OUTCOME_NO_HOST : OUTCOME_CONNECT,
		    "%s", words);
		return;
	}
	if (v->facts != NULL)
		notes_connected(v, words);
	if (v->conf.account->security == SECURITY_TLS)
		visit_enter(v, STEP_HANDSHAKE);
	else if (v->conf.account->security == SECURITY_KPOP)
		visit_enter(v, STEP_KPOP);
	else
		visit_enter(v, STEP_GREETING);
}

static void
visit_secured(void *arg)
{
	struct visit *v = arg;

	if (v->facts != NULL)
		notes_shook_hands(v);
	snprintf(v->result.tls, sizeof(v->result.tls), "%s %s",
	    conn_tls_version(&v->line.conn), conn_tls_cipher(&v->line.conn));
	if (v->conf.account->security == SECURITY_TLS) {
		visit_enter(v, STEP_GREETING);
	} else {
		pop3_client_tls(&v->pop3);
		visit_enter(v, STEP_CAPA);
	}
	visit_look(v);
}

static void
visit_came(void *arg)
{
	struct visit *v = arg;

	if (v->step == STEP_KPOP)
		kpop_came(v);
	else
		visit_look(v);
}

static void
visit_writable(void *arg)
{
	visit_flush(arg);
}

/* Some servers drop what has come in one piece with USER, and await it. */
static bool
lost_behind_user(const struct visit *v)
{
	return v->step == STEP_SIGN_IN && v->was_pipelined;
}

/* Others bear it no better behind the sign-in. */
static bool
lost_ahead(const struct visit *v)
{
	return v->step == STEP_LISTING && v->pipelining;
}

/* It may only have been slow, so that this is remembered for a short time, and
 * for a long one if it comes again. */
static void
ask_alone(struct visit *v)
{
	struct state_account *a = &v->record->account;

	a->serial_until = (int64_t)ev_now(v->conf.loop) +
			  (a->serial_until != 0 ? REMEMBER : ALONE);
	v->result.again = v->result.learned = true;
}

/* A server that wants a certificate of ours says so only behind the
 * handshake. */
static bool
tls_has_failed(const struct visit *v, enum err e)
{
	return v->step == STEP_HANDSHAKE ||
	       (v->line.secure && e == E_IO && v->step < STEP_SIGN_IN);
}

/* A second session of the run was lost early, with several commands under way. */
static bool
lost_burst(struct visit *v)
{
	bool burst = v->plan != NULL && v->pop3.n_pending > 1 &&
		     v->budget.answered < BURST_MAX;
	bool again = burst && v->record->lost_burst;

	v->record->lost_burst = burst;
	return again;
}

/* It has ended before what it deleted was sure: maybe it was too long. */
static void
note_cut(struct visit *v)
{
	if (!v->stopping && v->step >= STEP_HEADERS && v->step <= STEP_QUIT)
		budget_cut(v);
}

static void
blame_tls(struct visit *v)
{
	struct tls_found found;

	tls_client_found(&v->line.conn, &found);
	visit_blame(v, cause_of_tls(found.fault));
	if (v->facts != NULL)
		notes_shook_hands(v);
}

static void
visit_lost(void *arg, enum err e)
{
	struct visit *v = arg;
	struct errbuf eb;

	if (e == E_NOMEM) {
		visit_memory(v);
		return;
	}
	if (visit_quits_in_vain(v)) {
		v->quit_ok = true;
		visit_finish(v);
		return;
	}
	if (v->quit_ahead && fence_may_be_behind(v)) {
		visit_out_of_step(v, NULL);
		return;
	}
	v->result.turned_away = !v->pop3.greeted;
	v->result.again = v->plan != NULL || v->pop3.n_pending > 1;
	if (lost_behind_user(v) || lost_burst(v))
		ask_alone(v);
	else if (lost_ahead(v))
		visit_lost_at(v, &v->record->account.serial_until, false);
	else
		note_cut(v);
	if (v->step == STEP_GREETING && !v->pop3.greeted && e == E_CLOSED) {
		/* Many do so with connections beyond the number that they bear
		 * from one address. */
		visit_blame(v, CAUSE_HUNG_UP);
		visit_break(v, OUTCOME_BUSY,
		    _("%s closed the connection without a word: it may have "
		      "too many of them"),
		    v->conf.account->server);
	} else if (tls_has_failed(v, e)) {
		bool its_fault =
		    tls_client_why(&v->line.conn, v->conf.account->server, &eb);

		blame_tls(v);
		visit_break(v, its_fault ? OUTCOME_TLS : OUTCOME_CONNECT, "%s",
		    eb.text);
	} else {
		visit_blame(v, CAUSE_HUNG_UP);
		visit_break(v, OUTCOME_CONNECT,
		    _("%s closed the connection (%s)"), v->conf.account->server,
		    visit_step_name(v));
	}
}

static void
visit_silent(void *arg, double seconds)
{
	struct visit *v = arg;

	if (visit_quits_in_vain(v)) {
		v->quit_ok = true;
		visit_finish(v);
		return;
	}
	if (lost_behind_user(v) || lost_ahead(v) ||
	    (v->was_pipelined && v->pop3.n_pending > 1)) {
		ask_alone(v);
	} else {
		note_cut(v);
		v->result.again |= v->result.cut && !v->budget.limited;
	}
	visit_blame(v, CAUSE_NO_ANSWER);
	visit_break(v, OUTCOME_CONNECT,
	    _("no answer from %s within %.0f s (%s)"), v->conf.account->server,
	    seconds, visit_step_name(v));
}

static void
visit_overdue(void *arg)
{
	struct visit *v = arg;

	note_cut(v);
	v->overdue = true;
	visit_break(v, OUTCOME_CONNECT,
	    _("the session took longer than %u s (session_timeout)"),
	    v->conf.account->session_timeout);
}

/* The disk takes long: the server should not think that we have gone. */
static void
visit_idle(void *arg)
{
	struct visit *v = arg;

	if (v->pop3.n_pending == 0 &&
	    visit_sent(
		v, pop3_client_send(&v->pop3, &v->line.out, POP3_CMD_NOOP)))
		visit_flush(v);
}

static const struct line_hooks line_hooks = {
	.dialed = visit_dialed,
	.secured = visit_secured,
	.came = visit_came,
	.writable = visit_writable,
	.lost = visit_lost,
	.silent = visit_silent,
	.overdue = visit_overdue,
	.idle = visit_idle,
};

/* ---- life ---- */

static void
visit_trace(void *arg, bool received, struct slice line)
{
	struct visit *v = arg;
	char text[1024];

	str_quote(text, sizeof(text), line.p, line.n);
	if (received && v->mask != NULL)
		v->mask(v, text);
	v->conf.hooks->trace(v->conf.arg, received, text);
}

/* False: memory. */
static bool
visit_init(struct visit *v)
{
	v->steps = steps;
	strcpy(v->result.tls, "none");
	line_init(&v->line, v->conf.loop, &line_hooks, v);
	line_limit(&v->line, v->conf.account->session_timeout);
	pop3_client_init(&v->pop3);
	if (v->conf.hooks->trace != NULL) {
		v->pop3.trace = visit_trace;
		v->pop3.trace_arg = v;
	}
	v->identity = identity_reader_new();
	return v->identity != NULL &&
	       (!v->conf.tries || attempt_new(v, steps)) &&
	       (v->conf.hand == HAND_NONE || hand_new(v, steps));
}

enum err
visit_new(struct visit **s_r, const struct visit_conf *conf,
    struct record *record, struct errbuf *eb)
{
	struct visit *v = calloc(1, sizeof(*v));

	*s_r = NULL;
	if (v == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	v->conf = *conf;
	v->record = record;
	if (!visit_init(v)) {
		visit_free(v);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	*s_r = v;
	return E_OK;
}

void
visit_start(struct visit *v)
{
	visit_enter(v, STEP_SECRET);
}

void
visit_stop(struct visit *v)
{
	if (v->stopping)
		return;
	v->stopping = true;
	visit_fail(v, OUTCOME_STOPPED, "%s", _("stopped"));
	if (v->conf.delivery != NULL)
		delivery_stop(v->conf.delivery);
	sorting_stop(v);
	if (v->step < STEP_RETRIEVE || v->step > STEP_QUIT) {
		visit_finish(v);
		return;
	}
	/* What has been asked for still comes, unless that takes long. */
	line_limit(&v->line, STOP_SECONDS);
	if (v->steps[v->step].writable != NULL)
		v->steps[v->step].writable(v);
	visit_flush(v);
}

const struct visit_result *
visit_result(const struct visit *v)
{
	return &v->result;
}

void
visit_free(struct visit *v)
{
	if (v == NULL)
		return;
	if (v->steps[v->step].leave != NULL)
		v->steps[v->step].leave(v, STEP_OVER);
	line_close(&v->line);
	pop3_client_clear(&v->pop3);
	plan_free(v->plan);
	items_clear(&v->items);
	fence_free(v);
	batch_free(v);
	destination_free(v);
	sorting_free(v);
	stubs_free(v);
	arrivals_free(v);
	probe_free(v);
	save_free(v);
	attempt_free(v);
	hand_free(v);
	identity_reader_free(v->identity);
	free(v);
}

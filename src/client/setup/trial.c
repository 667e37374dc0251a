#include "client/setup/trial.h"

#include <ev.h>
#include <stdlib.h>

#include "client/session/advice.h"
#include "client/session/visit.h"
#include "client/setup/trial_place.h"
#include "client/setup/trial_words.h"
#include "client/state/record.h"

enum { SESSIONS_MAX = 5 }; /* a server is learned from in each */

struct trial {
	struct trial_conf conf;
	struct record record; /* what was learned; it is kept nowhere */
	struct visit *visit;
	struct trial_place *place;
	struct facts facts; /* of the last session, and of the place */
	unsigned sessions;
	bool anew;     /* the server has refused the token that was kept */
	unsigned told; /* steps, a bit each */
	enum outcome outcome;
	ev_timer timer; /* to go on, not from within a session */
};

/* ---- telling ---- */

static void
tell(struct trial *t, struct trial_report *r)
{
	/* Of another session, which has learned something of the server. */
	if (r->verdict != TRIAL_FAILED && (t->told & 1u << r->step) != 0)
		return;
	t->told |= 1u << r->step;
	r->facts = &t->facts;
	if (r->advice == NULL)
		r->advice = "";
	if (r->said == NULL)
		r->said = "";
	t->conf.hooks->step(t->conf.arg, r);
}

static void
tell_passed(struct trial *t, enum trial_step step)
{
	char words[TRIAL_WORDS], advice[TRIAL_WORDS];
	struct trial_report r = { .step = step, .words = words };

	r.verdict =
	    trial_words(words, advice, step, t->conf.account, &t->facts);
	r.advice = r.verdict == TRIAL_PASSED ? NULL : advice;
	tell(t, &r);
}

static void
tell_failed(struct trial *t, enum trial_step step, enum cause cause,
    const char *words, const char *said)
{
	char advice[ADVICE];
	struct trial_report r = {
		.step = step,
		.verdict = TRIAL_FAILED,
		.words = words,
		.advice = advice_write(advice, cause, t->conf.account),
		.said = said,
		.cause = cause == CAUSE_NONE ? CAUSE_OTHER : cause,
	};

	tell(t, &r);
}

static void
over(struct trial *t)
{
	t->conf.hooks->over(t->conf.arg, t->outcome);
}

/* ---- the destination ---- */

static bool
wants_place(const struct trial *t)
{
	return t->conf.state_dir != NULL && t->conf.until >= TRIAL_DESTINATION;
}

static void
place_tried(void *arg, enum err e, const char *words)
{
	struct trial *t = arg;
	char space[TRIAL_WORDS];

	if (e != E_OK) {
		t->outcome = outcome_of_destination(e);
		tell_failed(t, TRIAL_DESTINATION, CAUSE_DESTINATION, words, "");
		over(t);
		return;
	}
	t->facts.space = trial_place_space(t->place);
	t->facts.place_is_new = trial_place_is_new(t->place);
	tell_passed(t, TRIAL_DESTINATION);
	if (!t->facts.counted || t->facts.octets <= t->facts.space) {
		tell_passed(t, TRIAL_SPACE);
	} else {
		t->outcome = OUTCOME_DISK;
		trial_words_space(space, &t->facts);
		tell_failed(t, TRIAL_SPACE, CAUSE_SPACE, space, "");
	}
	over(t);
}

static void
try_place(struct trial *t)
{
	t->place = trial_place_start(t->conf.loop, t->conf.account,
	    t->conf.state_dir, t->conf.terminal, place_tried, t);
	if (t->place != NULL)
		return;
	t->outcome = OUTCOME_INTERNAL;
	over(t);
}

/* ---- the session ---- */

static const enum trial_step step_of[POINTS] = {
	[POINT_SECRET] = TRIAL_SECRET,
	[POINT_NAMES] = TRIAL_NAMES,
	[POINT_CONNECT] = TRIAL_CONNECT,
	[POINT_TLS] = TRIAL_TLS,
	[POINT_GREETING] = TRIAL_GREETING,
	[POINT_CAPA] = TRIAL_CAPA,
	[POINT_SIGN_IN] = TRIAL_SIGN_IN,
	[POINT_STAT] = TRIAL_STAT,
	[POINT_UIDL] = TRIAL_UIDL,
	[POINT_TOP] = TRIAL_TOP,
};

static enum point
last_point(const struct trial *t)
{
	if (t->conf.until < TRIAL_SIGN_IN)
		return POINT_CAPA;
	for (enum point p = POINT_SIGN_IN; p < POINTS; p++)
		if (step_of[p] == t->conf.until)
			return p;
	return POINT_TOP;
}

static void
session_passed(void *arg, enum point p)
{
	struct trial *t = arg;

	/* With a certificate or a ticket there is none. */
	if (p == POINT_SECRET && t->conf.until < TRIAL_SIGN_IN)
		return;
	t->facts = *visit_facts(t->visit);
	tell_passed(t, step_of[p]);
}

static void
session_trace(void *arg, bool received, const char *line)
{
	struct trial *t = arg;

	t->conf.hooks->trace(t->conf.arg, received, line);
}

static void
session_over(void *arg)
{
	struct trial *t = arg;

	ev_timer_set(&t->timer, 0, 0);
	ev_timer_start(t->conf.loop, &t->timer);
}

static void
begin_session(struct trial *t)
{
	static const struct visit_hooks quiet = {
		.over = session_over,
		.passed = session_passed,
	};
	static const struct visit_hooks loud = {
		.trace = session_trace,
		.over = session_over,
		.passed = session_passed,
	};
	struct visit_conf conf = {
		.loop = t->conf.loop,
		.dialer = t->conf.dialer,
		.account = t->conf.account,
		.hooks = t->conf.hooks->trace != NULL ? &loud : &quiet,
		.arg = t,
		.state_dir = t->conf.state_dir,
		.anew = t->anew,
		.terminal = t->conf.terminal,
		.insist = true,
		.tries = true,
		.until = last_point(t),
	};
	struct errbuf eb;

	t->sessions++;
	if (visit_new(&t->visit, &conf, &t->record, &eb) == E_OK) {
		visit_start(t->visit);
		return;
	}
	t->outcome = OUTCOME_INTERNAL;
	over(t);
}

static enum cause
cause_of(const struct visit_result *r, const struct facts *f)
{
	if (f->failed_at == POINT_NAMES && r->outcome == OUTCOME_CONNECT &&
	    r->cause != CAUSE_PROXY)
		return CAUSE_NO_NAME_SERVICE;
	return r->cause;
}

static void
session_ended(struct trial *t)
{
	struct visit_result r = *visit_result(t->visit);
	/* Nor is the next token better if the new one is refused. */
	bool again = r.again && r.outcome != OUTCOME_OK &&
		     t->sessions < SESSIONS_MAX &&
		     !(r.refused_token && t->anew);

	t->facts = *visit_facts(t->visit);
	visit_free(t->visit);
	t->visit = NULL;
	t->anew |= r.refused_token;
	if (again) {
		begin_session(t);
	} else if (r.outcome != OUTCOME_OK) {
		t->outcome = r.outcome;
		tell_failed(t, step_of[t->facts.failed_at],
		    cause_of(&r, &t->facts),
		    r.said[0] != '\0' ? r.refused : r.words, r.said);
		over(t);
	} else if (wants_place(t)) {
		try_place(t);
	} else {
		over(t);
	}
}

/* ---- its turn ---- */

static void
go_on(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct trial *t = w->data;

	if (t->visit != NULL) {
		session_ended(t);
		return;
	}
	tell_passed(t, TRIAL_CONFIGURATION);
	begin_session(t);
}

struct trial *
trial_start(const struct trial_conf *conf)
{
	struct trial *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->conf = *conf;
	ev_timer_init(&t->timer, go_on, 0, 0);
	t->timer.data = t;
	ev_timer_start(conf->loop, &t->timer);
	return t;
}

void
trial_free(struct trial *t)
{
	if (t == NULL)
		return;
	ev_timer_stop(t->conf.loop, &t->timer);
	visit_free(t->visit);
	trial_place_free(t->place);
	record_clear(&t->record);
	free(t);
}

const struct facts *
trial_facts(const struct trial *t)
{
	return &t->facts;
}

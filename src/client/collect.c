#include "client/collect.h"

#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/run.h"
#include "client/secret/secret.h"

enum { QUEUE_PAUSE = 1 }; /* seconds until a maildrop is looked at again */

/* An account in the loop. */
struct turn {
	struct collect *c;
	const struct account *account;
	size_t index;
	enum {
		TURN_OVER,   /* also: not chosen */
		TURN_LATER,  /* it begins by the timer */
		TURN_QUEUED, /* the same; another account is at its maildrop */
		TURN_RUNS,
	} state;
	struct run *run;
	ev_timer timer;
	enum outcome condition; /* how its runs have ended lately */
};

struct collect {
	const struct collect_options *o;
	struct run_env env;
	struct turn *v; /* beside conf->v */
	bool *held;
	bool stopping;
	ev_signal sigint, sigterm;
	ev_prepare prepare;
};

/* ---- an account's turn ---- */

static void
turn_in(struct turn *t, double seconds)
{
	ev_timer_set(&t->timer, seconds, 0);
	ev_timer_start(t->c->env.loop, &t->timer);
}

/* A tenth more or less, so that not all come at once. */
static double
spread(unsigned interval)
{
	uint32_t r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = 0;
	return interval * (0.9 + 0.2 * (r % 1000) / 1000.0);
}

/* A failure that goes on is said once.  A run that another malote, or a stop,
 * did not let happen says nothing of how things are. */
static void
note_condition(struct turn *t, const struct session_result *result)
{
	enum outcome o = result->outcome;

	if (o == t->condition || o == OUTCOME_LOCKED || o == OUTCOME_STOPPED)
		return;
	t->condition = o;
	report_change(t->c->o->report, t->index, result);
}

static void
turn_over(void *arg, const struct visit_result *result)
{
	struct turn *t = arg;
	struct collect *c = t->c;

	report_over(c->o->report, t->index, result);
	note_condition(t, result);
	if (c->held != NULL)
		c->held[t->index] = result->outcome == OUTCOME_HELD;
	t->state = TURN_OVER;
	if (c->o->daemon && !c->stopping) {
		t->state = TURN_LATER;
		turn_in(t, spread(t->account->interval));
	}
}

static bool
is_same_maildrop(const struct account *a, const struct account *b)
{
	char one[DIGEST_TEXT], other[DIGEST_TEXT];

	return account_maildrop(one, a) != NULL &&
	       account_maildrop(other, b) != NULL && strcmp(one, other) == 0;
}

/* Another account's run is at the same maildrop. */
static bool
is_maildrop_busy(const struct turn *t)
{
	const struct collect *c = t->c;

	for (size_t i = 0; i < c->o->conf->n; i++)
		if (&c->v[i] != t && c->v[i].state == TURN_RUNS &&
		    is_same_maildrop(c->v[i].account, t->account))
			return true;
	return false;
}

static void
turn_begin(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct turn *t = w->data;

	if (is_maildrop_busy(t)) {
		t->state = TURN_QUEUED;
		turn_in(t, QUEUE_PAUSE);
		return;
	}
	t->state = TURN_RUNS;
	run_begin(t->run);
}

static void
turn_stop(struct turn *t)
{
	static const struct visit_result stopped = {
		.outcome = OUTCOME_STOPPED,
		.tls = "none",
	};

	ev_timer_stop(t->c->env.loop, &t->timer);
	switch (t->state) {
	case TURN_OVER: break;
	case TURN_LATER: t->state = TURN_OVER; break;
	case TURN_QUEUED: turn_over(t, &stopped); break;
	case TURN_RUNS: run_stop(t->run); break;
	}
}

/* ---- what comes from outside ---- */

static void
end_if_all_over(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct collect *c = w->data;

	for (size_t i = 0; i < c->o->conf->n; i++)
		if (c->v[i].state != TURN_OVER)
			return;
	ev_break(loop, EVBREAK_ALL);
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct collect *c = w->data;

	if (c->stopping) {
		secret_restore_terminal();
		_exit(128 + w->signum);
	}
	c->stopping = true;
	for (size_t i = 0; i < c->o->conf->n; i++)
		turn_stop(&c->v[i]);
}

static void
hold_bars(void *arg, bool asking)
{
	struct collect *c = arg;

	report_hold(c->o->report, asking);
}

static void
collect_watch(struct collect *c)
{
	struct ev_loop *loop = c->env.loop;

	ev_signal_init(&c->sigint, on_signal, SIGINT);
	ev_signal_init(&c->sigterm, on_signal, SIGTERM);
	ev_prepare_init(&c->prepare, end_if_all_over);
	c->sigint.data = c->sigterm.data = c->prepare.data = c;
	ev_signal_start(loop, &c->sigint);
	ev_signal_start(loop, &c->sigterm);
	ev_prepare_start(loop, &c->prepare);
	secret_on_terminal(hold_bars, c);
}

static void
collect_unwatch(struct collect *c)
{
	struct ev_loop *loop = c->env.loop;

	ev_signal_stop(loop, &c->sigint);
	ev_signal_stop(loop, &c->sigterm);
	ev_prepare_stop(loop, &c->prepare);
	secret_on_terminal(NULL, NULL);
}

/* ---- all ---- */

static enum err
turns_new(struct collect *c)
{
	const struct client_conf *conf = c->o->conf;

	if ((c->v = calloc(conf->n + 1, sizeof(*c->v))) == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < conf->n; i++) {
		struct turn *t = &c->v[i];

		t->c = c;
		t->account = &conf->v[i];
		t->index = i;
		if (!c->o->chosen[i])
			continue;
		if ((t->run = run_new(&c->env, i, turn_over, t)) == NULL)
			return E_NOMEM;
	}
	return E_OK;
}

static void
turns_free(struct collect *c)
{
	for (size_t i = 0; c->v != NULL && i < c->o->conf->n; i++)
		run_free(c->v[i].run);
	free(c->v);
}

static void
turns_start(struct collect *c)
{
	for (size_t i = 0; i < c->o->conf->n; i++) {
		struct turn *t = &c->v[i];

		ev_init(&t->timer, turn_begin);
		t->timer.data = t;
		if (t->run == NULL)
			continue;
		t->state = TURN_LATER;
		turn_in(t, 0);
	}
}

enum err
collect_run(const struct collect_options *o, bool *held_r, struct errbuf *eb)
{
	struct collect c = { .o = o, .held = held_r };
	enum err e;

	c.env = (struct run_env){
		.loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV),
		.conf = o->conf,
		.state_dir = o->state_dir,
		.report = o->report,
		.terminal = o->terminal,
		.accept = o->accept,
		.trace = o->trace,
	};
	if (c.env.loop == NULL || turns_new(&c) != E_OK)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	else
		e = dialer_new(&c.env.dialer, c.env.loop, eb);
	if (e == E_OK) {
		turns_start(&c);
		collect_watch(&c);
		ev_run(c.env.loop, 0);
		collect_unwatch(&c);
		dialer_free(c.env.dialer);
	}
	turns_free(&c);
	return e;
}

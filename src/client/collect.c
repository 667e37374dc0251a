#include "client/collect.h"

#include <ev.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/postman.h"
#include "client/run.h"
#include "client/secret/secret.h"
#include "client/session/outcome.h"

enum {
	QUEUE_PAUSE = 1,   /* seconds until a maildrop is looked at again */
	DELAY_MAX = 86400, /* seconds; more is no LOGIN-DELAY that is meant */
};
#define TICK 0.1 /* seconds: how often what moves on the screen is drawn */

struct generation;

/* An account in the loop. */
struct turn {
	struct generation *g;
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
	bool reloaded; /* the configuration was read again since the last */
};

/* The accounts of one reading of the configuration.  After another one only what
 * was under way goes on. */
struct generation {
	struct collect *c;
	struct collect_set *set;
	struct run_env env;
	struct turn *v;          /* beside set->conf.v */
	struct postman *postman; /* the daemon's; or NULL */
	struct generation *older;
};

struct collect {
	const struct collect_options *o;
	struct ev_loop *loop;
	struct dialer *dialer;
	struct generation *newest;
	bool *held;
	bool stopping;
	bool on_terminal; /* when it was started */
	ev_signal sigint, sigterm, sighup;
	ev_prepare prepare;
	ev_timer tick; /* runs if something moves on the screen */
};

/* ---- an account's turn ---- */

static void
turn_in(struct turn *t, double seconds)
{
	ev_timer_set(&t->timer, seconds, 0);
	ev_timer_start(t->g->c->loop, &t->timer);
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

/* A server may want more time between two sign-ins (LOGIN-DELAY). */
static double
pause_after(const struct account *a, const struct visit_result *result)
{
	double pause = spread(a->interval);
	unsigned delay =
	    result->login_delay < DELAY_MAX ? result->login_delay : DELAY_MAX;

	return pause > delay ? pause : delay;
}

/* NULL: the account is not there, or not meant. */
static struct turn *
find_turn(const struct generation *g, const char *name)
{
	const struct account *a =
	    g != NULL ? client_conf_find(&g->set->conf, name) : NULL;
	struct turn *t = a != NULL ? &g->v[a - g->set->conf.v] : NULL;

	return t != NULL && t->run != NULL ? t : NULL;
}

/* A run that another malote, or a stop, did not let happen says nothing of how
 * things are. */
static bool
has_run(enum outcome o)
{
	return o != OUTCOME_LOCKED && o != OUTCOME_STOPPED;
}

/* Of a run that ends: a failure that goes on was said by the one before. */
static void
note_change(struct turn *t, const struct visit_result *result)
{
	if (has_run(result->outcome) &&
	    outcome_exit_code(result->outcome) != run_exit_before(t->run))
		report_change(t->g->set->report, t->index, result);
}

/* A failure that goes on is said once; but whoever has changed the
 * configuration because of it hears whether that has helped. */
static void
note_condition(struct turn *t, const struct visit_result *result)
{
	enum outcome o = result->outcome;
	struct turn *now = find_turn(t->g->c->newest, t->account->name);
	bool awaited = t->reloaded && !exit_code_passes(outcome_exit_code(o));

	if (!has_run(o))
		return;
	t->reloaded = false;
	if (o == t->condition && !awaited)
		return;
	t->condition = o;
	if (now != NULL)
		now->condition = o;
	report_change(t->g->set->report, t->index, result);
}

static void
turn_over(void *arg, const struct visit_result *result)
{
	struct turn *t = arg;
	struct collect *c = t->g->c;

	report_over(t->g->set->report, t->index, result);
	if (c->o->daemon)
		note_condition(t, result);
	else if (c->o->changes)
		note_change(t, result);
	if (c->held != NULL)
		c->held[t->index] = result->outcome == OUTCOME_HELD;
	t->state = TURN_OVER;
	if (c->o->daemon && !c->stopping && t->g == c->newest) {
		t->state = TURN_LATER;
		turn_in(t, pause_after(t->account, result));
	}
}

static bool
is_same_maildrop(const struct account *a, const struct account *b)
{
	char one[DIGEST_TEXT], other[DIGEST_TEXT];

	return account_maildrop(one, a) != NULL &&
	       account_maildrop(other, b) != NULL && strcmp(one, other) == 0;
}

/* Is another run at the same maildrop, or of the same account as it was
 * configured before? */
static bool
is_maildrop_busy(const struct turn *t)
{
	const struct account *a = t->account;

	for (const struct generation *g = t->g->c->newest; g != NULL;
	     g = g->older)
		for (size_t i = 0; i < g->set->conf.n; i++)
			if (&g->v[i] != t && g->v[i].state == TURN_RUNS &&
			    (is_same_maildrop(g->v[i].account, a) ||
				strcmp(g->v[i].account->name, a->name) == 0))
				return true;
	return false;
}

static bool
is_same_server(const struct turn *t, const struct account *a)
{
	return t->run != NULL && strcasecmp(t->account->server, a->server) == 0;
}

/* See run_env. */
static struct run_others
others_there(void *arg, size_t index)
{
	const struct generation *mine = arg;
	const struct turn *me = &mine->v[index];
	struct run_others others = { .crowd = UINT_MAX };

	for (const struct generation *g = mine->c->newest; g != NULL;
	     g = g->older)
		for (size_t i = 0; i < g->set->conf.n; i++) {
			const struct turn *t = &g->v[i];

			if (t == me || !is_same_server(t, me->account))
				continue;
			others.any = true;
			others.n +=
			    t->state == TURN_RUNS && run_is_in_session(t->run);
			if (run_crowd(t->run) < others.crowd)
				others.crowd = run_crowd(t->run);
		}
	return others;
}

static void
turn_begin(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct turn *t = w->data;

	if (is_maildrop_busy(t)) {
		secret_expect_not(t->account, t->g->c->loop);
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

	ev_timer_stop(t->g->c->loop, &t->timer);
	switch (t->state) {
	case TURN_OVER: break;
	case TURN_LATER: t->state = TURN_OVER; break;
	case TURN_QUEUED: turn_over(t, &stopped); break;
	case TURN_RUNS: run_stop(t->run); break;
	}
}

/* ---- the accounts of one configuration ---- */

void
collect_set_free(struct collect_set *s)
{
	if (s == NULL)
		return;
	client_conf_free(&s->conf);
	free(s->chosen);
	report_free(s->report);
	free(s);
}

/* Its accounts remain. */
static void
generation_free(struct generation *g)
{
	if (g == NULL)
		return;
	postman_free(g->postman);
	for (size_t i = 0; g->v != NULL && i < g->set->conf.n; i++)
		run_free(g->v[i].run);
	free(g->v);
	free(g);
}

static bool
turn_init(struct generation *g, size_t i)
{
	const struct account *a = &g->set->conf.v[i];
	const struct turn *before = find_turn(g->c->newest, a->name);
	struct turn *t = &g->v[i];

	*t = (struct turn){
		.g = g,
		.account = a,
		.index = i,
		.condition = before != NULL ? before->condition : OUTCOME_OK,
		.reloaded = before != NULL,
	};
	ev_init(&t->timer, turn_begin);
	t->timer.data = t;
	if (g->set->chosen[i])
		t->run = run_new(&g->env, i, turn_over, t);
	return t->run != NULL || !g->set->chosen[i];
}

/* NULL: memory. */
static struct generation *
generation_new(struct collect *c, struct collect_set *set)
{
	struct generation *g = calloc(1, sizeof(*g));
	bool ok;

	if (g == NULL)
		return NULL;
	*g = (struct generation){ .c = c, .set = set };
	g->env = (struct run_env){
		.loop = c->loop,
		.dialer = c->dialer,
		.conf = &set->conf,
		.state_dir = c->o->state_dir,
		.report = set->report,
		.terminal = c->o->terminal,
		.accept = c->o->accept,
		.insist = c->o->insist,
		.trace = c->o->trace,
		.chosen = c->o->chosen,
		.n_chosen = c->o->n_chosen,
		.others_there = others_there,
		.arg = g,
	};
	g->v = calloc(set->conf.n + 1, sizeof(*g->v));
	ok = g->v != NULL;
	for (size_t i = 0; ok && i < set->conf.n; i++)
		ok = turn_init(g, i);
	if (ok)
		return g;
	generation_free(g);
	return NULL;
}

/* Without memory it is the next reading of the configuration that sends. */
static void
start_postman(struct generation *g)
{
	const struct collect *c = g->c;

	if (c->o->daemon)
		g->postman = postman_new(&(struct postman_conf){
		    .loop = c->loop,
		    .dialer = c->dialer,
		    .conf = &g->set->conf,
		    .state_dir = c->o->state_dir,
		    .told = c->o->told,
		    .arg = c->o->arg,
		});
}

static void
generation_start(struct generation *g)
{
	start_postman(g);
	for (size_t i = 0; i < g->set->conf.n; i++) {
		if (g->v[i].run == NULL)
			continue;
		if (g->env.terminal)
			secret_expect(g->v[i].account);
		g->v[i].state = TURN_LATER;
		turn_in(&g->v[i], 0);
	}
}

/* What has not begun does not begin any more. */
static void
generation_retire(struct generation *g)
{
	postman_stop(g->postman);
	for (size_t i = 0; i < g->set->conf.n; i++) {
		if (g->v[i].state == TURN_RUNS)
			continue;
		ev_timer_stop(g->c->loop, &g->v[i].timer);
		g->v[i].state = TURN_OVER;
	}
}

static bool
generation_is_over(const struct generation *g)
{
	for (size_t i = 0; i < g->set->conf.n; i++)
		if (g->v[i].state != TURN_OVER)
			return false;
	return !postman_is_busy(g->postman);
}

/* ---- what comes from outside ---- */

static void
free_older(struct collect *c)
{
	struct generation **at = &c->newest->older, *g;
	struct collect_set *set;

	while ((g = *at) != NULL) {
		if (!generation_is_over(g)) {
			at = &g->older;
			continue;
		}
		*at = g->older;
		set = g->set;
		generation_free(g);
		collect_set_free(set);
	}
}

static void
end_if_all_over(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct collect *c = w->data;

	free_older(c);
	if (c->newest->older == NULL && generation_is_over(c->newest))
		ev_break(loop, EVBREAK_ALL);
}

static void
stop_all(struct collect *c)
{
	c->stopping = true;
	for (struct generation *g = c->newest; g != NULL; g = g->older) {
		postman_stop(g->postman);
		for (size_t i = 0; i < g->set->conf.n; i++)
			turn_stop(&g->v[i]);
	}
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct collect *c = w->data;

	if (c->stopping) {
		report_hold(c->newest->set->report, true);
		secret_restore_terminal();
		_exit(128 + w->signum); /* the record bears it */
	}
	if (w->signum == SIGINT)
		report_ends(c->newest->set->report);
	stop_all(c);
}

static void
reload(struct collect *c)
{
	struct collect_set *set = c->o->reload(c->o->arg);
	struct generation *g;

	if (set == NULL)
		return;
	if ((g = generation_new(c, set)) == NULL) {
		collect_set_free(set);
		return;
	}
	generation_retire(c->newest);
	g->older = c->newest;
	c->newest = g;
	generation_start(g);
}

/* A terminal that was closed says so by this signal, too: whoever was started on
 * it by hand ends with it. */
static void
on_hangup(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct collect *c = w->data;

	(void)loop;
	(void)revents;
	if (c->stopping)
		return;
	if (c->on_terminal && !isatty(STDIN_FILENO))
		stop_all(c);
	else
		reload(c);
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct collect *c = w->data;
	const struct generation *g = c->newest;
	struct visit_progress p;

	for (size_t i = 0; i < g->set->conf.n; i++) {
		if (g->v[i].state != TURN_RUNS)
			continue;
		p = run_progress(g->v[i].run);
		report_progress(g->set->report, i, &p);
	}
	report_draw(g->set->report);
}

static void
hold_bars(void *arg, bool asking)
{
	struct collect *c = arg;

	report_hold(c->newest->set->report, asking);
}

static void
collect_watch(struct collect *c)
{
	ev_signal_init(&c->sigint, on_signal, SIGINT);
	ev_signal_init(&c->sigterm, on_signal, SIGTERM);
	ev_signal_init(&c->sighup, on_hangup, SIGHUP);
	ev_prepare_init(&c->prepare, end_if_all_over);
	ev_timer_init(&c->tick, on_tick, TICK, TICK);
	c->tick.data = c;
	c->sigint.data = c->sigterm.data = c->sighup.data = c->prepare.data = c;
	ev_signal_start(c->loop, &c->sigint);
	ev_signal_start(c->loop, &c->sigterm);
	if (c->o->daemon)
		ev_signal_start(c->loop, &c->sighup);
	ev_prepare_start(c->loop, &c->prepare);
	if (report_is_live(c->newest->set->report))
		ev_timer_start(c->loop, &c->tick);
	secret_on_terminal(hold_bars, c);
}

static void
collect_unwatch(struct collect *c)
{
	ev_signal_stop(c->loop, &c->sigint);
	ev_signal_stop(c->loop, &c->sigterm);
	ev_signal_stop(c->loop, &c->sighup);
	ev_prepare_stop(c->loop, &c->prepare);
	ev_timer_stop(c->loop, &c->tick);
	secret_on_terminal(NULL, NULL);
}

/* ---- all ---- */

enum err
collect_run(const struct collect_options *o, struct collect_set **set,
    bool *held_r, struct errbuf *eb)
{
	struct collect c = {
		.o = o,
		.loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV),
		.held = held_r,
		.on_terminal = isatty(STDIN_FILENO),
	};
	enum err e = E_NOMEM;

	if (c.loop != NULL && (e = dialer_new(&c.dialer, c.loop, eb)) != E_OK)
		return e;
	if (c.loop != NULL)
		c.newest = generation_new(&c, *set);
	if (c.newest != NULL) {
		generation_start(c.newest);
		collect_watch(&c);
		ev_run(c.loop, 0);
		collect_unwatch(&c);
		*set = c.newest->set;
	} else {
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	generation_free(c.newest);
	dialer_free(c.dialer);
	return e;
}

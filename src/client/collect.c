#include "client/collect.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/run.h"
#include "client/secret/secret.h"

static void
all_over(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct collect *c = w->data;

	(void)revents;
	for (size_t i = 0; i < c->o->conf->n; i++)
		if (c->v[i].account != NULL && !c->v[i].over)
			return;
	ev_break(loop, EVBREAK_ALL);
}

static void
stop(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct collect *c = w->data;

	(void)loop;
	(void)revents;
	if (c->stopping) {
		secret_restore_terminal();
		_exit(128 + w->signum);
	}
	c->stopping = true;
	for (size_t i = 0; i < c->o->conf->n; i++)
		if (c->v[i].account != NULL && !c->v[i].over)
			collect_stop_one(&c->v[i]);
}

static void
hold_bars(void *arg, bool asking)
{
	struct collect *c = arg;

	report_hold(c->o->report, asking);
}

static void
watch(struct collect *c)
{
	ev_signal_init(&c->sigint, stop, SIGINT);
	ev_signal_init(&c->sigterm, stop, SIGTERM);
	ev_prepare_init(&c->turn, all_over);
	c->sigint.data = c->sigterm.data = c->turn.data = c;
	ev_signal_start(c->loop, &c->sigint);
	ev_signal_start(c->loop, &c->sigterm);
	ev_prepare_start(c->loop, &c->turn);
	secret_on_terminal(hold_bars, c);
}

static void
unwatch(struct collect *c)
{
	ev_signal_stop(c->loop, &c->sigint);
	ev_signal_stop(c->loop, &c->sigterm);
	ev_prepare_stop(c->loop, &c->turn);
	secret_on_terminal(NULL, NULL);
	for (size_t i = 0; i < c->o->conf->n; i++)
		ev_timer_stop(c->loop, &c->v[i].timer);
}

enum err
collect_run(const struct collect_options *o, bool *held_r, struct errbuf *eb)
{
	struct collect c = { .o = o, .held = held_r };
	enum err e;

	c.loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
	c.v = calloc(o->conf->n + 1, sizeof(*c.v));
	if (c.loop == NULL || c.v == NULL) {
		free(c.v);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	if ((e = dialer_new(&c.dialer, c.loop, eb)) != E_OK) {
		free(c.v);
		return e;
	}
	for (size_t i = 0; i < o->conf->n; i++) {
		struct run *run = &c.v[i];

		*run = (struct run){ .c = &c, .index = i, .lock = -1 };
		ev_init(&run->timer, collect_turn);
		run->timer.data = run;
		if (!o->chosen[i])
			continue;
		run->account = &o->conf->v[i];
		ev_timer_set(&run->timer, 0, 0);
		ev_timer_start(c.loop, &run->timer);
	}
	watch(&c);
	ev_run(c.loop, 0);
	unwatch(&c);
	dialer_free(c.dialer);
	free(c.v);
	return E_OK;
}

#include "client/postman.h"

#include <ev.h>
#include <stdlib.h>

#include "client/send/mailer.h"

#define FIRST 1.  /* seconds after the beginning */
#define EVERY 60. /* seconds */
#define GRACE 3.  /* seconds that a run has when it is to stop */

struct postman {
	struct postman_conf conf;
	ev_timer
	    timer; /* until the next look; of a run that is to stop: its end */
	struct mailer *mailer; /* or NULL */
	bool stopping;
};

static void
end_run(struct postman *p)
{
	mailer_free(p->mailer);
	p->mailer = NULL;
}

static void
on_message(void *arg, const struct outgoing *o)
{
	struct postman *p = arg;

	p->conf.told(p->conf.arg, o);
}

static void
on_over(void *arg)
{
	struct postman *p = arg;

	end_run(p);
	if (p->stopping)
		ev_timer_stop(p->conf.loop, &p->timer);
}

static void
begin_run(struct postman *p)
{
	static const struct mailer_hooks hooks = { on_message, on_over, NULL };
	struct outbox_item nothing = OUTBOX_NOTHING;
	struct mailer_conf conf = {
		.loop = p->conf.loop,
		.dialer = p->conf.dialer,
		.conf = p->conf.conf,
		.state_dir = p->conf.state_dir,
		.hooks = &hooks,
		.arg = p,
	};
	struct outbox b;

	/* What fails here is tried again in a minute. */
	if (outbox_open(&b, p->conf.state_dir, false, NULL) == E_OK &&
	    mailer_is_needed(&b) &&
	    mailer_start(&p->mailer, &conf, &b, &nothing, NULL) != E_OK)
		p->mailer = NULL;
	outbox_close(&b);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct postman *p = w->data;

	if (p->stopping) {
		ev_timer_stop(loop, w);
		end_run(p);
	} else if (p->mailer == NULL) {
		begin_run(p);
	}
}

struct postman *
postman_new(const struct postman_conf *conf)
{
	struct postman *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->conf = *conf;
	ev_timer_init(&p->timer, on_timer, FIRST, EVERY);
	p->timer.data = p;
	ev_timer_start(conf->loop, &p->timer);
	return p;
}

void
postman_stop(struct postman *p)
{
	if (p == NULL || p->stopping)
		return;
	p->stopping = true;
	ev_timer_stop(p->conf.loop, &p->timer);
	if (p->mailer == NULL)
		return;
	ev_timer_set(&p->timer, GRACE, 0);
	ev_timer_start(p->conf.loop, &p->timer);
}

bool
postman_is_busy(const struct postman *p)
{
	return p != NULL && p->mailer != NULL;
}

void
postman_free(struct postman *p)
{
	if (p == NULL)
		return;
	ev_timer_stop(p->conf.loop, &p->timer);
	mailer_free(p->mailer);
	free(p);
}

#include "client/session/probe.h"

#include <stdlib.h>

#include "base/i18n.h"
#include "client/session/core.h"

/* Seconds until a server is asked; less if the person's patience is short. */
#define SILENCE 5.

struct probe {
	struct line line;
	ev_timer silence;
};

static void
probe_dialed(void *arg, enum err e, const char *words)
{
	struct visit *v = arg;
	struct tls_client_conf conf = { .ca_file = NULL };
	struct line *l = &v->probe->line;
	struct errbuf eb;

	if (e != E_OK ||
	    line_start_tls(l, &conf, v->conf.account->server, &eb) != E_OK)
		line_close(l);
}

static void
probe_writable(void *arg)
{
	struct visit *v = arg;

	line_flush(&v->probe->line);
}

static void
speaks_tls(struct visit *v)
{
	visit_blame(v, CAUSE_WANTS_TLS);
	visit_end(v, OUTCOME_TLS,
	    _("%s port %u waits for TLS: write security = \"tls\""),
	    v->conf.account->server, v->conf.account->port);
}

static void
probe_secured(void *arg)
{
	speaks_tls(arg);
}

/* A certificate that does not pass shows as much. */
static void
probe_lost(void *arg, enum err e)
{
	struct visit *v = arg;
	bool heard = tls_client_heard(&v->probe->line.conn);

	line_close(&v->probe->line);
	if (heard)
		speaks_tls(v);
}

static const struct line_hooks hooks = {
	.dialed = probe_dialed,
	.secured = probe_secured,
	.writable = probe_writable,
	.lost = probe_lost,
};

static void
silence_lasts(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct visit *v = w->data;
	struct errbuf eb;

	if (visit_dial(v, &v->probe->line, &eb) != E_OK)
		line_close(&v->probe->line);
}

void
probe_begin(struct visit *v)
{
	double third = v->conf.account->timeout / 3.;
	struct probe *p = calloc(1, sizeof(*p));

	/* A port of KPOP has spoken before. */
	if (v->line.secure || v->conf.account->security == SECURITY_KPOP ||
	    p == NULL) {
		free(p);
		return;
	}
	v->probe = p;
	line_init(&p->line, v->conf.loop, &hooks, v);
	ev_timer_init(
	    &p->silence, silence_lasts, third < SILENCE ? third : SILENCE, 0);
	p->silence.data = v;
	ev_timer_start(v->conf.loop, &p->silence);
}

void
probe_stop(struct visit *v)
{
	if (v->probe == NULL)
		return;
	ev_timer_stop(v->conf.loop, &v->probe->silence);
	line_close(&v->probe->line);
}

void
probe_free(struct visit *v)
{
	probe_stop(v);
	free(v->probe);
}

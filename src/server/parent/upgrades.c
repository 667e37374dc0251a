#include "server/parent/upgrades.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/ipc/spawn.h"
#include "server/parent/child_tell.h"
#include "server/parent/logrelay.h"

static const ev_tstamp PAUSE = 2;

static void
ended(struct upgrades *u)
{
	ipc_close(u->chan);
	u->chan = NULL;
}

/* It says nothing but what is in its log. */
static void
on_gone(void *arg, enum err why)
{
	ended(arg);
}

static const struct ipc_rules no_rules = { NULL, 0, on_gone };

static void
on_died(struct ev_loop *loop, ev_child *w, int revents)
{
	struct parent *p = w->data;

	ev_child_stop(loop, w);
	ended(&p->upgrades);
	child_tell_role(p, ROLE_AUTH,
	    w->rstatus == 0 ? child_tell_users : child_tell_no_upgrade);
	ev_timer_set(&p->upgrades.pause, PAUSE, 0);
	ev_timer_start(loop, &p->upgrades.pause);
}

static enum err
tell(struct parent *p, struct upgrades *u)
{
	struct upgrade_conf *c = &u->conf;
	const struct auth_conf *auth = &p->conf->auth;
	enum err e;

	memcpy(c->users, p->conf->users, sizeof(c->users));
	memcpy(c->scheme, auth->upgrade_scheme, sizeof(c->scheme));
	memcpy(
	    c->default_domain, auth->default_domain, sizeof(c->default_domain));
	c->login_lower = auth->login_lower;
	memcpy(c->login_characters, auth->login_characters,
	    sizeof(c->login_characters));
	memcpy(c->login_separators, auth->login_separators,
	    sizeof(c->login_separators));
	ipc_begin(u->chan, IPC_CONF);
	ipc_put_fields(u->chan, &upgrade_conf_fields, c);
	e = ipc_end(u->chan);
	explicit_bzero(c, sizeof(*c));
	return e;
}

/* A failure is that of the process, which has no settings then and ends. */
static void
start(struct parent *p)
{
	struct upgrades *u = &p->upgrades;
	struct errbuf eb;
	struct spawned s;

	if (spawn("upgrade", 0, &s, &eb) != E_OK) {
		log_line(
		    LOG_FAULT, "ev=start role=upgrade error=\"%s\"", eb.text);
		explicit_bzero(&u->conf, sizeof(u->conf));
		return;
	}
	ev_child_set(&u->died, s.pid, 0);
	ev_child_start(p->loop, &u->died);
	if (logrelay_add(p->loop, s.log, "upgrade", 0) != E_OK) {
		close(s.ctl);
		return;
	}
	u->chan = ipc_open(p->loop, s.ctl, &no_rules, u, true);
	if (u->chan != NULL && tell(p, u) != E_OK)
		ended(u);
}

static void
on_pause(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct parent *p = t->data;

	if (p->upgrades.conf.n_rows != 0)
		start(p);
}

void
upgrades_init(struct parent *p)
{
	ev_init(&p->upgrades.died, on_died);
	ev_init(&p->upgrades.pause, on_pause);
	p->upgrades.died.data = p->upgrades.pause.data = p;
}

void
upgrades_add(struct parent *p, const struct upgrade_row *row)
{
	struct upgrades *u = &p->upgrades;
	struct upgrade_conf *c = &u->conf;

	for (unsigned i = 0; i < c->n_rows; i++)
		if (strcmp(c->row[i].user, row->user) == 0)
			return;
	if (c->n_rows == UPGRADES_MAX || p->phase != PARENT_SERVING)
		return;
	c->row[c->n_rows++] = *row;
	if (!ev_is_active(&u->died) && !ev_is_active(&u->pause))
		start(p);
}

#include "server/auth/auth_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* Seconds beyond twice the time that an issuer has: for the process itself. */
static const ev_tstamp SLACK = 5;

struct net {
	struct auth *auth;
	struct ipc_chan *chan;
	uint64_t serial;
	struct token_wait *wait[TOKENS_MAX]; /* by the rest of their id */
	unsigned n_waits;
	/* As the settings were when it came. */
	struct known_issuer issuer[ISSUERS_MAX];
	uint16_t n_issuers;
	/* Another has its place: it is let go of when nobody waits. */
	bool leaving;
	ev_timer gone;
};

static void
forget(struct token_wait *w)
{
	struct net *net = w->net;

	ev_timer_stop(w->auth->loop, &w->deadline);
	net->wait[w->id % TOKENS_MAX] = NULL;
	net->n_waits--;
	w->id = 0;
	if (net->leaving && net->n_waits == 0)
		ev_feed_event(w->auth->loop, &net->gone, EV_TIMER);
}

static void
fail(struct token_wait *w, const char *why)
{
	struct token_answer said = { .result = TOKEN_FAILED };

	snprintf(said.why, sizeof(said.why), "%s", why);
	forget(w);
	w->done(w, &said);
}

/* ---- asking ---- */

void
net_drop(struct token_wait *w)
{
	if (w->id != 0)
		forget(w);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct token_wait *w = t->data;

	log_line(LOG_FAULT, "ev=net error=\"it does not answer\"");
	fail(w, "it does not answer");
}

static enum err
enter(struct net *net, struct token_wait *w)
{
	for (unsigned i = 0; i < TOKENS_MAX; i++) {
		uint64_t id = ++net->serial;

		if (net->wait[id % TOKENS_MAX] != NULL)
			continue;
		net->wait[id % TOKENS_MAX] = w;
		net->n_waits++;
		w->net = net;
		w->id = id;
		return E_OK;
	}
	return E_FULL;
}

enum err
net_ask(struct auth *a, struct token_wait *w, struct slice token)
{
	struct net *net = a->net;
	enum err e;

	if (net == NULL)
		return E_CLOSED;
	if (ipc_is_full(net->chan))
		return E_FULL;
	w->auth = a;
	if ((e = enter(net, w)) != E_OK)
		return e;
	ipc_begin(net->chan, IPC_TOKEN);
	ipc_put_u64(net->chan, w->id);
	ipc_put_bytes(net->chan, token.p, token.n);
	ev_now_update(a->loop);
	ev_timer_init(
	    &w->deadline, on_deadline, 2. * a->conf.token_timeout + SLACK, 0.);
	w->deadline.data = w;
	if ((e = ipc_end(net->chan)) != E_OK)
		forget(w);
	else
		ev_timer_start(a->loop, &w->deadline);
	return e;
}

/* ---- what it says ---- */

/* One that was given up may have crossed it. */
static enum err
take_answer(void *arg, struct ipc_in *in)
{
	struct net *net = arg;
	uint64_t id = ipc_get_u64(in);
	struct token_wait *w = net->wait[id % TOKENS_MAX];
	struct token_answer said = { .result = TOKEN_FAILED };
	uint8_t issuer;

	said.result = (enum token_result)ipc_get_u8_to(in, TOKEN_RESULTS - 1);
	issuer = ipc_get_u8_to(in, (uint8_t)net->n_issuers);
	ipc_get_str(in, said.user, sizeof(said.user));
	ipc_get_str(in, said.why, sizeof(said.why));
	if (ipc_get_end(in) != E_OK || id == 0 || id > net->serial)
		return E_FORMAT;
	if (said.result == TOKEN_GOOD && (issuer == 0 || said.user[0] == '\0'))
		return E_FORMAT;
	if (w == NULL || w->id != id)
		return E_OK;
	if (issuer != 0)
		said.issuer = &net->issuer[issuer - 1];
	forget(w);
	w->done(w, &said);
	return E_OK;
}

static const struct ipc_rule rule[] = {
	{ IPC_TOKEN_IS, 1, 0, 8 + 1 + 1 + 2 * 4 + NAME_MAX_OCTETS + 256,
	    take_answer },
};

/* ---- coming and going ---- */

/* Whoever waits hears of it. */
static void
net_free(struct net *net)
{
	struct auth *a = net->auth;

	if (a->net == net)
		a->net = NULL;
	net->leaving = false;
	ev_timer_stop(a->loop, &net->gone);
	for (unsigned i = 0; i < TOKENS_MAX; i++)
		if (net->wait[i] != NULL)
			fail(net->wait[i], "the process net has ended");
	ipc_close(net->chan);
	free(net);
}

static void
on_gone(void *arg, enum err why)
{
	struct net *net = arg;

	role_link_lost(&net->auth->role, ROLE_NET, 0, why);
	net_free(net);
}

static const struct ipc_rules rules = { rule, sizeof(rule) / sizeof(rule[0]),
	on_gone };

static void
on_let_go(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct net *net = t->data;

	if (net->n_waits == 0)
		net_free(net);
}

/* Whose token it looks at may still be answered. */
static void
leave(struct net *net)
{
	if (net->n_waits == 0)
		net_free(net);
	else
		net->leaving = true;
}

void
net_attach(struct auth *a, int fd)
{
	struct net *net;

	if (a->net != NULL)
		leave(a->net);
	if ((net = calloc(1, sizeof(*net))) == NULL) {
		close(fd);
		return;
	}
	net->auth = a;
	memcpy(net->issuer, a->conf.issuer, sizeof(net->issuer));
	net->n_issuers = a->conf.n_issuers;
	ev_timer_init(&net->gone, on_let_go, 0., 0.);
	net->gone.data = net;
	if ((net->chan = ipc_open(a->loop, fd, &rules, net, true)) == NULL)
		free(net);
	else
		a->net = net;
}

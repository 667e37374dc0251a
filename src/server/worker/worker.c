#include "server/worker/worker.h"

#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/close_later.h"
#include "base/log.h"
#include "base/pool.h"
#include "net/addr.h"
#include "net/peer_uid.h"
#include "net/tls.h"
#include "net/tls_memory.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/control.h"
#include "server/ipc/proto.h"
#include "server/ipc/tally.h"
#include "server/ipc/trust.h"
#include "server/worker/admission.h"
#include "server/worker/census.h"
#include "server/worker/io.h"
#include "server/worker/retrieve.h"
#include "server/worker/serving.h"
#include "server/worker/session.h"
#include "server/worker/traced.h"
#include "server/worker/worker_messages.h"
#include "server/worker/worker_state.h"
#include "server/worker/worker_tls.h"

enum {
	READERS = 4,
	ACCEPT_AT_ONCE = 16, /* then other sessions have their turn */
	ACCEPT_IN_ROW = 4,   /* turns, after which more are taken in one */
	BACKLOG = 1024,      /* that can wait at a listener: parent/listen.c */
	FDS_FOR_OURSELVES = 64,
	HEAP_SPARE = 1024 * 1024, /* free memory that is kept for the next */
};

/* Nothing that opens, creates, connects or executes. */
static const char *const calls[] = { "accept4", "getpeername", "getsockname",
	"pread64", "preadv2", "recvfrom", "sendto", "shutdown" };

/* ---- the parent ---- */

static enum err
on_tickets(void *arg, struct ipc_in *in)
{
	struct slice keys = ipc_get_slice(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return tls_tickets_set(keys.p, keys.n);
}

static enum err
on_certificate(void *arg, struct ipc_in *in)
{
	return worker_tls_take(arg, in);
}

/* Connections that there are already stay as they were. */
static enum err
on_client_ca(void *arg, struct ipc_in *in)
{
	struct worker *w = arg;

	return trust_take(&w->client_ca, in);
}

/* Another maloted was in our place until now. */
static enum err
on_accept_now(void *arg, struct ipc_in *in)
{
	struct worker *w = arg;

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	w->conf.role.held = false;
	if (w->served)
		ev_feed_event(w->loop, &w->resume_accept, EV_TIMER);
	else
		ev_timer_start(w->loop, &w->resume_accept);
	return E_OK;
}

static void
end_all(struct worker *w)
{
	for (uint32_t i = 0; i < w->n_slots; i++)
		if (w->slots[i] != NULL)
			session_end(w->slots[i], "shutdown");
}

static void
on_stop_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	end_all(t->data);
}

static void
on_stop(void *arg, uint32_t ms)
{
	struct worker *w = arg;

	if (!w->stopping)
		serving_shut(w, w->serving);
	serving_forget(&w->next);
	w->stopping = true;
	ev_timer_stop(w->loop, &w->resume_accept);
	ev_timer_stop(w->loop, &w->stop);
	ev_timer_set(&w->stop, ms / 1000.0, 0.);
	ev_timer_start(w->loop, &w->stop);
}

static void
on_orphaned(void *arg)
{
	struct worker *w = arg;

	end_all(w);
	ev_break(w->loop, EVBREAK_ALL);
}

static void
on_turn_end(void *arg)
{
	struct worker *w = arg;

	session_free_dead(w);
	if (w->stopping && w->n_sessions == 0)
		ev_break(w->loop, EVBREAK_ALL);
}

static const struct ipc_rule parent_rule[] = {
	{ IPC_TICKETS, 1, 0, 512, on_tickets },
	{ IPC_CERTIFICATE, 1, 0, 2 * PEM_MAX + OCSP_MAX + 64, on_certificate },
	{ IPC_CLIENT_CA, 1, 2, 0, on_client_ca },
	{ IPC_SESSIONS_WANTED, 1, 0, 8 + 1 + 4 + CONTROL_WHICH_MAX,
	    census_take },
	{ IPC_TRACE, 1, 0, 4 + 1 + 1 + 4 + NAME_MAX_OCTETS, traced_take },
	{ IPC_ACCEPT, 1, 0, 0, on_accept_now },
};

static uint32_t
worker_sessions(const void *arg)
{
	return ((const struct worker *)arg)->n_sessions;
}

/* ---- clients ---- */

static void
on_resume_accept(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct worker *w = t->data;

	if (!worker_tls_is_ready(w)) {
		ev_timer_stop(loop, t);
		ev_timer_set(t, 0.02, 0.);
		ev_timer_start(loop, t);
		return;
	}
	w->accepting = true;
	ev_timer_stop(loop, t);
	if (!w->stopping)
		serving_accept(w, w->serving);
}

/* No descriptors or memory: whoever waits is served when there is some. */
static void
pause_accept(struct worker *w)
{
	log_line(LOG_FAULT, "ev=accept error=\"%s\"", strerror(errno));
	serving_pause(w, w->serving);
	ev_timer_set(&w->resume_accept, 0.1, 0.);
	ev_timer_start(w->loop, &w->resume_accept);
}

/* A kernel that does not say it keeps nobody out: there is the password. */
static bool
is_of_others(const struct listener *l, int fd)
{
	uid_t uid;

	if (!l->same_user || l->worker->uids < 0)
		return false;
	switch (peer_uid_of(l->worker->uids, fd, &uid)) {
	case E_OK: return uid != 0 && uid != l->worker->own;
	case E_NOENT: return true;
	default: return false;
	}
}

/* NULL: it is served.  Of a proxy's client that is asked later.  Where only
 * proxies speak, who else comes could say to be anybody. */
static const char *
why_denied(
    const struct listener *l, int fd, const struct sockaddr_storage *addr)
{
	if (is_of_others(l, fd))
		return "same_user";
	if (l->proxies.n == 0)
		return admission_refusal(l, addr);
	if (admission_is_proxy(l, addr))
		return NULL;
	return l->proxy == PROXY_BY_HEADER ? "proxy_from"
					   : admission_refusal(l, addr);
}

/* It gets no word: whoever knocks from there often costs no more than this. */
static void
deny(struct worker *w, int fd, const struct sockaddr_storage *addr,
    const char *why)
{
	char peer[ADDR_TEXT];

	close(fd);
	tally_add(TALLY_TURNED_AWAY, 1);
	if (burst_is_first(&w->denied, w->loop))
		log_line(LOG_WARNING, "ev=turned-away ip=%s why=%s",
		    addr_text(peer, addr), why);
}

static void
take_client(struct listener *l, int fd, struct sockaddr_storage *addr)
{
	const char *why;

	if (l->local)
		addr_set_loopback(addr);
	why = why_denied(l, fd, addr);

	if (why != NULL)
		deny(l->worker, fd, addr, why);
	else
		session_new(l->worker, fd, addr, l);
}

/* At most n; returns how many.  Fewer: nobody waits there now. */
static unsigned
accept_some(struct listener *l, unsigned n)
{
	unsigned took = 0;

	for (; took < n; took++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t length = sizeof(addr);
		int fd = accept4(l->accept.fd, (struct sockaddr *)&addr,
		    &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_client(l, fd, &addr);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			pause_accept(l->worker);
		if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	return took;
}

/* A call that finds nobody costs nearly what one that finds somebody does.  So one
 * client is taken in a turn, and more only while they come turn after turn. */
static void
on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct listener *l = io->data;
	unsigned turn = ev_iteration(loop), took;

	if (l->at_once == 0 || turn != l->turn + 1) {
		l->at_once = 1;
		l->in_row = 0;
	}
	l->turn = turn;
	took = accept_some(l, l->at_once);
	if (took < l->at_once) {
		l->at_once = took > 1 ? took : 1;
		l->in_row = 0;
	} else if (++l->in_row == ACCEPT_IN_ROW) {
		l->in_row = 0;
		if (l->at_once <= ACCEPT_AT_ONCE / 2)
			l->at_once *= 2;
	}
}

/* ---- settings that come anew ---- */

static bool
wants_uids(const struct worker_conf *conf)
{
	bool wants = false;

	for (unsigned i = 0; i < conf->n_listeners; i++)
		wants = wants || conf->listener[i].same_user;
	return wants;
}

static enum err
prepare(void *arg, void *conf, struct errbuf *eb)
{
	struct worker *w = arg;
	enum err e;

	role_tally_close(&((struct worker_conf *)conf)->tally);
	serving_forget(&w->next);
	if ((e = serving_new(w, conf, &w->next, eb)) != E_OK)
		return e;
	e = worker_tls_prepare(w->next, eb);
	/* Nothing is opened any more that could ask the kernel. */
	if (e == E_OK && wants_uids(&w->next->conf) && !w->has_asked_uids)
		e = err_set(eb, E_CONFIG,
		    "no listener had same_user at the start; for the first one "
		    "say malotectl restart");
	if (e != E_OK)
		serving_forget(&w->next);
	return e;
}

/* Who has connected before is served as it was then, even who waits yet. */
static void
take_over(struct worker *w)
{
	struct serving *was = w->serving;

	if (w->auth != NULL)
		ipc_drain(w->auth); /* what it serves by these settings */
	for (unsigned i = 0; w->accepting && i < was->conf.n_listeners; i++)
		for (int k = 0; k < BACKLOG / ACCEPT_AT_ONCE; k++)
			if (accept_some(&was->listener[i], ACCEPT_AT_ONCE) <
			    ACCEPT_AT_ONCE)
				break;
	serving_shut(w, was);
	w->serving = w->next;
	w->next = NULL;
	w->conf = w->serving->conf;
	worker_offer(w, w->serving);
	if (w->accepting && !ev_is_active(&w->resume_accept))
		serving_accept(w, w->serving);
	serving_drop(w, was);
}

static void
decide(void *arg, bool use)
{
	struct worker *w = arg;

	if (use && w->next != NULL && !w->stopping)
		take_over(w);
	else
		serving_forget(&w->next);
}

static const struct role_hooks hooks = {
	.settings = &worker_conf_fields,
	.settings_size = sizeof(struct worker_conf),
	.prepare = prepare,
	.decide = decide,
	.attach = worker_attach,
	.stop = on_stop,
	.orphaned = on_orphaned,
	.turn_end = on_turn_end,
	.sessions = worker_sessions,
	.rule = parent_rule,
	.n_rules = sizeof(parent_rule) / sizeof(parent_rule[0]),
};

/* ---- beginning ---- */

static bool
make_slots(struct worker *w)
{
	uint32_t n = w->n_slots = w->conf.slots;

	w->slots = calloc(n, sizeof(struct session *));
	w->free_slots = calloc(n, sizeof(uint32_t));
	if (w->slots == NULL || w->free_slots == NULL)
		return false;
	while (n-- > 0)
		w->free_slots[w->n_free++] = n;
	return true;
}

/* What is left for messages when every session has its two. */
static void
budget_fds(struct worker *w)
{
	struct rlimit lim;
	rlim_t taken = 2 * (rlim_t)w->n_slots + FDS_FOR_OURSELVES;

	w->fds_max = WINDOW_MAX;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 &&
	    lim.rlim_cur > taken + w->fds_max)
		w->fds_max = (unsigned)(lim.rlim_cur - taken);
}

static void
map_counts(struct worker *w)
{
	struct errbuf eb;

	if (addrcount_map_row(&w->counts, w->conf.counts_fd, w->conf.role.n,
		w->conf.role.index, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
}

static void
open_uids(struct worker *w)
{
	struct errbuf eb;

	w->uids = -1;
	w->own = geteuid();
	w->has_asked_uids = wants_uids(&w->conf);
	if (w->has_asked_uids && peer_uid_open(&w->uids, &eb) != E_OK)
		log_line(
		    LOG_FAULT, "ev=start same_user=no error=\"%s\"", eb.text);
}

static void
worker_start(struct worker *w, struct worker_conf *conf)
{
	struct errbuf eb;

	w->conf = *conf;
	open_uids(w);
	w->denied.words = "ev=turned-away why=nets more";
	w->turned_away.words = "ev=turned-away why=limit more";
	TAILQ_INIT(&w->holding);
	TAILQ_INIT(&w->dead);
	w->serial = clock_unix_ms();
	w->read_done = session_read_done;
	w->on_accept = on_accept;
	w->needs_tls = session_needs_tls;
	w->trace = traced_line;
	w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (w->loop == NULL || !make_slots(w))
		fatal("ev=start error=\"out of memory\"");
	worker_tls_begin();
	role_tally(&w->conf.tally);
	budget_fds(w);
	map_counts(w);
	if (serving_new(w, conf, &w->serving, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	w->conf = w->serving->conf;
	role_enter(&w->conf.role, NULL);
	if (pool_new(&w->readers, w->loop, READERS, &eb) != E_OK ||
	    close_later_start(w->loop, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	pool_limit(w->readers, READERS / 2);
	/* Auth says at once what can be offered: worker_messages.c.  Without it
	 * sign-ins fail, but in words. */
	ev_timer_init(&w->resume_accept, on_resume_accept, 1., 0.);
	ev_timer_init(&w->stop, on_stop_deadline, 0., 0.);
	w->resume_accept.data = w->stop.data = w;
	if (!w->conf.role.held)
		ev_timer_start(w->loop, &w->resume_accept);
}

int
worker_main(int ctl)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct worker_conf *conf = calloc(1, sizeof(*conf));

	if (w == NULL || conf == NULL)
		fatal("ev=start error=\"out of memory\"");
	role_begin("worker", ctl, &worker_conf_fields, conf);
	/* Buffers of replies come and go all the time. */
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE);
	mallopt(M_MMAP_THRESHOLD, HEAP_SPARE / 2);
	(void)tls_memory_pool(); /* without it memory is only not given back */
	tzset();                 /* while there is a file to read it from */
	worker_start(w, conf);
	role_limit(calls, sizeof(calls) / sizeof(calls[0]));
	role_open(&w->role, &hooks, w->loop, ctl);
	role_serve(&w->role);
	return 0;
}

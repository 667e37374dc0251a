#include "server/worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/clock.h"
#include "base/close_later.h"
#include "base/log.h"
#include "base/pool.h"
#include "net/addr.h"
#include "net/peer_uid.h"
#include "net/tls.h"
#include "net/tls_memory.h"
#include "sasl/sasl.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/control.h"
#include "server/ipc/proto.h"
#include "server/ipc/sealed.h"
#include "server/ipc/tally.h"
#include "server/ipc/trust.h"
#include "server/worker/admission.h"
#include "server/worker/census.h"
#include "server/worker/io.h"
#include "server/worker/retrieve.h"
#include "server/worker/session.h"
#include "server/worker/traced.h"
#include "server/worker/worker_messages.h"
#include "server/worker/worker_state.h"
#include "server/worker/worker_tls.h"

enum {
	READERS = 4,
	ACCEPT_AT_ONCE = 16, /* then other sessions have their turn */
	FDS_FOR_OURSELVES = 64,
	HEAP_SPARE = 1024 * 1024, /* free memory that is kept for the next */
	/* What a client may send before it is taken: any line fits, and what is
	 * read at a time.  With tickets it is more, see TICKET_MAX, and with
	 * tokens. */
	IN_MAX = 8 * 1024,
	IN_MAX_TICKETS = B64_ENCODED(TICKET_MAX) + 28 + 2 * READ_PIECE,
	IN_MAX_TOKENS = B64_ENCODED(TOKEN_MESSAGE_MAX) + 28 + 2 * READ_PIECE,
};

static_assert(B64_ENCODED(SASL_MAX) + 28 <= IN_MAX - READ_PIECE,
    "the longest line fits, see pop3_server_run()");
static_assert(2 * READ_PIECE <= IN_MAX, "so does what is read ahead");

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
	for (uint32_t i = 0; i < w->conf.sessions_max; i++)
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
		for (unsigned i = 0; i < w->conf.n_listeners; i++) {
			ev_io_stop(w->loop, &w->listener[i].accept);
			close(w->conf.listener[i].fd);
		}
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

static const struct role_hooks hooks = {
	.attach = worker_attach,
	.stop = on_stop,
	.orphaned = on_orphaned,
	.turn_end = on_turn_end,
	.sessions = worker_sessions,
	.rule = parent_rule,
	.n_rules = sizeof(parent_rule) / sizeof(parent_rule[0]),
};

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
	for (unsigned i = 0; !w->stopping && i < w->conf.n_listeners; i++)
		ev_io_start(loop, &w->listener[i].accept);
}

/* No descriptors or memory: whoever waits is served when there is some. */
static void
pause_accept(struct worker *w)
{
	log_line(LOG_FAULT, "ev=accept error=\"%s\"", strerror(errno));
	for (unsigned i = 0; i < w->conf.n_listeners; i++)
		ev_io_stop(w->loop, &w->listener[i].accept);
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
take_client(struct listener *l, int fd, const struct sockaddr_storage *addr)
{
	const char *why = why_denied(l, fd, addr);

	if (why != NULL)
		deny(l->worker, fd, addr, why);
	else
		session_new(l->worker, fd, addr, l);
}

static void
on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct listener *l = io->data;

	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t n = sizeof(addr);
		int fd = accept4(io->fd, (struct sockaddr *)&addr, &n,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_client(l, fd, &addr);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			pause_accept(l->worker);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* ---- beginning ---- */

static void
allow_messages(struct listener *l, size_t octets, size_t in_max)
{
	if (octets > l->policy.sasl_max)
		l->policy.sasl_max = octets;
	if (in_max > l->in_max)
		l->in_max = in_max;
}

static void
allow_tickets(struct listener *l)
{
	allow_messages(l, TICKET_MAX, IN_MAX_TICKETS);
}

/* The names that are configured.  None is offered before auth says that it can
 * be served, but those that ask for a password. */
static void
find_mechanisms(struct listener *l, const char *p)
{
	size_t max = strlen(p) / 2 + 1;

	if ((l->mechanisms = calloc(max, sizeof(*l->mechanisms))) == NULL)
		fatal("ev=start error=\"out of memory\"");
	for (p += strspn(p, " "); *p != '\0'; p += strspn(p, " ")) {
		struct slice name = { p, strcspn(p, " ") };
		const struct sasl_mechanism *m = sasl_find(name);

		p += name.n;
		if (m == NULL)
			continue; /* maloted --check has said so */
		if (m->asks == SASL_TICKET)
			allow_tickets(l);
		if (m->asks == SASL_TOKEN)
			allow_messages(l, TOKEN_MESSAGE_MAX, IN_MAX_TOKENS);
		l->mechanisms[l->policy.n_mechanisms++] =
		    (struct pop3_mechanism){
			    .name = m->name,
			    .withheld = m->asks != SASL_PASSWORD,
			    .plaintext = (m->flags & SASL_PLAINTEXT) != 0 ||
					 (m->asks == SASL_TICKET &&
					     !l->plaintext_gssapi),
			    .server_first = (m->flags & SASL_SERVER_FIRST) != 0,
			    .binds = (m->flags & SASL_NEEDS_BINDING) != 0,
			    .certificate =
				(m->flags & SASL_NEEDS_CERTIFICATE) != 0,
		    };
	}
	l->policy.mechanisms = l->mechanisms;
}

static void
find_nets(struct nets *to, const char *text)
{
	size_t room = strlen(text) / CIDR_TEXT_MIN + 1;
	struct errbuf eb = { "out of memory" };

	to->net = calloc(room, sizeof(*to->net));
	if (to->net == NULL ||
	    cidr_parse_list(to->net, room, &to->n,
		(struct slice){ text, strlen(text) }, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
}

static_assert(POP3_LINE_PASS == sizeof("PASS ") - 1 + PASSWORD_MAX + 2,
    "a password of any length fits into the line of PASS");
static_assert(POP3_LINE_USER == sizeof("USER ") - 1 + NAME_MAX_OCTETS + 2,
    "a name of any length fits into the line of USER");

static void
listen_on(struct worker *w, unsigned i)
{
	const struct worker_conf *conf = &w->conf;
	struct listener *l = &w->listener[i];

	l->worker = w;
	l->tls = conf->listener[i].tls;
	l->kpop = conf->listener[i].kpop;
	l->same_user = conf->listener[i].same_user;
	l->plaintext_gssapi = conf->listener[i].plaintext_gssapi;
	l->apop = conf->apop && !l->kpop;
	l->in_max = IN_MAX;
	l->proxy = conf->listener[i].proxy;
	l->secured = conf->listener[i].secured;
	l->client_certificates = conf->listener[i].client_certificates;
	l->policy = (struct pop3_policy){
		.host = conf->host,
		.implementation = conf->implementation[0] != '\0'
				      ? conf->implementation
				      : NULL,
		.languages = &w->languages,
		.sasl_max = SASL_MAX,
		.bad_max = conf->bad_max,
		.failures_max = conf->failures_max,
		.plain_passwords = conf->listener[i].plain_passwords || l->kpop,
		.one_sign_in = l->kpop,
		.stls = l->tls == LISTEN_STLS &&
			conf->listener[i].certificates != 0,
		.needs_tls = session_needs_tls,
		.sdps = conf->sdps,
		.trace = conf->trace ? traced_line : NULL,
	};
	find_mechanisms(l, l->kpop ? "" : conf->listener[i].mechanisms);
	if (l->kpop)
		allow_tickets(l);
	find_nets(&l->allow, conf->listener[i].allow_nets);
	find_nets(&l->deny, conf->listener[i].deny_nets);
	find_nets(&l->proxies, conf->listener[i].proxy_from);
	ev_io_init(&l->accept, on_accept, conf->listener[i].fd, EV_READ);
	l->accept.data = l;
}

static bool
make_slots(struct worker *w)
{
	uint32_t n = w->conf.sessions_max;

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
	rlim_t taken = 2 * (rlim_t)w->conf.sessions_max + FDS_FOR_OURSELVES;

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
	close(w->conf.counts_fd[0]);
	close(w->conf.counts_fd[1]);
}

/* The words stay in the memory that all workers share. */
static void
map_languages(struct worker *w)
{
	const char *p;
	struct errbuf eb;
	size_t n;

	if (sealed_map(w->conf.languages_fd, &p, &n, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	close(w->conf.languages_fd);
	if (pop3_languages_read(&w->languages, p, n, w->conf.language) != E_OK)
		fatal("ev=start error=languages");
}

static void
open_uids(struct worker *w)
{
	struct errbuf eb;

	w->uids = -1;
	w->own = geteuid();
	for (unsigned i = 0; i < w->conf.n_listeners && w->uids < 0; i++)
		if (w->conf.listener[i].same_user &&
		    peer_uid_open(&w->uids, &eb) != E_OK)
			log_line(LOG_FAULT,
			    "ev=start same_user=no error=\"%s\"", eb.text);
}

static void
worker_start(struct worker *w)
{
	struct errbuf eb;

	open_uids(w);
	w->denied.words = "ev=turned-away why=nets more";
	w->turned_away.words = "ev=turned-away why=limit more";
	TAILQ_INIT(&w->holding);
	TAILQ_INIT(&w->dead);
	w->serial = clock_unix_ms();
	w->read_done = session_read_done;
	w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (w->loop == NULL || !make_slots(w))
		fatal("ev=start error=\"out of memory\"");
	worker_tls_begin();
	budget_fds(w);
	map_counts(w);
	role_tally(&w->conf.tally);
	map_languages(w);
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

	if (w == NULL)
		fatal("ev=start error=\"out of memory\"");
	role_begin("worker", ctl, &worker_conf_fields, &w->conf);
	/* Buffers of replies come and go all the time. */
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE);
	mallopt(M_MMAP_THRESHOLD, HEAP_SPARE / 2);
	(void)tls_memory_pool(); /* without it memory is only not given back */
	tzset();                 /* while there is a file to read it from */
	worker_start(w);
	role_limit(calls, sizeof(calls) / sizeof(calls[0]));
	for (unsigned i = 0; i < w->conf.n_listeners; i++)
		listen_on(w, i);
	role_open(&w->role, &hooks, w->loop, ctl);
	role_serve(&w->role);
	return 0;
}

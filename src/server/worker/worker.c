#include "server/worker/worker.h"

#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"
#include "net/tls_memory.h"
#include "sasl/sasl.h"
#include "server/ipc/addrcount.h"
#include "server/worker/session.h"

enum {
	READERS = 4,
	ACCEPT_AT_ONCE = 16, /* then other sessions have their turn */
	CONF_MS = 10000,
	STORES_MAX = 4096,
	FDS_FOR_OURSELVES = 64,
	HEAP_SPARE = 1024 * 1024, /* free memory that is kept for the next */
};

/* Nothing that opens, creates, connects or executes. */
static const char *const calls[] = { "accept", "accept4", "pread64", "preadv2",
	"recvfrom", "sendto", "shutdown" };

/* ---- answers of auth and stores ---- */

static enum err
on_challenge(void *arg, struct ipc_in *in)
{
	struct session *s = session_find(arg, ipc_get_u64(in));
	struct slice data = ipc_get_slice(in);
	enum err e = ipc_get_end(in);

	if (e == E_OK && s != NULL)
		session_challenged(s, data);
	return e;
}

static enum err
on_refused(void *arg, struct ipc_in *in)
{
	struct session *s = session_find(arg, ipc_get_u64(in));
	uint8_t code = ipc_get_u8(in);
	enum err e;

	(void)ipc_get_slice(in); /* user and reason: auth has logged them */
	(void)ipc_get_slice(in);
	if ((e = ipc_get_end(in)) != E_OK || code >= SIGN_IN_CODES)
		return E_FORMAT;
	if (s != NULL)
		session_refused(s, code, NULL);
	return E_OK;
}

static enum err
on_opened(void *arg, struct ipc_in *in)
{
	struct store_link *l = arg;
	uint64_t sid = ipc_get_u64(in), octets;
	struct session *s = session_find(l->worker, sid);
	char user[NAME_MAX_OCTETS + 1];
	uint32_t count;

	ipc_get_str(in, user, sizeof(user));
	count = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	octets = ipc_get_u64(in);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	if (s != NULL && s->wait == WAIT_SIGN_IN)
		session_opened(s, l, user, count, octets);
	else /* the client did not wait */
		session_tell(l->chan, IPC_RELEASE, sid);
	return E_OK;
}

static enum err
on_not_opened(void *arg, struct ipc_in *in)
{
	struct store_link *l = arg;
	struct session *s = session_find(l->worker, ipc_get_u64(in));
	char when[CLOCK_LOCAL];
	struct slice from;
	uint64_t since;
	uint8_t code;

	(void)ipc_get_slice(in);
	code = ipc_get_u8(in);
	since = ipc_get_u64(in);
	from = ipc_get_slice(in);
	clock_local(when, since);
	if (ipc_get_end(in) != E_OK || code >= SIGN_IN_CODES)
		return E_FORMAT;
	if (s != NULL)
		session_refused(s, code,
		    (struct pop3_arg[POP3_TEXT_ARGS]){
			{ .text = { when, strlen(when) } }, { .text = from } });
	return E_OK;
}

/* The session of a message, if it is one that this store serves. */
static struct session *
served(struct store_link *l, struct ipc_in *in)
{
	struct session *s = session_find(l->worker, ipc_get_u64(in));

	return s != NULL && s->store == l ? s : NULL;
}

static enum err
on_index_is(void *arg, struct ipc_in *in)
{
	struct session *s = served(arg, in);
	bool ok = ipc_get_u8(in) != 0;
	uint64_t end = ipc_get_u64(in);

	if (s == NULL)
		return E_OK;
	if (s->wait != WAIT_INDEX)
		return E_FORMAT;
	if (ok)
		s->view->fd = ipc_get_fd(in);
	s->view->end = end;
	s->view->failed = !ok;
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	session_go(s);
	return E_OK;
}

static enum err
on_fetched(void *arg, struct ipc_in *in)
{
	struct session *s = served(arg, in);
	enum err e;

	if (s == NULL)
		return E_OK;
	e = retrieve_fetched(s, in);
	if (e == E_OK && s->wait == WAIT_MESSAGE)
		session_go(s);
	return e;
}

static enum err
on_committed(void *arg, struct ipc_in *in)
{
	struct session *s = served(arg, in);
	uint32_t removed = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	uint32_t failed = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	enum err e = ipc_get_end(in);

	if (e == E_OK && s != NULL && s->wait == WAIT_COMMIT)
		session_committed(s, removed, failed);
	return e;
}

static enum err
on_yield(void *arg, struct ipc_in *in)
{
	struct store_link *l = arg;
	uint64_t sid = ipc_get_u64(in);
	uint32_t seconds = ipc_get_u32(in);
	struct session *s = session_find(l->worker, sid);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	/* One that is no more has said IPC_RELEASE already. */
	if (s != NULL && s->store == l && !session_yield(s, seconds))
		session_tell(l->chan, IPC_KEEP, sid);
	return E_OK;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_CHALLENGE, 1, 0, SASL_MAX + 16, on_challenge },
	{ IPC_REFUSED, 1, 0, 1024, on_refused },
};

static const struct ipc_rule store_rule[] = {
	{ IPC_OPENED, 1, 0, 512, on_opened },
	{ IPC_NOT_OPENED, 1, 0, 1024, on_not_opened },
	{ IPC_INDEX_IS, 1, 1, 32, on_index_is },
	{ IPC_FETCHED, 1, IPC_FDS, 2048, on_fetched },
	{ IPC_COMMITTED, 1, 0, 32, on_committed },
	{ IPC_YIELD, 1, 0, 16, on_yield },
};

/* ---- processes that come and go ---- */

static void
report(struct worker *w, enum err why, enum ipc_role role, uint16_t index)
{
	if (why != E_FORMAT)
		return;
	ipc_begin(w->parent, IPC_MISBEHAVED);
	ipc_put_u8(w->parent, (uint8_t)role);
	ipc_put_u16(w->parent, index);
	if (ipc_end(w->parent) != E_OK)
		log_line(LOG_FAULT, "ev=queue error=full");
}

static void
on_auth_gone(void *arg, enum err why)
{
	struct worker *w = arg;

	report(w, why, ROLE_AUTH, 0);
	ipc_close(w->auth);
	w->auth = NULL;
	for (uint32_t i = 0; i < w->conf.sessions_max; i++)
		if (w->slots[i] != NULL)
			session_lost_auth(w->slots[i]);
}

static void
on_store_gone(void *arg, enum err why)
{
	struct store_link *l = arg;
	struct worker *w = l->worker;

	report(w, why, ROLE_STORE, l->index);
	ipc_close(l->chan);
	l->chan = NULL;
	for (uint32_t i = 0; i < w->conf.sessions_max; i++)
		if (w->slots[i] != NULL)
			session_lost_store(w->slots[i], l);
}

static const struct ipc_rules auth_rules = { auth_rule,
	sizeof(auth_rule) / sizeof(auth_rule[0]), on_auth_gone };
static const struct ipc_rules store_rules = { store_rule,
	sizeof(store_rule) / sizeof(store_rule[0]), on_store_gone };

static struct store_link *
store_at(struct worker *w, uint16_t index)
{
	struct store_link **all;

	if (index >= w->n_stores) {
		size_t n = (size_t)index + 1;

		if ((all = realloc(
			 w->stores, n * sizeof(struct store_link *))) == NULL)
			return NULL;
		memset(all + w->n_stores, 0,
		    (n - w->n_stores) * sizeof(struct store_link *));
		w->stores = all;
		w->n_stores = n;
	}
	if (w->stores[index] == NULL &&
	    (w->stores[index] = calloc(1, sizeof(struct store_link))) != NULL) {
		w->stores[index]->worker = w;
		w->stores[index]->index = index;
	}
	return w->stores[index];
}

static enum err
on_attach(void *arg, struct ipc_in *in)
{
	struct worker *w = arg;
	uint8_t role = ipc_get_u8(in);
	uint16_t index = ipc_get_u16(in);
	int fd = ipc_get_fd(in);
	struct store_link *l;

	if (ipc_get_end(in) != E_OK || index >= STORES_MAX)
		return E_FORMAT;
	/* A new one may be announced before the old one's end was seen. */
	if (role == ROLE_AUTH) {
		if (w->auth != NULL)
			on_auth_gone(w, E_CLOSED);
		w->auth = ipc_open(w->loop, fd, &auth_rules, w, true);
		w->auths++;
	} else if (role == ROLE_STORE && (l = store_at(w, index)) != NULL) {
		if (l->chan != NULL) {
			ipc_drain(l->chan);
			if (l->chan != NULL)
				on_store_gone(l, E_CLOSED);
		}
		l->chan = ipc_open(w->loop, fd, &store_rules, l, false);
	} else {
		close(fd);
	}
	return E_OK;
}

/* ---- the parent ---- */

static enum err
on_tickets(void *arg, struct ipc_in *in)
{
	struct slice keys = ipc_get_slice(in);

	(void)arg;
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return tls_tickets_set(keys.p, keys.n);
}

static enum err
use_certificate(struct worker *w, const char *certificate, const char *key)
{
	struct tls_conf tc = { certificate, key, w->conf.tls_min,
		w->conf.tls_ciphers };
	SSL_CTX *ctx;
	struct errbuf eb;
	enum err e = tls_context_new(&ctx, &tc, &eb);

	if (e != E_OK) {
		log_line(LOG_FAULT, "ev=certificate error=\"%s\"", eb.text);
		return e;
	}
	tls_context_free(w->tls);
	w->tls = ctx;
	return E_OK;
}

static enum err
on_certificate(void *arg, struct ipc_in *in)
{
	struct slice certificate = ipc_get_slice(in), key = ipc_get_slice(in);
	char *c, *k;

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	c = strndup(certificate.p, certificate.n);
	k = strndup(key.p, key.n);
	if (c != NULL && k != NULL)
		(void)(use_certificate(arg, c, k) ==
		       E_OK); /* else the old one */
	if (k != NULL)
		explicit_bzero(k, key.n);
	free(c);
	free(k);
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
	(void)loop;
	(void)revents;
	end_all(t->data);
}

static enum err
on_stop(void *arg, struct ipc_in *in)
{
	struct worker *w = arg;
	uint32_t ms = ipc_get_u32(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
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
	return E_OK;
}

static void
on_parent_gone(void *arg, enum err why)
{
	struct worker *w = arg;

	(void)why;
	end_all(w);
	ev_break(w->loop, EVBREAK_ALL);
}

static const struct ipc_rule parent_rule[] = {
	{ IPC_ATTACH, 1, 1, 16, on_attach },
	{ IPC_TICKETS, 1, 0, 512, on_tickets },
	{ IPC_CERTIFICATE, 1, 0, 2 * PEM_MAX + 64, on_certificate },
	{ IPC_STOP, 1, 0, 16, on_stop },
};

static const struct ipc_rules parent_rules = { parent_rule,
	sizeof(parent_rule) / sizeof(parent_rule[0]), on_parent_gone };

/* ---- clients ---- */

static void
on_resume_accept(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct worker *w = t->data;

	(void)revents;
	for (unsigned i = 0; i < w->conf.n_listeners; i++)
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

static void
on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct listener *l = io->data;

	(void)loop;
	(void)revents;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t n = sizeof(addr);
		int fd = accept4(io->fd, (struct sockaddr *)&addr, &n,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			session_new(l->worker, fd, &addr, l);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			pause_accept(l->worker);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void
on_turn_end(struct ev_loop *loop, ev_prepare *p, int revents)
{
	struct worker *w = p->data;

	(void)revents;
	session_free_dead(w);
	log_flush();
	if (w->stopping && w->n_sessions == 0)
		ev_break(loop, EVBREAK_ALL);
}

/* ---- beginning ---- */

static enum err
take_conf(void *arg, struct ipc_in *in)
{
	return pop3_conf_get(in, arg);
}

/* The configured names that the auth process can answer. */
static bool
find_mechanisms(struct worker *w)
{
	const char *p = w->conf.mechanisms;
	size_t max = strlen(p) / 2 + 1;

	w->mechanisms = calloc(max, sizeof(*w->mechanisms));
	if (w->mechanisms == NULL)
		return false;
	while (*p != '\0') {
		struct slice name = { p, strcspn(p, " ") };
		const struct sasl_mechanism *m =
		    sasl_find_asking(name, SASL_PASSWORD);

		p += name.n;
		p += strspn(p, " ");
		if (m == NULL)
			continue; /* maloted --check has said so */
		w->mechanisms[w->n_mechanisms++] = (struct pop3_mechanism){
			.name = m->name,
			.plaintext = (m->flags & SASL_PLAINTEXT) != 0,
			.server_first = (m->flags & SASL_SERVER_FIRST) != 0,
		};
	}
	return true;
}

static void
listen_on(struct worker *w, unsigned i)
{
	const struct pop3_conf *conf = &w->conf;
	struct listener *l = &w->listener[i];

	l->worker = w;
	l->tls = conf->listener[i].tls;
	l->policy = (struct pop3_policy){
		.host = conf->host,
		.implementation = conf->implementation[0] != '\0'
				      ? conf->implementation
				      : NULL,
		.mechanisms = w->mechanisms,
		.n_mechanisms = w->n_mechanisms,
		.sasl_max = SASL_MAX,
		.bad_max = conf->bad_max,
		.failures_max = conf->failures_max,
		.plain_passwords = conf->listener[i].plain_passwords,
		.stls = l->tls == LISTEN_STLS && w->tls != NULL,
		.apop = conf->apop,
		.trace = conf->trace ? session_trace : NULL,
	};
	ev_io_init(&l->accept, on_accept, conf->listener[i].fd, EV_READ);
	l->accept.data = l;
	ev_io_start(w->loop, &l->accept);
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
worker_start(struct worker *w, int ctl)
{
	struct errbuf eb;

	TAILQ_INIT(&w->holding);
	TAILQ_INIT(&w->dead);
	w->serial = clock_unix_ms();
	w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (w->loop == NULL || !make_slots(w) || !find_mechanisms(w))
		fatal("ev=start error=\"out of memory\"");
	if (w->conf.certificate != NULL) {
		if (use_certificate(w, w->conf.certificate, w->conf.key) !=
		    E_OK)
			fatal("ev=start error=certificate");
		explicit_bzero(w->conf.key, strlen(w->conf.key));
	}
	budget_fds(w);
	if (addrcount_map(&w->counts, w->conf.counts_fd, w->conf.n_pop3, &eb) !=
	    E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	role_enter(&w->conf.role, NULL);
	if (pool_new(&w->readers, w->loop, READERS, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	w->parent = ipc_open(w->loop, ctl, &parent_rules, w, true);
	if (w->parent == NULL)
		fatal("ev=start error=\"%s\"", strerror(errno));
	ev_timer_init(&w->resume_accept, on_resume_accept, 0.1, 0.);
	ev_timer_init(&w->stop, on_stop_deadline, 0., 0.);
	ev_prepare_init(&w->turn_end, on_turn_end);
	ev_set_priority(&w->turn_end, EV_MINPRI); /* messages leave before */
	w->resume_accept.data = w->stop.data = w->turn_end.data = w;
	ev_prepare_start(w->loop, &w->turn_end);
}

int
pop3_main(int ctl)
{
	struct worker *w = calloc(1, sizeof(*w));

	log_open(STDERR_FILENO, "pop3");
	/* Buffers of replies come and go all the time. */
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE);
	mallopt(M_MMAP_THRESHOLD, HEAP_SPARE / 2);
	(void)tls_memory_pool(); /* without it memory is only not given back */
	signal(SIGPIPE, SIG_IGN);
	tzset(); /* while there is a file to read it from */
	if (w == NULL ||
	    ipc_wait_one(ctl, IPC_CONF, CONF_MS, take_conf, &w->conf) != E_OK)
		fatal("ev=start error=\"no settings\"");
	worker_start(w, ctl);
	role_limit(calls, sizeof(calls) / sizeof(calls[0]));
	for (unsigned i = 0; i < w->conf.n_listeners; i++)
		listen_on(w, i);
	ipc_begin(w->parent, IPC_READY);
	if (ipc_end(w->parent) != E_OK)
		fatal("ev=start error=\"out of memory\"");
	ev_run(w->loop, 0);
	log_flush();
	return 0;
}

/*
 * This runs as root, and with it: main.c, conf*.c, slurp.c, certificate.c,
 * listen.c, child.c, parent_messages.c, uid_store.c, spawn.c, users_watch.c,
 * addrcount.c, logrelay.c, notify.c, worker_conf.c; auth_conf_put() and
 * store_conf_put(); src/base and src/ipc; libev, libconfuse, OpenSSL's reading
 * of PEM files, and libc's look-up of users.  Of what the other processes say
 * it reads: the messages of parent_messages.c, and their log line by line.
 */
#include "server/parent/parent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "server/conf/certificate.h"
#include "server/parent/child.h"
#include "server/parent/listen.h"
#include "server/parent/logrelay.h"
#include "server/parent/notify.h"

enum {
	TICKET_HOURS = 12,
	LATE = 2,       /* seconds that a process may take beyond its time */
	END_GRACE = 10, /* seconds for stores and auth to finish their work */
};

static const char *const tls_words[] = { [LISTEN_PLAIN] = "none",
	[LISTEN_STLS] = "starttls",
	[LISTEN_TLS] = "tls" };

/* ---- listening ---- */

/* One address: a socket for each worker. */
static enum err
listen_at(struct parent *p, const struct conf_listener *l,
    const struct listen_addr *a, struct errbuf *eb)
{
	struct listen_conf *to = &p->conf->worker.listener[p->n_sockets];
	char at[ADDRESS_SHOWN];
	enum err e;

	if ((e = listen_probe(a, eb)) == E_NOENT)
		return E_OK;
	for (unsigned i = 0; e == E_OK && i < p->conf->worker.role.n; i++)
		e = listen_open(a, &p->socket[i][p->n_sockets], eb);
	if (e != E_OK)
		return e;
	to->tls = l->tls;
	to->plain_passwords = l->plaintext_login;
	p->n_sockets++;
	log_line(LOG_EVENT, "ev=listen listener=\"%s\" at=%s tls=%s%s", l->name,
	    address_show(at, a), tls_words[l->tls],
	    l->plaintext_login && l->tls != LISTEN_TLS ? " plaintext_login=yes"
						       : "");
	return E_OK;
}

static enum err
listen_all(struct parent *p, struct errbuf *eb)
{
	for (unsigned i = 0; i < p->conf->n_listeners; i++) {
		const struct conf_listener *l = &p->conf->listener[i];
		struct listen_addr addr[LISTENERS_MAX];
		unsigned before = p->n_sockets, n;
		enum err e;

		e = address_list(l, addr, LISTENERS_MAX, &n, eb);
		for (unsigned k = 0; e == E_OK && k < n; k++)
			e = listen_at(p, l, &addr[k], eb);
		if (e != E_OK)
			return e;
		if (p->n_sockets == before)
			return err_set(eb, E_IO,
			    "cannot listen: this machine has no network");
	}
	p->conf->worker.n_listeners = (uint16_t)p->n_sockets;
	return E_OK;
}

static void
close_sockets(struct parent *p)
{
	for (unsigned i = 0; i < p->conf->worker.role.n; i++)
		for (unsigned k = 0; k < p->n_sockets; k++)
			close(p->socket[i][k]);
	p->n_sockets = 0;
}

/* ---- what processes are told ---- */

/* Whom we cannot tell what it needs is started anew. */
static void
send_end(struct child *c)
{
	if (ipc_end(c->chan) != E_OK)
		child_kill(c);
}

void
parent_send_users(struct parent *p, struct child *auth, bool anew)
{
	struct errbuf eb;
	int fd;

	if (anew)
		users_watch_forget(&p->users);
	if (users_watch_changed(&p->users, p->conf->users, &fd, &eb) != E_OK)
		log_line(LOG_FAULT, "ev=users file=\"%s\" error=\"%s\"",
		    p->conf->users, eb.text);
	ipc_begin(auth->chan, IPC_USERS);
	if (fd >= 0)
		ipc_put_fd(auth->chan, fd, true);
	send_end(auth);
}

void
parent_send_tickets(struct parent *p, struct child *worker)
{
	ipc_begin(worker->chan, IPC_TICKETS);
	ipc_put_bytes(worker->chan, p->tickets, p->n_tickets * TICKET_KEY);
	send_end(worker);
}

static void
send_certificate(struct parent *p, struct child *worker)
{
	ipc_begin(worker->chan, IPC_CERTIFICATE);
	ipc_put_str(worker->chan, p->conf->worker.certificate);
	ipc_put_str(worker->chan, p->conf->worker.key);
	send_end(worker);
}

static void
to_all(struct parent *p, enum ipc_role role,
    void (*send)(struct parent *, struct child *))
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == role && c->chan != NULL)
			send(p, c);
}

/* A new key in front; the oldest goes. */
static enum err
rotate_tickets(struct parent *p, struct errbuf *eb)
{
	uint8_t key[TICKET_KEY];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return err_sys(eb, E_IO, "getrandom");
	memmove(p->tickets[1], p->tickets[0], (TICKET_KEYS - 1) * TICKET_KEY);
	memcpy(p->tickets[0], key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	if (p->n_tickets < TICKET_KEYS)
		p->n_tickets++;
	return E_OK;
}

static void
on_rotate(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;
	struct errbuf eb;

	(void)loop;
	(void)revents;
	if (rotate_tickets(p, &eb) == E_OK)
		to_all(p, ROLE_WORKER, parent_send_tickets);
	else
		log_line(LOG_FAULT, "ev=tickets error=\"%s\"", eb.text);
}

/* ---- SIGHUP ---- */

static void
reload_certificate(struct parent *p)
{
	struct worker_conf *worker = &p->conf->worker;
	struct certificate old = { worker->certificate, worker->key }, new;
	struct certificate_notes notes;
	struct errbuf eb;
	bool about_key;

	if (old.chain == NULL)
		return;
	if (certificate_read(p->conf->certificate, p->conf->key, &new, &notes,
		&about_key, &eb) != E_OK) {
		log_line(LOG_FAULT,
		    "ev=certificate kept=the-old-one error=\"%s\"", eb.text);
		return;
	}
	if (notes.validity.text[0] != '\0')
		log_line(LOG_WARNING, "ev=certificate warning=\"%s\"",
		    notes.validity.text);
	if (notes.key.text[0] != '\0')
		log_line(LOG_WARNING, "ev=certificate warning=\"%s\"",
		    notes.key.text);
	worker->certificate = new.chain;
	worker->key = new.key;
	certificate_free(&old);
	to_all(p, ROLE_WORKER, send_certificate);
	log_line(LOG_EVENT, "ev=certificate file=\"%s\"", p->conf->certificate);
}

static void
send_users_anew(struct parent *p, struct child *auth)
{
	parent_send_users(p, auth, true);
}

static void
on_reload(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct parent *p = w->data;

	(void)loop;
	(void)revents;
	if (p->phase != PARENT_SERVING)
		return;
	notify_reloading();
	log_line(LOG_EVENT, "ev=reload");
	reload_certificate(p);
	to_all(p, ROLE_AUTH, send_users_anew);
	notify_ready();
}

/* ---- beginning and end ---- */

static enum err
start_children(struct parent *p, struct errbuf *eb)
{
	const struct {
		enum ipc_role role;
		unsigned n;
	} all[] = {
		{ ROLE_WORKER, p->conf->worker.role.n },
		{ ROLE_AUTH, 1 },
		{ ROLE_STORE, p->conf->store.role.n },
	};
	struct child *c;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned k = 0; k < all[i].n; k++) {
			c = child_new(p, all[i].role, (uint16_t)k);
			if (c == NULL)
				return err_set(eb, E_NOMEM, "out of memory");
			child_keep(c);
		}
	return E_OK;
}

void
parent_ready(struct parent *p)
{
	const struct conf *c = p->conf;
	struct child *child;

	TAILQ_FOREACH (child, &p->children, link)
		if (child->state != CHILD_SERVING)
			return;
	if (p->phase != PARENT_STARTING)
		return;
	p->phase = PARENT_SERVING;
	notify_ready();
	log_line(LOG_EVENT,
	    "ev=ready pid=%ld worker=%u store=%u max_sessions=%u",
	    (long)getpid(), c->worker.role.n, c->store.role.n,
	    c->worker.sessions_max * c->worker.role.n);
}

/* Those that are only waiting to be started. */
static void
remove_down(struct parent *p)
{
	struct child *c, *next;

	for (c = TAILQ_FIRST(&p->children); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == CHILD_DOWN)
			child_remove(c);
	}
}

static void
kill_all(struct parent *p)
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		child_kill(c);
}

static void
set_deadline(struct parent *p, unsigned seconds)
{
	ev_timer_stop(p->loop, &p->deadline);
	ev_timer_set(&p->deadline, seconds, 0.);
	ev_timer_start(p->loop, &p->deadline);
}

/* The workers, or all others. */
static void
stop_some(struct parent *p, bool workers, unsigned seconds)
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if ((c->role == ROLE_WORKER) == workers)
			child_stop(c, seconds * 1000);
}

/* Those who serve first; then, when no session is left, those they need. */
void
parent_child_gone(struct parent *p)
{
	struct child *c;

	if (p->phase == PARENT_STOPPING) {
		TAILQ_FOREACH (c, &p->children, link)
			if (c->role == ROLE_WORKER)
				return;
		p->phase = PARENT_ENDING;
		stop_some(p, false, END_GRACE);
		set_deadline(p, END_GRACE + LATE);
	}
	if (p->phase == PARENT_ENDING && TAILQ_EMPTY(&p->children))
		ev_break(p->loop, EVBREAK_ALL);
}

void
parent_give_up(struct parent *p, int status)
{
	p->status = status;
	p->phase = PARENT_ENDING;
	remove_down(p);
	kill_all(p);
	parent_child_gone(p);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;
	struct child *c;

	(void)loop;
	(void)revents;
	log_line(LOG_WARNING, "ev=stop error=\"time is over\"");
	TAILQ_FOREACH (c, &p->children, link)
		if (p->phase == PARENT_ENDING || c->role == ROLE_WORKER)
			child_kill(c);
}

static void
on_stop(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct parent *p = w->data;

	(void)loop;
	(void)revents;
	if (p->phase >= PARENT_STOPPING) {
		log_line(LOG_EVENT, "ev=stop signal=%d again=yes", w->signum);
		kill_all(p);
		return;
	}
	log_line(LOG_EVENT, "ev=stop signal=%d grace=%u", w->signum,
	    p->conf->stop_grace);
	notify_stopping();
	p->phase = PARENT_STOPPING;
	close_sockets(p);
	remove_down(p);
	stop_some(p, true, p->conf->stop_grace);
	set_deadline(p, p->conf->stop_grace + LATE);
	parent_child_gone(p);
}

static void
on_turn_end(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	log_flush();
}

/* Our own lines go the way of all others. */
static enum err
open_log(struct parent *p, struct errbuf *eb)
{
	int fd[2];

	logrelay_open(p->conf->syslog);
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(eb, E_IO, "pipe");
	if (logrelay_add(p->loop, fd[0], "parent", 0) != E_OK)
		return err_set(eb, E_NOMEM, "out of memory");
	log_open(fd[1], "parent");
	return E_OK;
}

static void
watch(struct parent *p)
{
	signal(SIGPIPE, SIG_IGN); /* and so in all processes */
	ev_signal_init(&p->sigterm, on_stop, SIGTERM);
	ev_signal_init(&p->sigint, on_stop, SIGINT);
	ev_signal_init(&p->sighup, on_reload, SIGHUP);
	ev_timer_init(
	    &p->rotate, on_rotate, TICKET_HOURS * 3600., TICKET_HOURS * 3600.);
	ev_init(&p->deadline, on_deadline);
	ev_prepare_init(&p->flush, on_turn_end);
	p->sigterm.data = p->sigint.data = p->sighup.data = p;
	p->rotate.data = p->deadline.data = p;
	ev_signal_start(p->loop, &p->sigterm);
	ev_signal_start(p->loop, &p->sigint);
	ev_signal_start(p->loop, &p->sighup);
	ev_timer_start(p->loop, &p->rotate);
	ev_prepare_start(p->loop, &p->flush);
}

static enum err
prepare(struct parent *p, struct errbuf *eb)
{
	enum err e;

	sandbox_no_core();
	umask(077);
	if (chdir("/") < 0)
		return err_sys(eb, E_IO, "chdir /");
	p->loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (p->loop == NULL)
		return err_set(eb, E_IO, "no event loop");
	if ((e = open_log(p, eb)) != E_OK)
		return e;
	if ((e = addrcount_create(p->conf->worker.role.n, &p->counts_fd, eb)) !=
		E_OK ||
	    (e = addrcount_map(
		 &p->counts, p->counts_fd, p->conf->worker.role.n, eb)) != E_OK)
		return e;
	return rotate_tickets(p, eb);
}

static int
serve(struct parent *p)
{
	struct errbuf eb;

	if (prepare(p, &eb) != E_OK) {
		log_line(LOG_FAULT, "ev=start error=\"%s\"", eb.text);
		return EX_OSERR;
	}
	if (listen_all(p, &eb) != E_OK) {
		log_line(LOG_FAULT, "ev=listen error=\"%s\"", eb.text);
		return EX_UNAVAILABLE;
	}
	watch(p);
	if (start_children(p, &eb) != E_OK) {
		log_line(LOG_FAULT, "ev=start error=\"%s\"", eb.text);
		parent_give_up(p, EX_OSERR);
	}
	ev_run(p->loop, 0);
	log_line(LOG_EVENT, "ev=stopped");
	return p->status;
}

int
parent_run(struct conf *conf, const struct conf_env *env)
{
	static struct parent parent; /* its sockets are many */
	struct parent *p = &parent;
	int status;

	p->conf = conf;
	p->env = *env;
	TAILQ_INIT(&p->children);
	status = serve(p);
	explicit_bzero(p->tickets, sizeof(p->tickets));
	log_flush();
	logrelay_drain();
	return status;
}

#include "server/parent/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/parent/logrelay.h"
#include "server/parent/spawn.h"
#include "server/parent/uid_store.h"

enum {
	HEALTHY_MS = 60 * 1000, /* who lived so long has not failed in a row */
	PAUSE_MAX = 30,         /* seconds */
	START_TRIES = 5,
	UID_STORE_IDLE_MS = 60 * 1000,
};

static void on_died(struct ev_loop *loop, ev_child *w, int revents);
static void on_again(struct ev_loop *loop, ev_timer *w, int revents);

const char *
child_name(enum ipc_role role)
{
	static const char *const name[] = { [ROLE_PARENT] = "parent",
		[ROLE_WORKER] = "worker",
		[ROLE_AUTH] = "auth",
		[ROLE_STORE] = "store" };

	return name[role];
}

struct child *
child_new(struct parent *p, enum ipc_role role, uint16_t index)
{
	struct child *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->parent = p;
	c->role = role;
	c->index = index;
	c->uid = p->conf->auth.mail_uid;
	c->gid = p->conf->auth.mail_gid;
	ev_init(&c->again, on_again);
	c->again.data = c;
	TAILQ_INSERT_TAIL(&p->children, c, link);
	return c;
}

struct child *
child_find(struct parent *p, enum ipc_role role, uint16_t index)
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == role && c->index == index)
			return c;
	return NULL;
}

void
child_remove(struct child *c)
{
	ev_timer_stop(c->parent->loop, &c->again);
	TAILQ_REMOVE(&c->parent->children, c, link);
	free(c);
}

/* ---- connecting ---- */

static enum err
send_conf(struct child *c)
{
	const struct parent *p = c->parent;
	struct worker_conf worker = p->conf->worker;
	struct store_conf store = p->conf->store;

	ipc_begin(c->chan, IPC_CONF);
	switch (c->role) {
	case ROLE_WORKER:
		worker.role.index = c->index;
		worker.counts_fd = p->counts_fd;
		for (unsigned i = 0; i < p->n_sockets; i++)
			worker.listener[i].fd = p->socket[c->index][i];
		ipc_put_fields(c->chan, &worker_conf_fields, &worker);
		break;
	case ROLE_AUTH:
		ipc_put_fields(c->chan, &auth_conf_fields, &p->conf->auth);
		break;
	default:
		store.role.index = c->index;
		store.role.uid = c->uid;
		store.role.gid = c->gid;
		store.idle_end_ms = c->of_uid ? UID_STORE_IDLE_MS : 0;
		ipc_put_fields(c->chan, &store_conf_fields, &store);
	}
	return ipc_end(c->chan);
}

/* Hands c one end of a channel to `other`; the end is taken. */
static enum err
hand(struct child *c, const struct child *other, int fd)
{
	ipc_begin(c->chan, IPC_ATTACH);
	ipc_put_u8(c->chan, (uint8_t)other->role);
	ipc_put_u16(c->chan, other->index);
	ipc_put_fd(c->chan, fd, true);
	return ipc_end(c->chan);
}

static enum err
say_store_is(struct child *auth, const struct child *store)
{
	ipc_begin(auth->chan, IPC_STORE_IS);
	ipc_put_u16(auth->chan, store->index);
	ipc_put_u32(auth->chan, store->uid);
	return ipc_end(auth->chan);
}

enum err
child_connect(struct child *a, struct child *b, struct errbuf *eb)
{
	/* If one of them is a store, it is the first. */
	struct child *store = a->role == ROLE_STORE ? a : b;
	struct child *other = a->role == ROLE_STORE ? b : a;
	int fd[2];
	enum err e, e2;

	if ((e = ipc_pair(fd, eb)) != E_OK)
		return e;
	if (store->of_uid && other->role == ROLE_AUTH)
		e = say_store_is(other, store);
	/* Both take their end in any case. */
	e2 = hand(store, other, fd[0]);
	e = e2 != E_OK ? e2 : e;
	e2 = hand(other, store, fd[1]);
	e = e2 != E_OK ? e2 : e;
	return e != E_OK ? err_set(eb, e, "%s", err_str(e)) : E_OK;
}

/* Every process talks to all of the other kinds; the workers come before
 * auth in the list, so that they know a store before it is asked for mail. */
static enum err
connect_all(struct child *c, struct errbuf *eb)
{
	struct child *other;
	enum err e = E_OK;

	TAILQ_FOREACH (other, &c->parent->children, link)
		if (e == E_OK && other->role != c->role &&
		    other->chan != NULL && !other->leaving)
			e = child_connect(c, other, eb);
	return e;
}

/* ---- life ---- */

static void
log_start_error(const struct child *c, const struct errbuf *eb)
{
	log_line(LOG_FAULT, "ev=start role=%s index=%u error=\"%s\"",
	    child_name(c->role), c->index, eb->text);
}

enum err
child_start(struct child *c, struct errbuf *eb)
{
	struct parent *p = c->parent;
	struct spawned s;
	enum err e;

	if ((e = spawn(child_name(c->role), c->index, &s, eb)) != E_OK)
		return e;
	c->pid = s.pid;
	c->state = CHILD_STARTING;
	c->started = clock_ms();
	ev_child_init(&c->died, on_died, c->pid, 0);
	c->died.data = c;
	ev_child_start(p->loop, &c->died);
	/* From here on a failure kills it, and on_died() goes on. */
	if (logrelay_add(p->loop, s.log, child_name(c->role), c->index) !=
	    E_OK) {
		close(s.ctl);
		s.ctl = -1;
	}
	if (s.ctl >= 0)
		c->chan =
		    ipc_open(p->loop, s.ctl, &child_rules[c->role], c, true);
	e = c->chan == NULL ? err_set(eb, E_NOMEM, "out of memory")
			    : send_conf(c);
	if (e == E_OK)
		e = connect_all(c, eb);
	if (e == E_OK && c->role == ROLE_AUTH)
		parent_send_users(p, c, true);
	if (e == E_OK && c->role == ROLE_WORKER)
		parent_send_tickets(p, c);
	if (e != E_OK) {
		log_start_error(c, eb);
		child_kill(c);
	}
	return E_OK;
}

void
child_kill(struct child *c)
{
	if (c->state != CHILD_DOWN)
		kill(c->pid, SIGKILL);
}

void
child_stop(struct child *c, uint32_t ms)
{
	if (c->chan == NULL)
		return;
	c->leaving = true;
	if (c->role == ROLE_AUTH) {
		/* It has nothing to finish when nobody asks any more. */
		ipc_close(c->chan);
		c->chan = NULL;
		return;
	}
	ipc_begin(c->chan, IPC_STOP);
	ipc_put_u32(c->chan, ms);
	if (ipc_end(c->chan) != E_OK)
		child_kill(c);
}

/* At once the first time, then after 1, 2, 4 ... seconds. */
static void
start_later(struct child *c)
{
	unsigned n = c->failures - 1;
	unsigned pause = n == 0 ? 0 : n > 5 ? PAUSE_MAX : 1u << (n - 1);

	ev_timer_set(&c->again, pause, 0.);
	ev_timer_start(c->parent->loop, &c->again);
}

/* It ended, or could not even be started. */
static void
failed(struct child *c, bool never_ready)
{
	struct parent *p = c->parent;

	c->failures++;
	if (p->phase == PARENT_STARTING && never_ready &&
	    c->failures >= START_TRIES) {
		log_line(LOG_FAULT,
		    "ev=give-up role=%s index=%u error=\"it cannot start\"",
		    child_name(c->role), c->index);
		parent_give_up(p, EX_UNAVAILABLE);
		return;
	}
	start_later(c);
}

void
child_keep(struct child *c)
{
	struct errbuf eb;

	if (child_start(c, &eb) == E_OK)
		return;
	log_start_error(c, &eb);
	failed(c, true);
}

static void
on_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	child_keep(w->data);
}

static void
log_death(const struct child *c, int status)
{
	bool wanted =
	    c->leaving && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char how[48];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "signal=%d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "status=%d", WEXITSTATUS(status));
	log_line(wanted ? LOG_DEBUGGING : LOG_FAULT,
	    "ev=ended role=%s index=%u pid=%ld %s", child_name(c->role),
	    c->index, (long)c->pid, how);
}

/* What it held is given back. */
static void
tear_down(struct child *c)
{
	ev_child_stop(c->parent->loop, &c->died);
	if (c->chan != NULL)
		ipc_drain(c->chan); /* its last words */
	ipc_close(c->chan);
	c->chan = NULL;
	if (c->role == ROLE_WORKER)
		addrcount_clear_row(&c->parent->counts, c->index);
	if (clock_ms() - c->started > HEALTHY_MS)
		c->failures = 0;
	c->leaving = false;
}

static void
on_died(struct ev_loop *loop, ev_child *w, int revents)
{
	struct child *c = w->data;
	struct parent *p = c->parent;
	bool never_ready = c->state == CHILD_STARTING;

	(void)loop;
	(void)revents;
	logrelay_drain();
	log_death(c, w->rstatus);
	tear_down(c);
	c->state = CHILD_DOWN;
	if (p->phase < PARENT_STOPPING && !c->of_uid) {
		failed(c, never_ready);
		return;
	}
	if (c->of_uid && never_ready)
		uid_store_failed(c);
	child_remove(c);
	parent_child_gone(p);
}

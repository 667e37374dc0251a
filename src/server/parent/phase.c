#include "server/parent/phase.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/child.h"
#include "server/parent/child_tell.h"
#include "server/parent/notify.h"

enum {
	LATE = 2,       /* seconds that a process may take beyond its time */
	END_GRACE = 10, /* seconds for stores and auth to finish their work */
};

void
phase_serve(struct parent *p)
{
	const struct conf *c = p->conf;

	p->phase = PARENT_SERVING;
	notify_ready();
	log_line(LOG_EVENT,
	    "ev=ready pid=%ld worker=%u store=%u max_sessions=%u",
	    (long)getpid(), c->worker.role.n, c->store.role.n,
	    c->worker.sessions_max * c->worker.role.n);
	if (p->reload.again) /* asked for too early */
		ev_feed_event(p->loop, &p->sighup, EV_SIGNAL);
}

/* It answers when it accepts nobody any more. */
static void
tell_elder(struct parent *p)
{
	struct handover_message m = { .kind = HANDOVER_READY,
		.pid = (uint32_t)getpid() };

	if (p->succession.ready_said)
		return;
	p->succession.ready_said = true;
	snprintf(m.version, sizeof(m.version), "%s", VERSION);
	handover_say(p->succession.elder, &m);
}

void
phase_ready(struct parent *p)
{
	struct child *child;

	TAILQ_FOREACH (child, &p->children, link)
		if (child->state != CHILD_SERVING && child_is_needed(child))
			return;
	if (p->phase != PARENT_STARTING)
		return;
	if (p->succession.held)
		tell_elder(p);
	else
		phase_serve(p);
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

/* Those whose place we have taken end before us: our end is taken for the end of
 * all, and we are how they hear that they have to. */
static bool
awaits_elder(const struct parent *p)
{
	return p->succession.elder >= 0 && !p->succession.held;
}

/* Those who serve first; then, when no session is left, those they need. */
void
phase_child_gone(struct parent *p)
{
	struct child *c;

	if (p->phase == PARENT_STOPPING || p->phase == PARENT_DRAINING) {
		TAILQ_FOREACH (c, &p->children, link)
			if (c->role == ROLE_WORKER)
				return;
		p->phase = PARENT_ENDING;
		p->killed = false;
		stop_some(p, false, END_GRACE);
		set_deadline(p, END_GRACE + LATE);
	}
	if (p->phase != PARENT_ENDING || !TAILQ_EMPTY(&p->children))
		return;
	if (awaits_elder(p))
		ev_timer_stop(p->loop, &p->deadline); /* it has one itself */
	else
		ev_break(p->loop, EVBREAK_ALL);
}

void
phase_give_up(struct parent *p, int status)
{
	p->status = status;
	p->phase = PARENT_ENDING;
	remove_down(p);
	kill_all(p);
	p->killed = true;
	set_deadline(p, LATE);
	phase_child_gone(p);
}

static bool
is_late(const struct child *c)
{
	return c->parent->phase == PARENT_ENDING || c->role == ROLE_WORKER;
}

/* The kernel lets nobody end a process that waits in a call for a file system
 * that does not answer.  It ends when that does, or is unmounted. */
static void
leave_behind(struct parent *p)
{
	struct child *c, *next;

	for (c = TAILQ_FIRST(&p->children); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!is_late(c))
			continue;
		log_line(LOG_FAULT,
		    "ev=stop role=%s index=%u pid=%ld error=\"it cannot be "
		    "killed: a file system does not answer\"",
		    child_name(c), c->index, (long)c->pid);
		ev_child_stop(p->loop, &c->died);
		ipc_close(c->chan);
		child_remove(c);
	}
	p->killed = false;
	if (awaits_elder(p)) {
		ev_io_stop(p->loop, &p->succession.from_elder);
		close(p->succession.elder);
		p->succession.elder = -1;
	}
	phase_child_gone(p);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;
	struct child *c;

	if (p->killed) {
		leave_behind(p);
		return;
	}
	log_line(LOG_WARNING, "ev=stop error=\"time is over\"");
	TAILQ_FOREACH (c, &p->children, link)
		if (is_late(c))
			child_kill(c);
	p->killed = true;
	set_deadline(p, LATE);
}

void
phase_stop(struct parent *p, unsigned seconds)
{
	if (p->phase >= PARENT_STOPPING) {
		kill_all(p);
		p->killed = true;
		set_deadline(p, LATE);
		return;
	}
	if (p->phase != PARENT_DRAINING)
		notify_stopping();
	p->phase = PARENT_STOPPING;
	remove_down(p);
	stop_some(p, true, seconds);
	set_deadline(p, seconds + LATE);
	phase_child_gone(p);
}

/* Those who accept: none of them is started again. */
static void
stop_accepting(struct parent *p, unsigned seconds)
{
	struct child *c, *next;

	for (c = TAILQ_FIRST(&p->children); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!role_accepts(c->role))
			continue;
		if (c->state == CHILD_DOWN)
			child_remove(c);
		else
			child_drain(c, seconds * 1000);
	}
}

void
phase_drain(struct parent *p, unsigned seconds)
{
	p->phase = PARENT_DRAINING;
	ev_timer_stop(p->loop, &p->round);
	stop_accepting(p, seconds);
	set_deadline(p, seconds + LATE);
	phase_child_gone(p);
}

void
phase_init(struct parent *p)
{
	p->phase = PARENT_STARTING;
	ev_init(&p->deadline, on_deadline);
	p->deadline.data = p;
}

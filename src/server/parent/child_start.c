#include "server/parent/child_start.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/ipc/spawn.h"
#include "server/parent/answers.h"
#include "server/parent/child_tell.h"
#include "server/parent/control_inquiry.h"
#include "server/parent/control_sessions.h"
#include "server/parent/issuer_keys.h"
#include "server/parent/logrelay.h"
#include "server/parent/phase.h"
#include "server/parent/roots.h"
#include "server/parent/tallies.h"
#include "server/parent/traces.h"

enum {
	HEALTHY_MS = 60 * 1000, /* who lived so long has not failed in a row */
	PAUSE_MAX = 30,         /* seconds */
	START_TRIES = 5,
};

static void on_died(struct ev_loop *loop, ev_child *w, int revents);
static void on_again(struct ev_loop *loop, ev_timer *w, int revents);

static void
log_start_error(const struct child *c, const struct errbuf *eb)
{
	log_line(LOG_FAULT, "ev=start role=%s index=%u error=\"%s\"",
	    child_name(c), c->index, eb->text);
}

enum err
child_start(struct child *c, struct errbuf *eb)
{
	struct parent *p = c->parent;
	struct spawned s;
	enum err e;

	if (c->role == ROLE_STORE && !roots_fit(c))
		return err_set(
		    eb, E_NOENT, "its mail root is in the settings no more");
	if ((e = spawn(child_name(c), c->index, &s, eb)) != E_OK)
		return e;
	c->pid = s.pid;
	c->state = CHILD_STARTING;
	tallies_started(c);
	c->started = clock_ms();
	c->unanswered = 0;
	c->prepared = 0;
	ev_child_init(&c->died, on_died, c->pid, 0);
	c->died.data = c;
	ev_child_start(p->loop, &c->died);
	/* From here on a failure kills it, and on_died() goes on. */
	if (logrelay_add(p->loop, s.log, child_name(c), c->index) != E_OK) {
		close(s.ctl);
		s.ctl = -1;
	}
	if (s.ctl >= 0)
		c->chan = ipc_open(p->loop, s.ctl, &p->rules[c->role], c, true);
	e = c->chan == NULL || child_tell_settings(c) != E_OK
		? err_set(
		      eb, E_NOMEM, "out of memory, or too many files are open")
		: E_OK;
	if (e == E_OK && c->role == ROLE_WORKER)
		child_tell_certificates(c);
	if (e == E_OK)
		e = child_connect_all(c, eb);
	if (e == E_OK && (c->role == ROLE_AUTH || c->role == ROLE_WORKER))
		child_tell_client_ca(c);
	if (e == E_OK && c->role == ROLE_AUTH)
		child_tell_users_anew(c);
	if (e == E_OK && c->role == ROLE_NET)
		issuer_keys_tell(c);
	if (e == E_OK && c->role == ROLE_WORKER) {
		child_tell_tickets(c);
		traces_tell(c);
	}
	if (e != E_OK) {
		log_start_error(c, eb);
		child_kill(c);
	}
	return E_OK;
}

/* At once the first time, then after 1, 2, 4 ... seconds. */
static void
start_later(struct child *c)
{
	unsigned n = c->failures - 1;
	unsigned pause = n == 0 ? 0 : n > 5 ? PAUSE_MAX : 1u << (n - 1);

	ev_timer_init(&c->again, on_again, pause, 0.);
	c->again.data = c;
	ev_timer_start(c->parent->loop, &c->again);
}

/* For who has asked for the restart. */
static void
tell_elder(const struct child *c)
{
	char words[128];

	snprintf(words, sizeof(words),
	    "its process %s.%u cannot start; the log says why", child_name(c),
	    c->index);
	handover_fail(c->parent->succession.elder, words);
}

/* It ended, or could not even be started. */
static void
failed(struct child *c, bool never_ready)
{
	struct parent *p = c->parent;

	c->failures++;
	if (p->phase == PARENT_STARTING && never_ready && child_is_needed(c) &&
	    c->failures >= START_TRIES) {
		log_line(LOG_FAULT,
		    "ev=give-up role=%s index=%u error=\"it cannot start\"",
		    child_name(c), c->index);
		tell_elder(c);
		phase_give_up(p, EX_UNAVAILABLE);
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
	    "ev=ended role=%s index=%u pid=%ld %s", child_name(c), c->index,
	    (long)c->pid, how);
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
	control_inquiry_gone(c);
	control_sessions_gone(c);
	answers_gone(c);
	if (c->role == ROLE_WORKER)
		addrcount_clear_row(&c->parent->counts, c->index);
	if (clock_ms() - c->started > HEALTHY_MS)
		c->failures = 0;
	c->leaving = false;
}

/* Somebody's sign-in waits for it. */
static void
refuse_store(const struct child *store)
{
	struct child *auth = child_find(store->parent, ROLE_AUTH, 0);

	if (auth != NULL && auth->chan != NULL)
		child_tell_no_store(
		    auth, store->owner, "its store cannot start");
}

/* Starts the store that comes in the place of one that has ended.  False: there
 * is none. */
static bool
start_next(struct child *c)
{
	struct errbuf eb;

	if (c->next.uid == AUTH_NO_UID)
		return false;
	c->owner = c->next;
	c->next.uid = AUTH_NO_UID;
	if (child_start(c, &eb) == E_OK)
		return true;
	log_start_error(c, &eb);
	refuse_store(c);
	return false;
}

/* Is there still something for it to do?  A store of a user's own uid is
 * started when somebody asks for it. */
static bool
is_wanted(const struct child *c)
{
	enum parent_phase phase = c->parent->phase;

	return phase < PARENT_STOPPING && !c->of_uid && !c->replaced &&
	       !(phase == PARENT_DRAINING && role_accepts(c->role));
}

static void
on_died(struct ev_loop *loop, ev_child *w, int revents)
{
	struct child *c = w->data;
	struct parent *p = c->parent;
	bool never_ready = c->state == CHILD_STARTING, told = c->leaving;

	logrelay_drain();
	log_death(c, w->rstatus);
	tallies_ended(c, !told);
	if (c->role == ROLE_NET && !told)
		issuer_keys_forget(p);
	tear_down(c);
	c->state = CHILD_DOWN;
	if (is_wanted(c)) {
		if (told)
			child_keep(c);
		else
			failed(c, never_ready);
		return;
	}
	if (c->of_uid && never_ready)
		refuse_store(c);
	if (p->phase < PARENT_STOPPING && start_next(c))
		return;
	child_remove(c);
	phase_child_gone(p);
}

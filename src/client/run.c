/* The run of one account: its sessions, one after the other. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/message/identity.h"
#include "client/run.h"

/* Seconds until a server that says "later" is asked again. */
static const unsigned delays[] = { 5, 15, 45 };

enum { DELAYS = sizeof(delays) / sizeof(delays[0]) };

/* ---- the lock ---- */

/* It ends with the process; programs that we start do not inherit it. */
static enum err
take_lock(struct run *run, struct errbuf *eb)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const char *name = run->account->name, *dir = run->c->o->state_dir;
	char path[4096], digest[DIGEST_TEXT];

	digest_text(digest, digest_of((struct slice){ name, strlen(name) }));
	snprintf(path, sizeof(path), "%s/lock-%s", dir, digest);
	run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (run->lock < 0)
		return err_sys(eb, E_IO, "%s", path);
	if (fcntl(run->lock, F_OFD_SETLK, &l) == 0)
		return E_OK;
	if (errno != EAGAIN && errno != EACCES)
		return err_sys(eb, E_IO, "%s", path);
	return err_set(
	    eb, E_BUSY, _("another malote is collecting this account"));
}

/* ---- the end of a run ---- */

static void
record_free(struct record *r)
{
	free(r->messages);
	free(r->troubles);
	*r = (struct record){ .messages = NULL };
}

static void
run_over(struct run *run)
{
	struct collect *c = run->c;
	unsigned interval = run->account->interval;
	uint32_t jitter;

	storer_free(run->storer);
	run->storer = NULL;
	delivery_close(run->delivery);
	run->delivery = NULL;
	if (run->lock >= 0)
		close(run->lock);
	run->lock = -1;
	record_free(&run->record);
	run->active = false;
	report_over(c->o->report, run->index, &run->result);
	if (c->held != NULL)
		c->held[run->index] = run->result.outcome == OUTCOME_HELD;
	if (!c->o->daemon || c->stopping) {
		run->over = true;
		return;
	}
	/* A tenth more or less, so that not all come at once. */
	if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) < 0)
		jitter = 0;
	ev_timer_set(
	    &run->timer, interval * (0.9 + 0.2 * (jitter % 1000) / 1000.0), 0);
	ev_timer_start(c->loop, &run->timer);
}

static void
run_failed(struct run *run, enum outcome o, const char *words)
{
	run->result.outcome = o;
	snprintf(run->result.words, sizeof(run->result.words), "%s", words);
	run_over(run);
}

/* ---- sessions ---- */

static void
listed(void *arg, uint32_t to_collect, uint64_t octets)
{
	struct run *run = arg;

	report_listed(run->c->o->report, run->index, to_collect, octets);
}

static void
progress(void *arg, uint64_t octets, uint32_t stored)
{
	struct run *run = arg;

	report_progress(run->c->o->report, run->index, octets, stored);
}

static void
trace(void *arg, bool received, const char *line)
{
	struct run *run = arg;

	report_trace(run->c->o->report, run->index, received, line);
}

/* Nothing is freed within the session: the timer does it at once. */
static void
session_over(void *arg)
{
	struct run *run = arg;

	ev_timer_set(&run->timer, 0, 0);
	ev_timer_start(run->c->loop, &run->timer);
}

static void
session_begin(struct run *run)
{
	static const struct session_hooks quiet = { listed, progress, NULL,
		session_over };
	static const struct session_hooks loud = { listed, progress, trace,
		session_over };
	struct collect *c = run->c;
	struct session_conf conf = {
		.loop = c->loop,
		.dialer = c->dialer,
		.account = run->account,
		.delivery = run->delivery,
		.storer = run->storer,
		.hooks = c->o->trace ? &loud : &quiet,
		.arg = run,
		.terminal = c->o->terminal,
		.accept = c->o->accept,
		.only_troubled = run->only_troubled,
	};
	struct errbuf eb;

	if (session_new(&run->session, &conf, &run->record, &eb) == E_OK)
		session_start(run->session);
	else
		run_failed(run, OUTCOME_INTERNAL, eb.text);
}

/* Adds what a session did to what the run has done. */
static void
add_result(struct run *run, const struct session_result *r)
{
	struct tally *t = &run->result.tally, before = *t;

	run->result = *r;
	t->collected += before.collected;
	t->collected_octets += before.collected_octets;
	t->deleted += before.deleted;
	t->freed_octets += before.freed_octets;
}

static void
wait_for(struct run *run, unsigned seconds)
{
	run->waited += seconds;
	report_waits(run->c->o->report, run->index, run->result.words, seconds);
	ev_timer_set(&run->timer, seconds, 0);
	ev_timer_start(run->c->loop, &run->timer);
}

static unsigned
jittered(unsigned seconds)
{
	uint32_t r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = 0;
	return seconds + r % (seconds / 2 + 1);
}

/* What was not put on record may be here all the same: only the beginning of
 * another run can tell. */
static bool
must_end(const struct run *run)
{
	return run->c->stopping || run->only_troubled || run->result.unrecorded;
}

/* False: the account's patience is at its end. */
static bool
try_later(struct run *run)
{
	unsigned left = run->account->patience > run->waited
			    ? run->account->patience - run->waited
			    : 0;
	unsigned wait = jittered(delays[run->tries]);

	if (run->tries + 1 < DELAYS)
		run->tries++;
	if (wait < run->result.retry)
		wait = run->result.retry;
	if (left == 0 || run->result.retry > left)
		return false;
	wait_for(run, wait < left ? wait : left);
	return true;
}

static void
session_ended(struct run *run)
{
	const struct session_result *r = session_result(run->session);
	bool again = r->again && !run->reconnected;

	if (!run->only_troubled || r->tally.collected != 0 ||
	    r->tally.deleted != 0)
		add_result(run, r);
	session_free(run->session);
	run->session = NULL;
	if (must_end(run)) {
		run_over(run);
	} else if (again) {
		run->reconnected = true;
		session_begin(run);
	} else if (run->result.outcome == OUTCOME_BUSY && try_later(run)) {
		return;
	} else if (run->result.troubled_left) {
		run->only_troubled = true;
		session_begin(run);
	} else {
		run_over(run);
	}
}

/* ---- the beginning of a run ---- */

static void
record_read(struct storer_job *job)
{
	struct run *run = job->arg;
	struct state_account *a = &job->account;
	int64_t wait;

	run->record = (struct record){
		.account = *a,
		.messages = job->messages,
		.n_messages = job->n_messages,
		.troubles = job->troubles,
		.n_troubles = job->n_troubles,
	};
	if (run->c->stopping)
		job->err = E_CLOSED;
	if (job->err != E_OK) {
		run->result.outcome =
		    run->c->stopping ? OUTCOME_STOPPED : OUTCOME_DISK;
		snprintf(run->result.words, sizeof(run->result.words), "%s",
		    run->c->stopping ? _("stopped") : job->eb.text);
		run->ended = true;
		session_over(run);
		return;
	}
	if (job->n_rebuilt != 0) {
		char words[128];

		snprintf(words, sizeof(words),
		    ngettext("nothing was on record; %zu message is here "
			     "already, by the names of the files",
			"nothing was on record; %zu messages are here "
			"already, by the names of the files",
			job->n_rebuilt),
		    job->n_rebuilt);
		report_notice(run->c->o->report, run->index, words);
	}
	wait = a->not_before - time(NULL);
	if (wait > 0)
		snprintf(run->result.words, sizeof(run->result.words), "%s",
		    _("the server wants some time between two sign-ins"));
	if (wait > run->account->patience) {
		run->result.outcome = OUTCOME_BUSY;
		run->ended = true;
		session_over(run);
	} else if (wait > 0) {
		wait_for(run, (unsigned)wait);
	} else {
		session_begin(run);
	}
}

/* The two ports of POP3 lead to the same one. */
static bool
same_maildrop(const struct account *a, const struct account *b)
{
	bool ports =
	    a->port == b->port || ((a->port == 110 || a->port == 995) &&
				      (b->port == 110 || b->port == 995));

	return ports && strcasecmp(a->server, b->server) == 0 &&
	       strcmp(a->user, b->user) == 0;
}

/* Another account's run is at the same maildrop. */
static bool
must_queue(const struct run *run)
{
	const struct collect *c = run->c;

	for (size_t i = 0; i < c->o->conf->n; i++)
		if (&c->v[i] != run && c->v[i].active && !c->v[i].queued &&
		    same_maildrop(c->v[i].account, run->account))
			return true;
	return false;
}

static enum err
open_delivery(struct run *run, const struct dest *dest, struct delivery **d_r,
    struct errbuf *eb)
{
	const struct account *a = run->account;
	struct delivery_env env;
	char spool[4096];

	snprintf(spool, sizeof(spool), "%s/spool", run->c->o->state_dir);
	env = (struct delivery_env){ a->name, a->email, spool, a->timeout };
	return delivery_open(d_r, dest, &env, eb);
}

/* See storer_open; it is not made anew. */
static enum err
open_other(
    void *arg, const char *text, struct delivery **d_r, struct errbuf *eb)
{
	struct run *run = arg;
	struct dest dest;
	enum err e = client_conf_dest(run->c->o->conf, &dest, text, eb);

	*d_r = NULL;
	if (e == E_OK && !delivery_has_gone(&dest))
		e = open_delivery(run, &dest, d_r, eb);
	dest_clear(&dest);
	return e;
}

static void
run_begin(struct run *run)
{
	struct collect *c = run->c;
	const struct account *a = run->account;
	struct errbuf eb;
	enum err e;

	run->active = true;
	run->result = (struct session_result){ .outcome = OUTCOME_OK };
	strcpy(run->result.tls, "none");
	run->tries = run->waited = 0;
	run->ended = false;
	run->reconnected = run->only_troubled = false;
	if ((run->queued = must_queue(run))) {
		ev_timer_set(&run->timer, 1, 0);
		ev_timer_start(c->loop, &run->timer);
		return;
	}
	report_began(c->o->report, run->index);
	if ((e = take_lock(run, &eb)) != E_OK) {
		run_failed(
		    run, e == E_BUSY ? OUTCOME_LOCKED : OUTCOME_DISK, eb.text);
		return;
	}
	if (open_delivery(run, &a->dest, &run->delivery, &eb) != E_OK ||
	    storer_new(&run->storer, c->loop, c->o->state_dir, a->name,
		a->dest.text, run->delivery, open_other, run, &eb) != E_OK) {
		run_failed(run, OUTCOME_DISK, eb.text);
		return;
	}
	run->begin = (struct storer_job){
		.kind = STORER_BEGIN,
		.done = record_read,
		.arg = run,
	};
	storer_do(run->storer, &run->begin);
}

/* ---- its turn ---- */

void
collect_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct run *run = w->data;

	(void)loop;
	(void)revents;
	if (run->session != NULL) {
		session_ended(run);
	} else if (run->c->stopping && run->active) {
		run->result.outcome = OUTCOME_STOPPED;
		run_over(run);
	} else if (!run->active || run->queued) {
		run_begin(run);
	} else if (run->ended) {
		run_over(run);
	} else {
		session_begin(run);
	}
}

void
collect_stop_one(struct run *run)
{
	struct ev_loop *loop = run->c->loop;

	if (!run->active) {
		ev_timer_stop(loop, &run->timer);
		run->over = true;
	} else if (ev_is_active(&run->timer)) {
		ev_timer_stop(loop, &run->timer);
		ev_timer_set(&run->timer, 0, 0);
		ev_timer_start(loop, &run->timer);
	} else if (run->session != NULL) {
		session_stop(run->session);
	} /* else the record is being read: record_read() */
}

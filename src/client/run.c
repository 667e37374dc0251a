#include "client/run.h"

#include <ev.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>

#include "base/i18n.h"
#include "client/conf/client_conf.h"
#include "client/deliver/delivery.h"
#include "client/message/identity.h"
#include "client/report/news.h"
#include "client/report/report.h"
#include "client/secret/asker.h"
#include "client/secret/secret.h"
#include "client/session/destination.h"
#include "client/session/visit.h"
#include "client/state/account_lock.h"
#include "client/state/storer.h"

/* Seconds until a server that says "later" is asked again. */
static const unsigned delays[] = { 5, 15, 45 };

enum {
	DELAYS = sizeof(delays) / sizeof(delays[0]),
	ROOM_PAUSE = 1,            /* seconds until there may be room */
	REMEMBER = 30 * 24 * 3600, /* the same, that there was none */
	REMEMBER_FIRST = 24 * 3600,
	CUTS_MAX = 8,
};

struct run {
	const struct run_env *env;
	const struct account *account;
	size_t index;
	run_done *done;
	void *arg;
	char maildrop[DIGEST_TEXT];
	struct account_lock lock;
	struct asker *asker; /* where a destination may need a secret */
	struct delivery *delivery;
	struct storer *storer;
	struct storer_job begin;
	struct record record;
	struct visit *visit;
	struct news *news;          /* while others are told of it */
	struct visit_result result; /* of all its sessions */
	int exit_before;            /* see run_exit_before() */
	unsigned crowd;             /* see run_crowd() */
	unsigned tries, waited;     /* of asking again later; seconds */
	unsigned typed;             /* passwords that were wrong */
	bool ended;                 /* before it had a session */
	bool reconnected, only_troubled, turned_away_alone;
	uint32_t later; /* messages that the last session has left */
	unsigned cuts;  /* sessions that were cut, and had collected nothing */
	bool stopping;
	ev_timer timer; /* to go on at */
};

/* It goes on with run_go_on(). */
static void
run_go_on_in(struct run *run, double seconds)
{
	ev_timer_stop(run->env->loop, &run->timer);
	ev_timer_set(&run->timer, seconds, 0);
	ev_timer_start(run->env->loop, &run->timer);
}

/* ---- the end of a run ---- */

static void
news_said(void *arg, const char *words)
{
	struct run *run = arg;

	report_warning(run->env->report, run->index, words);
}

static void
news_told(void *arg)
{
	struct run *run = arg;

	news_free(run->news);
	run->news = NULL;
	run->done(run->arg, &run->result);
}

/* False: nobody is told of anything. */
static bool
tell_news(struct run *run)
{
	const struct news_hooks hooks = { news_said, news_told, run };
	unsigned n = run->result.tally.collected;

	if (n == 0 || !news_is_wanted(run->account))
		return false;
	run->news = news_start(
	    run->env->loop, run->account, n, &run->result.arrivals, &hooks);
	if (run->news == NULL)
		news_said(run, _("out of memory"));
	return run->news != NULL;
}

static void
run_over(struct run *run)
{
	secret_expect_not(run->account, run->env->loop);
	if (run->asker != NULL)
		asker_close(run->asker);
	storer_free(run->storer);
	run->storer = NULL;
	delivery_close(run->delivery);
	run->delivery = NULL;
	asker_free(run->asker);
	run->asker = NULL;
	account_lock_release(&run->lock);
	record_clear(&run->record);
	if (!tell_news(run))
		run->done(run->arg, &run->result);
}

static void
run_failed(struct run *run, enum outcome o, const char *words)
{
	run->result.outcome = o;
	snprintf(run->result.words, sizeof(run->result.words), "%s", words);
	run_over(run);
}

/* ---- so many connections to a server ---- */

/* It may only have been busy, so that it is remembered for a short time, and for
 * a long one if it comes again. */
static void
set_crowd(struct run *run, unsigned n)
{
	struct state_account *a = &run->record.account;

	run->crowd = a->crowd = n;
	a->crowd_until =
	    time(NULL) + (a->crowd_until != 0 ? REMEMBER : REMEMBER_FIRST);
}

/* As the person has said for any account there, or as it was learned. */
static unsigned
most_there(const struct run *run)
{
	const struct client_conf *conf = run->env->conf;
	unsigned most = run->crowd;

	for (size_t i = 0; i < conf->n; i++)
		if (conf->v[i].max_connections < most &&
		    strcasecmp(conf->v[i].server, run->account->server) == 0)
			most = conf->v[i].max_connections;
	return most;
}

static struct run_others
others_there(const struct run *run)
{
	return run->env->others_there(run->env->arg, run->index);
}

static bool
has_room(struct run *run)
{
	struct run_others others = others_there(run);

	if (others.crowd < run->crowd)
		set_crowd(run, others.crowd);
	return others.n < most_there(run);
}

/* The server has turned this one away.  False: not for the others.  They may have
 * been there, and be over by now: so it is tried once more without them. */
static bool
learn_crowd(struct run *run)
{
	struct run_others others = others_there(run);
	bool first_alone = others.any && !run->turned_away_alone;

	run->turned_away_alone = others.n == 0;
	if (others.n == 0)
		return first_alone;
	set_crowd(run, others.n < run->crowd ? others.n : run->crowd);
	return true;
}

/* ---- sessions ---- */

static void
run_trace(void *arg, bool received, const char *line)
{
	struct run *run = arg;

	report_trace(run->env->report, run->index, received, line);
}

/* Nothing is freed within the session: the timer does it at once. */
static void
run_visit_over(void *arg)
{
	struct run *run = arg;

	run_go_on_in(run, 0);
}

/* See struct delivery_env; on the storer's thread. */
static enum err
ask_secret(void *arg, const struct account *login, bool anew, char *secret,
    size_t size, struct errbuf *eb)
{
	return asker_ask(arg, login, anew, secret, size, eb);
}

static void
judged(void *arg, const struct account *login, const char *refused)
{
	asker_judged(arg, login, refused);
}

static enum err
open_delivery(struct run *run, const struct dest *dest, char *const *folders,
    struct delivery **d_r, struct errbuf *eb)
{
	const struct account *a = run->account;
	struct delivery_env env;
	char spool[4096];

	snprintf(spool, sizeof(spool), "%s/spool", run->env->state_dir);
	env = (struct delivery_env){
		.account = a->name,
		.email = a->email,
		.spool = spool,
		.timeout = a->timeout,
		.folders = folders,
		.ask = run->asker != NULL ? ask_secret : NULL,
		.judged = judged,
		.ask_arg = run->asker,
	};
	return delivery_open(d_r, dest, &env, eb);
}

/* See visit_conf. */
static enum err
open_place(void *arg, const struct dest *dest, struct delivery **d_r,
    struct errbuf *eb)
{
	return open_delivery(arg, dest, NULL, d_r, eb);
}

static void
run_visit(struct run *run)
{
	static const struct visit_hooks quiet = { .over = run_visit_over };
	static const struct visit_hooks loud = { .trace = run_trace,
		.over = run_visit_over };
	const struct run_env *env = run->env;
	struct visit_conf conf = {
		.loop = env->loop,
		.dialer = env->dialer,
		.account = run->account,
		.delivery = run->delivery,
		.storer = run->storer,
		.open = open_place,
		.hooks = env->trace ? &loud : &quiet,
		.arg = run,
		.state_dir = env->state_dir,
		.anew = run->result.refused_token,
		.terminal = env->terminal,
		.accept = env->accept,
		.insist = env->insist,
		.chosen = env->chosen,
		.n_chosen = env->n_chosen,
		.earlier = run->only_troubled ? &run->result : NULL,
	};
	struct errbuf eb;

	if (!has_room(run)) {
		/* Who is asked now may be who has the room. */
		secret_expect_not(run->account, env->loop);
		run_go_on_in(run, ROOM_PAUSE);
		return;
	}
	if (record_settle(&run->record) != E_OK) {
		run_failed(run, OUTCOME_INTERNAL, _("out of memory"));
		return;
	}
	if (visit_new(&run->visit, &conf, &run->record, &eb) == E_OK)
		visit_start(run->visit);
	else
		run_failed(run, OUTCOME_INTERNAL, eb.text);
}

/* Adds what a session did to what the run has done. */
static void
add_result(struct run *run, const struct visit_result *r)
{
	struct tally *t = &run->result.tally, before = *t;
	struct arrivals first = run->result.arrivals;

	run->result = *r;
	arrivals_join(&first, &r->arrivals);
	run->result.arrivals = first;
	t->collected += before.collected;
	t->collected_octets += before.collected_octets;
	t->deleted += before.deleted;
	t->freed_octets += before.freed_octets;
}

/* The same, of a session for those that had broken an earlier one: that one has
 * told of the others. */
static void
add_troubled(struct run *run, const struct visit_result *r)
{
	struct visit_result *to = &run->result, before = *to;
	bool got_some = r->tally.collected != 0 || r->tally.deleted != 0;

	add_result(run, r);
	to->tally.skipped = before.tally.skipped;
	to->tally.large = before.tally.large;
	to->tally.failed += before.tally.failed;
	to->later = before.later;
	if (!got_some) {
		to->tally.left = before.tally.left;
		to->tally.left_octets = before.tally.left_octets;
	}
	if (outcome_stands(before.outcome, &before.tally)) {
		to->outcome = before.outcome;
		memcpy(to->words, before.words, sizeof(to->words));
	}
	if (to->notice[0] == '\0')
		memcpy(to->notice, before.notice, sizeof(to->notice));
}

static void
run_pause(struct run *run, unsigned seconds)
{
	report_waits(run->env->report, run->index, run->result.words, seconds);
	run_go_on_in(run, seconds);
}

static void
run_wait(struct run *run, unsigned seconds)
{
	run->waited += seconds;
	secret_expect_not(run->account, run->env->loop);
	run_pause(run, seconds);
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
 * another run can tell.  A destination that takes nothing is opened anew by
 * another run. */
static bool
must_end(const struct run *run)
{
	return run->stopping || run->only_troubled || run->result.unrecorded ||
	       run->result.outcome == OUTCOME_DESTINATION ||
	       run->result.outcome == OUTCOME_CONFIG;
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
	run_wait(run, wait < left ? wait : left);
	return true;
}

/* Another session, as soon as the server permits it (LOGIN-DELAY).  False: it
 * does not within the account's patience. */
static bool
run_next(struct run *run)
{
	unsigned delay = run->result.login_delay;

	if (delay == 0) {
		run_visit(run);
		return true;
	}
	if (run->waited + delay > run->account->patience)
		return false;
	if (run->result.outcome == OUTCOME_OK)
		snprintf(run->result.words, sizeof(run->result.words), "%s",
		    _("the server wants some time between two sign-ins"));
	run_wait(run, delay);
	return true;
}

static void
say_what_waits(struct visit_result *r, const char *server)
{
	if (r->later != 0)
		snprintf(r->words, sizeof(r->words),
		    ngettext("%s ends long sessions: %u message waits for the "
			     "next run",
			"%s ends long sessions: %u messages wait for the "
			"next run",
			r->later),
		    server, r->later);
	else
		snprintf(r->words, sizeof(r->words), "%s",
		    _("a message that may have broken a session waits for the "
		      "next run, as the server wants some time between two "
		      "sign-ins"));
}

/* No other session is possible now. */
static void
leave_rest(struct run *run)
{
	struct visit_result *r = &run->result;

	if (r->outcome == OUTCOME_OK) {
		r->outcome = OUTCOME_LEFT;
		say_what_waits(r, run->account->server);
	}
	run_over(run);
}

/* It was cut: may the run go on with a shorter session?  What was collected is
 * not collected again, so that this ends. */
static bool
is_worth_it(struct run *run, const struct visit_result *r)
{
	if (!r->cut)
		return false;
	run->later = UINT32_MAX;
	return r->tally.collected != 0 || ++run->cuts < CUTS_MAX;
}

/* The person is asked for the password once more, on another connection: some
 * servers hang up after a wrong one, and all count them. */
static bool
asks_again(struct run *run, const struct visit_result *r)
{
	if (!r->mistyped || run->stopping || ++run->typed == VISIT_TYPED_MAX)
		return false;
	report_notice(run->env->report, run->index, r->words);
	return true;
}

/* A session that was cut is followed by one that is shorter; one that has ended
 * well by another one as long as they leave less and less, or collect
 * something. */
static void
run_visit_ended(struct run *run)
{
	const struct visit_result *r = visit_result(run->visit);
	/* There are only so many things to be learned. */
	bool learned = r->learned || is_worth_it(run, r);
	bool again = r->again && (learned || !run->reconnected);
	bool retyped = asks_again(run, r);
	bool more =
	    r->later != 0 && (r->later < run->later || r->tally.collected != 0);

	if (r->later != 0)
		run->later = r->later;

	if (run->only_troubled)
		add_troubled(run, r);
	else
		add_result(run, r);
	visit_free(run->visit);
	run->visit = NULL;
	if (must_end(run)) {
		if (run->only_troubled && run->result.later != 0)
			leave_rest(run);
		else
			run_over(run);
	} else if (again || retyped) {
		if (again)
			run->reconnected = !learned;
		if (!run_next(run))
			run_over(run);
	} else if (more) {
		if (!run_next(run))
			leave_rest(run);
	} else if (run->result.turned_away && learn_crowd(run)) {
		/* One of ours will end; patience is not for that. */
		run_pause(run, jittered(delays[0]));
	} else if (run->result.outcome == OUTCOME_BUSY && try_later(run)) {
		return;
	} else if (run->result.troubled_left) {
		run->only_troubled = true;
		if (!run_next(run))
			leave_rest(run);
	} else if (run->result.later != 0) {
		leave_rest(run);
	} else {
		run_over(run);
	}
}

/* ---- the beginning of a run ---- */

/* The record, or the destination of messages in doubt. */
static enum outcome
outcome_of_begin(enum err e)
{
	switch (e) {
	case E_CONFIG: return OUTCOME_CONFIG;
	case E_BUSY:
	case E_AGAIN:
	case E_CLOSED:
	case E_NOENT: return OUTCOME_DESTINATION;
	default: return OUTCOME_DISK;
	}
}

/* What the person is told of before the visit. */
static void
tell_found(struct run *run, const struct storer_job *job)
{
	char words[384];

	if (job->n_rebuilt != 0) {
		snprintf(words, sizeof(words),
		    ngettext("there is no record of this account yet; the "
			     "%zu message in %s is compared with the server's, "
			     "so that it is not collected again",
			"there is no record of this account yet; the %zu "
			"messages in %s are compared with the server's, so "
			"that none of them is collected again",
			job->n_rebuilt),
		    job->n_rebuilt, run->account->dest.text);
		report_notice(run->env->report, run->index, words);
	}
	if (job->n_untold != 0) {
		outcome_untold_words(words, sizeof(words), job->n_untold);
		report_notice(run->env->report, run->index, words);
	}
}

/* Not before the server wants that again. */
static void
visit_in_time(struct run *run, int64_t not_before)
{
	int64_t wait = not_before - time(NULL);

	if (wait > 0)
		snprintf(run->result.words, sizeof(run->result.words), "%s",
		    _("the server wants some time between two sign-ins"));
	if (wait > run->account->patience) {
		run->result.outcome = OUTCOME_BUSY;
		run->ended = true;
		run_visit_over(run);
	} else if (wait > 0) {
		run_wait(run, (unsigned)wait);
	} else {
		run_visit(run);
	}
}

static void
record_read(struct storer_job *job)
{
	struct run *run = job->arg;
	struct state_account *a = &job->account;

	run->record = (struct record){
		.account = *a,
		.messages = job->messages,
		.n_messages = job->n_messages,
		.troubles = job->troubles,
		.n_troubles = job->n_troubles,
		.numbers = job->numbers,
		.n_numbers = job->n_numbers,
		.numbers_room = job->n_numbers,
	};
	run->exit_before = a->exit_code;
	run->crowd = a->crowd_until > time(NULL) ? a->crowd : UINT_MAX;
	if (run->stopping)
		job->err = E_CLOSED;
	if (job->err != E_OK) {
		run->result.outcome = run->stopping
					  ? OUTCOME_STOPPED
					  : outcome_of_begin(job->err);
		if (run->stopping)
			strcpy(run->result.words, _("stopped"));
		else
			destination_words(run->result.words,
			    sizeof(run->result.words), run->account,
			    run->env->state_dir, run->env->insist,
			    job->eb.text);
		run->ended = true;
		run_visit_over(run);
		return;
	}
	tell_found(run, job);
	visit_in_time(run, a->not_before);
}

/* See storer_open; it is not made anew. */
static enum err
open_other(
    void *arg, const char *text, struct delivery **d_r, struct errbuf *eb)
{
	struct run *run = arg;
	struct dest dest;
	enum err e = client_conf_dest(run->env->conf, &dest, text, eb);

	*d_r = NULL;
	if (e == E_OK && !delivery_has_gone(&dest))
		e = open_delivery(run, &dest, NULL, d_r, eb);
	dest_clear(&dest);
	return e;
}

static struct state_key
key_of(const struct run *run)
{
	return (struct state_key){ run->account->name, run->maildrop,
		client_conf_has, run->env->conf };
}

/* Before the record was read: it is to say all the same how this run has ended,
 * for `status`, and for the next run, which may say only what has changed. */
static void
put_on_record(struct run *run)
{
	struct state_key key = key_of(run);
	struct state_account a;
	struct state *s;
	bool put_aside;

	if (state_open(&s, run->env->state_dir, &put_aside, NULL) != E_OK)
		return;
	if (state_account(s, &key, &a, NULL) == E_OK) {
		run->exit_before = a.exit_code;
		a.tried_at = time(NULL);
		a.exit_code = outcome_exit_code(run->result.outcome);
		snprintf(a.error, sizeof(a.error), "%s", run->result.words);
		(void)!state_account_save(s, &a, NULL);
	}
	state_close(s);
}

/* The destination cannot be opened. */
static void
run_has_no_place(struct run *run, enum err e, const char *why)
{
	struct visit_result *r = &run->result;

	r->outcome = outcome_of_destination(e);
	if (r->outcome == OUTCOME_CONFIG || r->outcome == OUTCOME_DESTINATION)
		snprintf(r->words, sizeof(r->words),
		    _("%s; mend that, or \"deliver\" of account %s"), why,
		    run->account->name);
	else
		snprintf(r->words, sizeof(r->words), "%s", why);
	put_on_record(run);
	run_over(run);
}

static enum err
run_take_lock(struct run *run, struct errbuf *eb)
{
	if (account_maildrop(run->maildrop, run->account) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return account_lock_take(&run->lock, run->env->state_dir,
	    run->account->name, run->maildrop, eb);
}

/* Without its record all would be new; and a daemon need not have read that the
 * account is not meant any more. */
static bool
was_forgotten(const struct run *run)
{
	struct state_key key = key_of(run);
	struct state_account a = { .id = 0 };
	struct state *s;
	bool put_aside, known = true;

	if (!client_conf_has_lost(run->env->conf, run->maildrop) ||
	    state_open(&s, run->env->state_dir, &put_aside, NULL) != E_OK)
		return false;
	if (state_account_look(s, &key, &a, NULL) == E_OK)
		known = a.id != 0;
	state_close(s);
	return !known;
}

void
run_begin(struct run *run)
{
	const struct run_env *env = run->env;
	const struct account *a = run->account;
	struct storer_conf conf = {
		.loop = env->loop,
		.state_dir = env->state_dir,
		.account = a,
		.open = open_other,
		.arg = run,
	};
	struct errbuf eb;
	enum err e;

	run->result = (struct visit_result){ .outcome = OUTCOME_OK };
	strcpy(run->result.tls, "none");
	run->exit_before = EX_OK;
	run->tries = run->waited = run->typed = 0;
	run->ended = false;
	run->reconnected = run->only_troubled = false;
	run->turned_away_alone = false;
	run->later = UINT32_MAX;
	run->cuts = 0;
	report_began(env->report, run->index);
	if ((e = run_take_lock(run, &eb)) != E_OK) {
		run_failed(
		    run, e == E_BUSY ? OUTCOME_LOCKED : OUTCOME_DISK, eb.text);
		return;
	}
	if (was_forgotten(run)) {
		run_failed(run, OUTCOME_CONFIG,
		    _("it was forgotten, and is configured no more: nothing is "
		      "collected"));
		return;
	}
	if (env->conf->n_places != 0 &&
	    (run->asker = asker_new(env->loop, env->state_dir, env->terminal,
		 env->insist)) == NULL) {
		run_failed(run, OUTCOME_INTERNAL, _("out of memory"));
		return;
	}
	if ((e = open_delivery(
		 run, &a->dest, a->folders, &run->delivery, &eb)) != E_OK) {
		run_has_no_place(run, e, eb.text);
		return;
	}
	conf.delivery = run->delivery;
	conf.key = key_of(run);
	if (storer_new(&run->storer, &conf, &eb) != E_OK) {
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

static void
run_go_on(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct run *run = w->data;

	if (run->visit != NULL) {
		run_visit_ended(run);
	} else if (run->stopping) {
		run->result.outcome = OUTCOME_STOPPED;
		run_over(run);
	} else if (run->ended) {
		run_over(run);
	} else {
		run_visit(run);
	}
}

int
run_exit_before(const struct run *run)
{
	return run->exit_before;
}

unsigned
run_crowd(const struct run *run)
{
	return run->crowd;
}

bool
run_is_in_session(const struct run *run)
{
	return run->visit != NULL;
}

/* The timer is for the next session, or it ends this one. */
struct visit_progress
run_progress(const struct run *run)
{
	if (run->visit != NULL)
		return visit_progress(run->visit);
	return (struct visit_progress){
		.phase = ev_is_active(&run->timer) ? PHASE_WAIT : PHASE_START,
	};
}

void
run_stop(struct run *run)
{
	run->stopping = true;
	if (run->asker != NULL)
		asker_close(run->asker);
	if (run->delivery != NULL)
		delivery_stop(run->delivery);
	if (ev_is_active(&run->timer))
		run_go_on_in(run, 0);
	else if (run->visit != NULL)
		visit_stop(run->visit);
	/* else the record is being read: record_read(), or all is over but that
	 * others are told of it, in a time that is bounded */
}

struct run *
run_new(const struct run_env *env, size_t index, run_done *done, void *arg)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return NULL;
	*run = (struct run){
		.env = env,
		.account = &env->conf->v[index],
		.index = index,
		.done = done,
		.arg = arg,
		.lock = ACCOUNT_LOCK_NONE,
		.crowd = UINT_MAX,
	};
	ev_init(&run->timer, run_go_on);
	run->timer.data = run;
	return run;
}

void
run_free(struct run *run)
{
	free(run);
}

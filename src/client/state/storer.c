#include "client/state/storer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/conf/rule.h"
#include "client/state/mine.h"
#include "client/state/recover.h"

/* A message that has gone from the server is remembered so long, should its
 * unique-id come back. */
enum { REMEMBER = 180 * 24 * 3600 };

TAILQ_HEAD(flights, storer_job);

struct storer {
	struct storer_conf conf;
	struct state *state; /* used by the thread alone, as the id is */
	int64_t id;
	bool moved;            /* see state_account_settle() */
	struct pool *pool;     /* of one thread: jobs are done in order */
	atomic_uint n_waiting; /* jobs that have not begun */
	/* Batches that were given and are not settled: the loop's. */
	struct flights flights;
	struct pool_job settling; /* the first of them */
	struct storer_job *settled;
};

/* ---- the thread ---- */

struct rebuild {
	struct message *v;
	size_t n, room;
	struct numbered *stubs;
	size_t n_stubs, stubs_room;
	struct digest own;     /* of the account's name */
	struct digest *others; /* of those that there are records of */
	size_t n_others, others_room;
};

static struct digest
digest_of_name(const char *name)
{
	return digest_of((struct slice){ name, strlen(name) });
}

static enum err
rebuild_other(void *arg, const char *name)
{
	struct rebuild *r = arg;
	struct digest *v =
	    array_room(r->others, r->n_others, &r->others_room, sizeof(*v));

	if (v == NULL)
		return E_NOMEM;
	r->others = v;
	v[r->n_others++] = digest_of_name(name);
	return E_OK;
}

/* Is it perhaps a message of this account?  It may have had another name. */
static bool
is_candidate(const struct rebuild *r, const struct delivery_found *f)
{
	if (!f->is_ours)
		return f->identity.strong;
	if (digest_eq(f->account, r->own))
		return true;
	for (size_t i = 0; i < r->n_others; i++)
		if (digest_eq(f->account, r->others[i]))
			return false;
	return f->identity.strong;
}

/* The number by which it calls the large one is that one's again. */
static enum err
rebuild_stub(struct rebuild *r, const struct delivery_found *f)
{
	struct numbered *v;

	if (!digest_eq(f->account, r->own))
		return E_OK;
	v = array_room(r->stubs, r->n_stubs, &r->stubs_room, sizeof(*v));
	if (v == NULL)
		return E_NOMEM;
	r->stubs = v;
	v[r->n_stubs++] = (struct numbered){
		.number = f->stub.number,
		.key = f->stub.key,
		.size = f->stub.size,
		.seen_at = f->stored_at,
		.stub_at = f->stored_at,
	};
	return E_OK;
}

static enum err
rebuild_found(void *arg, const struct delivery_found *f)
{
	struct rebuild *r = arg;
	struct message *m;

	if (f->is_stub)
		return rebuild_stub(r, f);
	if (!is_candidate(r, f))
		return E_OK;
	if ((m = array_room(r->v, r->n, &r->room, sizeof(*m))) == NULL)
		return E_NOMEM;
	r->v = m;
	m = &r->v[r->n++];
	*m = (struct message){
		.has_uid = f->has_uid,
		.uid = f->uid,
		.size = SIZE_UNKNOWN, /* the header shall tell, once */
		.identity = f->identity,
		.has_identity = true,
		.where = MESSAGE_THERE,
		.stored_at = f->stored_at,
	};
	return E_OK;
}

/* ---- where rules have mail go to ---- */

/* Is it no place that was met before, as that of the account itself? */
static bool
is_new_place(const struct account *a, size_t i)
{
	return rule_place(a->rules, i) == i &&
	       !dest_same(&a->rules[i]->dest, &a->dest);
}

static enum err
scan_places(struct storer *st, struct rebuild *r, struct errbuf *eb)
{
	const struct account *a = st->conf.account;
	enum err e = E_OK;

	for (size_t i = 0; a->rules[i] != NULL && e == E_OK; i++) {
		struct delivery *d = NULL;

		if (!is_new_place(a, i))
			continue;
		e = st->conf.open(st->conf.arg, a->rules[i]->dest.text, &d, eb);
		if (e == E_OK && d != NULL)
			e = delivery_scan(d, rebuild_found, r, eb);
		delivery_close(d);
	}
	return e;
}

/* Other kinds leave files in the spool only.  A place that is away is told of when
 * a message is for it. */
static void
sweep_places(struct storer *st)
{
	const struct account *a = st->conf.account;

	for (size_t i = 0; a->rules[i] != NULL; i++) {
		struct delivery *d = NULL;
		struct errbuf eb;

		if (a->rules[i]->dest.kind != DEST_MAILDIR ||
		    !is_new_place(a, i))
			continue;
		if (st->conf.open(st->conf.arg, a->rules[i]->dest.text, &d,
			&eb) == E_OK &&
		    d != NULL)
			(void)!delivery_sweep(d, &eb);
		delivery_close(d);
	}
}

/* What cannot be read, or is not there, has nothing that was deleted. */
static void
find_mine(struct storer *st, struct storer_job *job)
{
	const struct account *a = st->conf.account;
	struct mine *mine = a->delete_mine ? mine_new(a) : NULL;
	struct errbuf eb;
	enum err e;

	if (mine == NULL)
		return;
	e = state_account_names(st->state, mine_other, mine, &eb);
	if (e == E_OK)
		e = mine_read(mine, st->conf.delivery, &eb);
	for (size_t i = 0; a->rules[i] != NULL && e == E_OK; i++) {
		struct delivery *d = NULL;

		if (!is_new_place(a, i))
			continue;
		e = st->conf.open(
		    st->conf.arg, a->rules[i]->dest.text, &d, &eb);
		if (e == E_OK && d != NULL)
			e = mine_read(mine, d, &eb);
		delivery_close(d);
	}
	if (e == E_OK)
		mine_mark(mine, job->messages, job->n_messages);
	mine_free(mine);
}

/* Nothing is known of this account: perhaps the state was lost, or another
 * program collected before us, and the files still know. */
static enum err
rebuild(struct storer *st, struct storer_job *job)
{
	struct rebuild r = { .own = digest_of_name(st->conf.key.name) };
	enum err e =
	    state_account_names(st->state, rebuild_other, &r, &job->eb);

	if (e == E_OK)
		e = delivery_scan(
		    st->conf.delivery, rebuild_found, &r, &job->eb);
	if (e == E_OK)
		e = scan_places(st, &r, &job->eb);
	free(r.others);
	if (e == E_OK && r.n_stubs != 0)
		e = state_numbers_save(
		    st->state, st->id, r.stubs, r.n_stubs, 0, &job->eb);
	free(r.stubs);
	if (e == E_OK && r.n != 0)
		e = state_messages_save(st->state, st->id, r.v, r.n, &job->eb);
	if (e == E_OK) {
		job->n_rebuilt = r.n;
		job->messages = r.v;
		job->n_messages = r.n;
	} else {
		free(r.v);
	}
	return e;
}

static enum err
storer_begin(struct storer *st, struct storer_job *job)
{
	struct state *s = st->state;
	struct errbuf *eb = &job->eb;
	struct recovery r = {
		.state = s,
		.delivery = st->conf.delivery,
		.open = st->conf.open,
		.arg = st->conf.arg,
	};
	enum err e;

	job->messages = NULL;
	job->troubles = NULL;
	job->numbers = NULL;
	job->n_numbers = 0;
	job->n_messages = job->n_troubles = job->n_rebuilt = 0;
	e = state_account(s, &st->conf.key, &job->account, eb);
	if (e != E_OK)
		return e;
	st->id = r.id = job->account.id;
	st->moved = job->account.moved;
	e = storer_recover(&r, eb);
	job->n_untold = r.n_untold;
	if (e != E_OK)
		return e;
	sweep_places(st);
	if ((e = state_messages_forget(s, st->id, time(NULL) - REMEMBER, eb)) !=
		E_OK ||
	    (e = state_messages(
		 s, st->id, &job->messages, &job->n_messages, eb)) != E_OK)
		return e;
	find_mine(st, job);
	if (job->account.tried_at == 0 && job->n_messages == 0) {
		free(job->messages);
		job->messages = NULL;
		if ((e = rebuild(st, job)) != E_OK)
			return e;
	}
	if (st->conf.account->headers_above != UINT64_MAX &&
	    (e = state_numbers(
		 s, st->id, &job->numbers, &job->n_numbers, eb)) != E_OK)
		return e;
	return state_troubles(s, st->id, &job->troubles, &job->n_troubles, eb);
}

/* Those of one delivery, before they are published.  *failed_r: it takes nothing,
 * by `eb`. */
static enum err
begin_there(struct storer *st, struct delivery *d, struct parcel **v, size_t n,
    enum err *failed_r, struct errbuf *eb)
{
	enum err e;

	for (size_t i = 0; i < n; i++)
		v[i]->result = E_CLOSED;
	if ((*failed_r = delivery_prepare(d, v, n, eb)) != E_OK)
		return E_OK;
	e = state_intend(
	    st->state, st->id, delivery_text(d), v, n, time(NULL), eb);
	if (e != E_OK)
		delivery_release(d, v, n);
	return e;
}

/* Without "stored" nobody may delete: the next run finds the intents. */
static enum err
end_there(struct storer *st, struct delivery *d, struct parcel **v, size_t n,
    enum err *failed_r, struct errbuf *eb)
{
	enum err e = state_stored(st->state, st->id, v, n, time(NULL), eb);

	delivery_release(d, v, n);
	if (e == E_OK)
		*failed_r = delivery_failed(d, eb);
	return e;
}

static enum err
store_there(struct storer *st, struct delivery *d, struct parcel **v, size_t n,
    enum err *failed_r, struct errbuf *eb)
{
	enum err e = begin_there(st, d, v, n, failed_r, eb);

	if (e != E_OK || *failed_r != E_OK)
		return e;
	delivery_publish(d, v, n);
	return end_there(st, d, v, n, failed_r, eb);
}

/* Where a rule has sent them: that this place takes nothing is a matter of these
 * messages alone. */
static void
blame_place(struct parcel **v, size_t n, const char *why)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i]->result != E_CLOSED)
			continue;
		v[i]->result = E_AGAIN;
		snprintf(v[i]->why, sizeof(v[i]->why), "%.*s",
		    (int)sizeof(v[i]->why) - 1, why);
	}
}

/* Puts those of the first one's delivery before the others, in their order;
 * returns how many they are. */
static size_t
gather(struct parcel **v, size_t n)
{
	const struct delivery *d = parcel_delivery(v[0]);
	size_t k = 1;

	for (size_t i = 1; i < n; i++) {
		struct parcel *p = v[i];

		if (parcel_delivery(p) != d)
			continue;
		memmove(&v[k + 1], &v[k], (i - k) * sizeof(struct parcel *));
		v[k++] = p;
	}
	return k;
}

static void
count_untold(struct storer_job *job, struct delivery *d)
{
	job->n_untold += delivery_untold(d);
}

/* All of the account's own delivery, which need not be waited for. */
static bool
may_fly(const struct storer *st, const struct storer_job *job)
{
	if (!delivery_goes_ahead(st->conf.delivery))
		return false;
	for (size_t i = 0; i < job->n_parcels; i++)
		if (parcel_delivery(job->parcels[i]) != st->conf.delivery)
			return false;
	return true;
}

static enum err
storer_give(struct storer *st, struct storer_job *job)
{
	struct delivery *d = st->conf.delivery;
	enum err e;

	e = begin_there(
	    st, d, job->parcels, job->n_parcels, &job->failed, &job->eb);
	job->flying = e == E_OK && job->failed == E_OK;
	if (job->flying)
		delivery_give(d, job->parcels, job->n_parcels);
	count_untold(job, d);
	return e;
}

/* Not yet, if another job waits: it is still `flying` then. */
static void
storer_settle(struct storer *st, struct storer_job *job)
{
	struct delivery *d = st->conf.delivery;

	if (!delivery_settle(d, job->parcels, job->n_parcels, &st->n_waiting))
		return;
	job->flying = false;
	job->err = end_there(
	    st, d, job->parcels, job->n_parcels, &job->failed, &job->eb);
	count_untold(job, d);
}

/* One delivery after the other: an error leaves intents of one of them only. */
static enum err
storer_batch(struct storer *st, struct storer_job *job)
{
	enum err e = E_OK;
	size_t n;

	job->n_untold = 0;
	for (size_t i = 0; i < job->n_parcels; i++)
		job->parcels[i]->result = E_CLOSED;
	if (may_fly(st, job))
		return storer_give(st, job);
	for (size_t i = 0; i < job->n_parcels && e == E_OK; i += n) {
		struct parcel **v = &job->parcels[i];
		struct delivery *d = parcel_delivery(v[0]);
		struct errbuf eb;
		enum err failed;

		n = gather(v, job->n_parcels - i);
		e = store_there(st, d, v, n, &failed, &eb);
		count_untold(job, d);
		if (e == E_OK && failed != E_OK && d != st->conf.delivery)
			blame_place(v, n, eb.text);
		else if (e != E_OK || failed != E_OK) {
			job->failed = failed;
			job->eb = eb;
		}
	}
	return e;
}

/* The maildrop is there: its server and user are no mistake. */
static enum err
settle(struct storer *st, struct errbuf *eb)
{
	enum err e;

	if (!st->moved)
		return E_OK;
	e = state_account_settle(st->state, st->id, &st->conf.key, eb);
	st->moved = e != E_OK;
	return e;
}

static enum err
storer_save(struct storer *st, struct storer_job *job)
{
	enum err e = job->listed ? settle(st, &job->eb) : E_OK;

	if (e == E_OK && job->n_messages != 0)
		e = state_messages_save(st->state, st->id, job->messages,
		    job->n_messages, &job->eb);
	if (e == E_OK)
		e = state_troubles_save(st->state, st->id, job->troubles,
		    job->n_troubles, &job->eb);
	if (e == E_OK)
		e = state_account_save(st->state, &job->account, &job->eb);
	return e;
}

static void
storer_run(struct pool_job *j)
{
	struct storer_job *job = (struct storer_job *)j;
	struct storer *st = job->storer;
	bool put_aside;

	atomic_fetch_sub(&st->n_waiting, 1);
	job->eb.text[0] = '\0';
	job->err = st->state != NULL
		       ? E_OK
		       : state_open(&st->state, st->conf.state_dir, &put_aside,
			     &job->eb);
	if (job->err != E_OK)
		return;
	switch (job->kind) {
	case STORER_BEGIN: job->err = storer_begin(st, job); break;
	case STORER_TRY:
		job->err = delivery_try(st->conf.delivery, &job->eb);
		break;
	case STORER_BATCH: job->err = storer_batch(st, job); break;
	case STORER_SAVE: job->err = storer_save(st, job); break;
	}
}

/* ---- the loop ---- */

static struct storer *
storer_of(struct pool_job *settling)
{
	return (struct storer *)((char *)settling -
				 offsetof(struct storer, settling));
}

static void
settle_run(struct pool_job *j)
{
	struct storer *st = storer_of(j);

	storer_settle(st, st->settled);
}

static void
settle_done(struct pool_job *j)
{
	struct storer *st = storer_of(j);
	struct storer_job *job = st->settled;
	bool over = !job->flying;

	if (over)
		TAILQ_REMOVE(&st->flights, job, link);
	st->settled = TAILQ_FIRST(&st->flights);
	if (st->settled != NULL)
		pool_add(st->pool, j);
	if (over)
		job->done(job);
}

static void
storer_done(struct pool_job *j)
{
	struct storer_job *job = (struct storer_job *)j;
	struct storer *st = job->storer;

	if (!job->flying) {
		job->done(job);
		return;
	}
	TAILQ_INSERT_TAIL(&st->flights, job, link);
	if (st->settled == NULL) {
		st->settled = job;
		pool_add(st->pool, &st->settling);
	}
	if (job->given != NULL)
		job->given(job);
}

enum err
storer_new(
    struct storer **st_r, const struct storer_conf *conf, struct errbuf *eb)
{
	struct storer *st = calloc(1, sizeof(*st));

	*st_r = NULL;
	if (st == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	st->conf = *conf;
	TAILQ_INIT(&st->flights);
	st->settling =
	    (struct pool_job){ .run = settle_run, .done = settle_done };
	if (pool_new(&st->pool, conf->loop, 1, eb) != E_OK) {
		free(st);
		return err_set(eb, E_NOMEM, _("cannot start a thread"));
	}
	*st_r = st;
	return E_OK;
}

void
storer_free(struct storer *st)
{
	if (st == NULL)
		return;
	pool_free(st->pool);
	state_close(st->state);
	free(st);
}

void
storer_do(struct storer *st, struct storer_job *job)
{
	job->job = (struct pool_job){ .run = storer_run, .done = storer_done };
	job->storer = st;
	job->flying = false;
	atomic_fetch_add(&st->n_waiting, 1);
	pool_add(st->pool, &job->job);
	if (st->settled != NULL)
		delivery_nudge(st->conf.delivery);
}

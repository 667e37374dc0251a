#include "client/state/storer.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/state/recover.h"

/* A message that has gone from the server is remembered so long, should its
 * unique-id come back. */
enum { REMEMBER = 180 * 24 * 3600 };

struct queue {
	struct storer_job *first, **last;
};

struct storer {
	struct ev_loop *loop;
	const char *dir, *account, *dest;
	struct delivery *delivery;
	storer_open *open;
	void *arg;
	struct state *state; /* the thread's */
	int64_t id;
	ev_async done;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct queue todo, over;
	bool stop;
};

static void
queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void
queue_put(struct queue *q, struct storer_job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
}

static struct storer_job *
queue_take(struct queue *q)
{
	struct storer_job *job = q->first;

	if (job != NULL && (q->first = job->next) == NULL)
		q->last = &q->first;
	return job;
}

/* ---- the thread ---- */

struct rebuild {
	struct message *v;
	size_t n, room;
};

static enum err
rebuild_found(void *arg, const struct delivery_found *f)
{
	struct rebuild *r = arg;
	struct message *m;

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

/* Nothing is known of this account: perhaps the state was lost, and the names
 * of the files still know. */
static enum err
rebuild(struct storer *st, struct storer_job *job)
{
	struct rebuild r = { NULL, 0, 0 };
	enum err e = delivery_scan(st->delivery, rebuild_found, &r, &job->eb);

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
begin(struct storer *st, struct storer_job *job)
{
	struct state *s = st->state;
	struct errbuf *eb = &job->eb;
	struct recovery r = {
		.state = s,
		.dest = st->dest,
		.delivery = st->delivery,
		.open = st->open,
		.arg = st->arg,
	};
	enum err e;

	job->messages = NULL;
	job->troubles = NULL;
	job->n_messages = job->n_troubles = job->n_rebuilt = 0;
	e = state_account(s, st->account, &job->account, eb);
	if (e != E_OK)
		return e;
	st->id = r.id = job->account.id;
	if ((e = storer_recover(&r, eb)) != E_OK ||
	    (e = state_messages_forget(s, st->id, time(NULL) - REMEMBER, eb)) !=
		E_OK ||
	    (e = state_messages(
		 s, st->id, &job->messages, &job->n_messages, eb)) != E_OK)
		return e;
	if (job->account.tried_at == 0 && job->n_messages == 0) {
		free(job->messages);
		job->messages = NULL;
		if ((e = rebuild(st, job)) != E_OK)
			return e;
	}
	return state_troubles(s, st->id, &job->troubles, &job->n_troubles, eb);
}

static enum err
batch(struct storer *st, struct storer_job *job)
{
	struct parcel **v = job->parcels;
	size_t n = job->n_parcels;
	enum err e;

	for (size_t i = 0; i < n; i++)
		v[i]->result = E_AGAIN;
	e = delivery_prepare(st->delivery, v, n, &job->eb);
	if (e != E_OK)
		return e;
	e = state_intend(
	    st->state, st->id, st->dest, v, n, time(NULL), &job->eb);
	if (e == E_OK) {
		delivery_publish(st->delivery, v, n);
		e = state_stored(st->state, st->id, v, n, time(NULL), &job->eb);
	}
	/* Without "stored" nobody may delete: the next run finds the intents. */
	delivery_release(st->delivery, v, n);
	return e;
}

static enum err
save(struct storer *st, struct storer_job *job)
{
	enum err e = E_OK;

	if (job->n_messages != 0)
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
work(struct storer *st, struct storer_job *job)
{
	bool put_aside;

	job->eb.text[0] = '\0';
	job->err = st->state != NULL
		       ? E_OK
		       : state_open(&st->state, st->dir, &put_aside, &job->eb);
	if (job->err != E_OK)
		return;
	switch (job->kind) {
	case STORER_BEGIN: job->err = begin(st, job); break;
	case STORER_BATCH: job->err = batch(st, job); break;
	case STORER_SAVE: job->err = save(st, job); break;
	}
}

static void *
thread(void *arg)
{
	struct storer *st = arg;
	struct storer_job *job;

	pthread_mutex_lock(&st->lock);
	for (;;) {
		while ((job = queue_take(&st->todo)) == NULL && !st->stop)
			pthread_cond_wait(&st->wake, &st->lock);
		if (job == NULL)
			break;
		pthread_mutex_unlock(&st->lock);
		work(st, job);
		pthread_mutex_lock(&st->lock);
		queue_put(&st->over, job);
		ev_async_send(st->loop, &st->done);
	}
	pthread_mutex_unlock(&st->lock);
	state_close(st->state);
	return NULL;
}

/* ---- the loop ---- */

static void
jobs_done(struct ev_loop *loop, ev_async *w, int revents)
{
	struct storer *st = w->data;
	struct storer_job *job, *next;

	(void)loop;
	(void)revents;
	pthread_mutex_lock(&st->lock);
	job = st->over.first;
	queue_init(&st->over);
	pthread_mutex_unlock(&st->lock);
	/* The last of them may free the storer. */
	for (; job != NULL; job = next) {
		next = job->next;
		job->done(job);
	}
}

enum err
storer_new(struct storer **st_r, struct ev_loop *loop, const char *state_dir,
    const char *account, const char *dest, struct delivery *d,
    storer_open *open, void *arg, struct errbuf *eb)
{
	struct storer *st = calloc(1, sizeof(*st));
	sigset_t all, before;
	int r;

	*st_r = NULL;
	if (st == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	*st = (struct storer){
		.loop = loop,
		.dir = state_dir,
		.account = account,
		.dest = dest,
		.delivery = d,
		.open = open,
		.arg = arg,
	};
	queue_init(&st->todo);
	queue_init(&st->over);
	pthread_mutex_init(&st->lock, NULL);
	pthread_cond_init(&st->wake, NULL);
	ev_async_init(&st->done, jobs_done);
	st->done.data = st;
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&st->thread, NULL, thread, st);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		free(st);
		return err_set(eb, E_NOMEM, _("cannot start a thread"));
	}
	ev_async_start(loop, &st->done);
	*st_r = st;
	return E_OK;
}

void
storer_free(struct storer *st)
{
	if (st == NULL)
		return;
	pthread_mutex_lock(&st->lock);
	st->stop = true;
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
	pthread_join(st->thread, NULL);
	ev_async_stop(st->loop, &st->done);
	pthread_cond_destroy(&st->wake);
	pthread_mutex_destroy(&st->lock);
	free(st);
}

void
storer_do(struct storer *st, struct storer_job *job)
{
	pthread_mutex_lock(&st->lock);
	queue_put(&st->todo, job);
	pthread_cond_signal(&st->wake);
	pthread_mutex_unlock(&st->lock);
}

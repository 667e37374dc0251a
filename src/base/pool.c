#include "base/pool.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

TAILQ_HEAD(pool_jobs, pool_job);

struct pool_thread {
	struct pool *pool;
	pthread_t id;
	uint32_t of; /* whose job it runs */
};

struct pool {
	struct ev_loop *loop;
	ev_async wake; /* `finished` is not empty */

	/* What follows is under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pool_jobs quick, slow; /* these wait */
	struct pool_jobs finished;
	unsigned unfinished, slow_running;
	bool stop;
	unsigned each; /* jobs of one owner; 0: no matter how many */
	unsigned threads;
	struct pool_thread thread[];
};

/* ---- threads ---- */

static bool
has_its_share(const struct pool *p, uint32_t of)
{
	unsigned n = 0;

	if (of == 0 || p->each == 0)
		return false;
	for (unsigned i = 0; i < p->threads; i++)
		n += p->thread[i].of == of;
	return n >= p->each;
}

/* The first whose owner may have another thread. */
static struct pool_job *
first_of(const struct pool *p, const struct pool_jobs *jobs)
{
	struct pool_job *job;

	TAILQ_FOREACH (job, jobs, link)
		if (!has_its_share(p, job->of))
			break;
	return job;
}

/* The job that comes next; NULL: there is none that may begin now. */
static struct pool_job *
next_job(struct pool *p)
{
	bool may = p->slow_running + 1 < p->threads;
	struct pool_job *job = NULL;

	if (may && p->slow_running == 0)
		job = first_of(p, &p->slow);
	if (job == NULL)
		job = first_of(p, &p->quick);
	if (job == NULL && may)
		job = first_of(p, &p->slow);
	return job;
}

static void
unqueue_job(struct pool *p, struct pool_job *job)
{
	TAILQ_REMOVE(job->slow ? &p->slow : &p->quick, job, link);
	job->waiting = false;
}

static void
run_job(struct pool_thread *t, struct pool_job *job)
{
	struct pool *p = t->pool;

	unqueue_job(p, job);
	t->of = job->of;
	p->slow_running += job->slow;
	pthread_mutex_unlock(&p->lock);
	job->run(job);
	pthread_mutex_lock(&p->lock);
	t->of = 0;
	p->slow_running -= job->slow;
	p->unfinished--;
	TAILQ_INSERT_TAIL(&p->finished, job, link);
	ev_async_send(p->loop, &p->wake);
}

/* Each job that is added wakes a thread, and a thread that has finished a slow
 * job looks for the next: so none sleeps while there is one that may begin. */
static void *
pool_thread(void *arg)
{
	struct pool_thread *t = arg;
	struct pool *p = t->pool;
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = next_job(p)) != NULL || !p->stop)
		if (job != NULL)
			run_job(t, job);
		else
			pthread_cond_wait(&p->work, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- the loop ---- */

/* The last done() may free the pool: it is not looked at after that. */
static void
on_finished(struct ev_loop *loop, ev_async *w, int revents)
{
	struct pool *p = w->data;
	struct pool_jobs all = TAILQ_HEAD_INITIALIZER(all);
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	TAILQ_CONCAT(&all, &p->finished, link);
	pthread_mutex_unlock(&p->lock);
	while ((job = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, job, link);
		job->done(job);
	}
}

static int
start_threads(struct pool *p, unsigned n)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* see sandbox.c */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&p->lock);
	while (p->threads < n && r == 0) {
		struct pool_thread *t = &p->thread[p->threads];

		t->pool = p;
		r = pthread_create(&t->id, NULL, pool_thread, t);
		p->threads += r == 0;
	}
	pthread_mutex_unlock(&p->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

enum err
pool_new(struct pool **p_r, struct ev_loop *loop, unsigned threads,
    struct errbuf *eb)
{
	struct pool *p = calloc(1, sizeof(*p) + threads * sizeof(p->thread[0]));
	int r;

	*p_r = NULL;
	if (p == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	p->loop = loop;
	TAILQ_INIT(&p->quick);
	TAILQ_INIT(&p->slow);
	TAILQ_INIT(&p->finished);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	ev_async_init(&p->wake, on_finished);
	p->wake.data = p;
	ev_async_start(loop, &p->wake);
	if ((r = start_threads(p, threads)) != 0) {
		pool_free(p);
		errno = r;
		return err_sys(eb, E_IO, "cannot start a thread");
	}
	*p_r = p;
	return E_OK;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i].id, NULL);
	ev_async_stop(p->loop, &p->wake);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void
pool_limit(struct pool *p, unsigned each)
{
	p->each = each;
}

void
pool_add(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	job->waiting = true;
	p->unfinished++;
	TAILQ_INSERT_TAIL(job->slow ? &p->slow : &p->quick, job, link);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

bool
pool_cancel(struct pool *p, struct pool_job *job)
{
	bool waiting;

	pthread_mutex_lock(&p->lock);
	if ((waiting = job->waiting)) {
		unqueue_job(p, job);
		p->unfinished--;
	}
	pthread_mutex_unlock(&p->lock);
	return waiting;
}

unsigned
pool_unfinished(struct pool *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->unfinished;
	pthread_mutex_unlock(&p->lock);
	return n;
}

#include "server/auth/hashpool.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "server/users/scheme.h"

TAILQ_HEAD(jobs, hash_job);

struct hashpool {
	struct ev_loop *loop;
	ev_async wake; /* something is in `finished` */
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct jobs waiting, finished;
	unsigned n_waiting, n_idle, queue_max;
};

static void *
work(void *arg)
{
	struct hashpool *p = arg;
	struct hash_job *job;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while ((job = TAILQ_FIRST(&p->waiting)) == NULL)
			pthread_cond_wait(&p->some, &p->lock);
		TAILQ_REMOVE(&p->waiting, job, entry);
		p->n_waiting--;
		p->n_idle--;
		pthread_mutex_unlock(&p->lock);

		job->result = scheme_verify(job->stored, job->password);

		pthread_mutex_lock(&p->lock);
		p->n_idle++;
		TAILQ_INSERT_TAIL(&p->finished, job, entry);
		ev_async_send(p->loop, &p->wake);
	}
	return NULL;
}

static void
on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct hashpool *p = w->data;
	struct jobs all = TAILQ_HEAD_INITIALIZER(all);
	struct hash_job *job;

	pthread_mutex_lock(&p->lock);
	TAILQ_CONCAT(&all, &p->finished, entry);
	pthread_mutex_unlock(&p->lock);
	while ((job = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, job, entry);
		job->done(job);
	}
}

/* Signals are for the loop's thread. */
static int
start_threads(struct hashpool *p, unsigned n)
{
	sigset_t all, old;
	pthread_t id;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; n > 0 && r == 0; n--)
		if ((r = pthread_create(&id, NULL, work, p)) == 0)
			pthread_detach(id);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

enum err
hashpool_new(struct hashpool **p_r, struct ev_loop *loop, unsigned threads,
    unsigned queue_max, struct errbuf *eb)
{
	struct hashpool *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	p->loop = loop;
	p->queue_max = queue_max;
	p->n_idle = threads;
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->finished);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->some, NULL);
	ev_async_init(&p->wake, on_wake);
	p->wake.data = p;
	ev_async_start(loop, &p->wake);
	if ((r = start_threads(p, threads)) != 0) {
		errno = r;
		return err_sys(eb, E_IO, "cannot start a thread");
	}
	*p_r = p;
	return E_OK;
}

enum err
hashpool_add(struct hashpool *p, struct hash_job *job)
{
	enum err e = E_OK;

	pthread_mutex_lock(&p->lock);
	if (p->n_waiting >= p->n_idle + p->queue_max) {
		e = E_FULL;
	} else {
		TAILQ_INSERT_TAIL(&p->waiting, job, entry);
		p->n_waiting++;
		pthread_cond_signal(&p->some);
	}
	pthread_mutex_unlock(&p->lock);
	return e;
}

bool
hashpool_cancel(struct hashpool *p, struct hash_job *job)
{
	struct hash_job *j;

	pthread_mutex_lock(&p->lock);
	TAILQ_FOREACH (j, &p->waiting, entry)
		if (j == job)
			break;
	if (j != NULL) {
		TAILQ_REMOVE(&p->waiting, job, entry);
		p->n_waiting--;
	}
	pthread_mutex_unlock(&p->lock);
	return j != NULL;
}

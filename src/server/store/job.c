#include "server/store/job.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { THREADS_MIN = 2, THREADS_MAX = 64 };

struct line_queue {
	struct job_line *first, **last;
};

struct job_pool {
	struct ev_loop *loop;
	ev_async wake; /* `done` is not empty */
	pthread_t thread[THREADS_MAX];
	unsigned threads;

	/* What follows is under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct line_queue quick, slow; /* ready, by their first job */
	unsigned slow_running;
	struct job *done, **done_last;
	bool stop;
};

void
job_line_init(struct job_line *l)
{
	*l = (struct job_line){ .last = &l->first };
}

/* ---- threads ---- */

static void
line_push(struct job_pool *p, struct job_line *l)
{
	struct line_queue *q = l->first->slow ? &p->slow : &p->quick;

	l->busy = true;
	l->next = NULL;
	*q->last = l;
	q->last = &l->next;
	pthread_cond_signal(&p->work);
}

static struct job_line *
line_pop(struct line_queue *q)
{
	struct job_line *l = q->first;

	if (l != NULL && (q->first = l->next) == NULL)
		q->last = &q->first;
	return l;
}

/* Quick ones first, but one slow job goes on whatever else there is. */
static struct job_line *
line_choose(struct job_pool *p)
{
	bool may = p->slow_running + 1 < p->threads;
	struct job_line *l = NULL;

	if (may && p->slow_running == 0)
		l = line_pop(&p->slow);
	if (l == NULL)
		l = line_pop(&p->quick);
	if (l == NULL && may)
		l = line_pop(&p->slow);
	return l;
}

/* The line stays out of the queues while its job runs. */
static void
run_first(struct job_pool *p, struct job_line *l)
{
	struct job *j = l->first;
	bool slow = j->slow;

	if ((l->first = j->next) == NULL)
		l->last = &l->first;
	if (slow)
		p->slow_running++;
	pthread_mutex_unlock(&p->lock);
	j->run(j);
	pthread_mutex_lock(&p->lock);
	if (slow) {
		p->slow_running--;
		if (p->slow.first != NULL)
			pthread_cond_signal(&p->work);
	}
	/* The last use of the line here: done() may free it. */
	l->busy = false;
	if (l->first != NULL)
		line_push(p, l);
	j->next = NULL;
	*p->done_last = j;
	p->done_last = &j->next;
	ev_async_send(p->loop, &p->wake);
}

static void *
worker(void *arg)
{
	struct job_pool *p = arg;
	struct job_line *l;

	pthread_mutex_lock(&p->lock);
	while (!p->stop)
		if ((l = line_choose(p)) != NULL)
			run_first(p, l);
		else
			pthread_cond_wait(&p->work, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- the loop ---- */

static void
on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct job_pool *p = w->data;
	struct job *j, *next;

	(void)loop;
	(void)revents;
	pthread_mutex_lock(&p->lock);
	j = p->done;
	p->done = NULL;
	p->done_last = &p->done;
	pthread_mutex_unlock(&p->lock);
	for (; j != NULL; j = next) {
		next = j->next;
		j->line->pending--;
		j->done(j);
	}
}

struct job_pool *
job_pool_new(struct ev_loop *loop)
{
	struct job_pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->quick.last = &p->quick.first;
	p->slow.last = &p->slow.first;
	p->done_last = &p->done;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	ev_async_init(&p->wake, on_wake);
	p->wake.data = p;
	ev_async_start(loop, &p->wake);
	return p;
}

enum err
job_pool_start(struct job_pool *p, unsigned threads, struct errbuf *eb)
{
	sigset_t all, old;

	if (threads < THREADS_MIN)
		threads = THREADS_MIN;
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_mutex_lock(&p->lock);
	while (p->threads < threads) {
		errno = pthread_create(&p->thread[p->threads], NULL, worker, p);
		if (errno != 0)
			break;
		p->threads++;
	}
	threads -= p->threads;
	pthread_mutex_unlock(&p->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return threads == 0 ? E_OK : err_sys(eb, E_IO, "threads");
}

void
job_pool_free(struct job_pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	ev_async_stop(p->loop, &p->wake);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void
job_add(struct job_pool *p, struct job_line *l, struct job *j)
{
	j->line = l;
	j->next = NULL;
	l->pending++;
	pthread_mutex_lock(&p->lock);
	*l->last = j;
	l->last = &j->next;
	if (!l->busy)
		line_push(p, l);
	pthread_mutex_unlock(&p->lock);
}

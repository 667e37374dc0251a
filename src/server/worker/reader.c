#include "server/worker/reader.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct queue {
	struct read_job *first, **last;
};

struct reader {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct queue todo, done;
	struct ev_loop *loop;
	ev_async wake;
};

static void
queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void
queue_put(struct queue *q, struct read_job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
}

static struct read_job *
queue_get(struct queue *q)
{
	struct read_job *job = q->first;

	if (job != NULL && (q->first = job->next) == NULL)
		q->last = &q->first;
	return job;
}

/* All that was asked for, or up to the end of the file. */
static void
job_run(struct read_job *job)
{
	size_t n = 0;

	while (n < job->len) {
		ssize_t r = pread(job->fd, job->data + n, job->len - n,
		    (off_t)(job->off + n));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			job->got = -errno;
			return;
		}
		if (r == 0)
			break;
		n += (size_t)r;
	}
	job->got = (ssize_t)n;
}

static void *
thread_main(void *arg)
{
	struct reader *r = arg;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct read_job *job = queue_get(&r->todo);

		if (job == NULL) {
			pthread_cond_wait(&r->more, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		job_run(job);
		pthread_mutex_lock(&r->lock);
		queue_put(&r->done, job);
		ev_async_send(r->loop, &r->wake);
	}
	return NULL;
}

static void
on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct reader *r = w->data;
	struct read_job *job;

	(void)loop;
	(void)revents;
	for (;;) {
		pthread_mutex_lock(&r->lock);
		job = queue_get(&r->done);
		pthread_mutex_unlock(&r->lock);
		if (job == NULL)
			return;
		job->done(job);
	}
}

struct reader *
reader_new(struct ev_loop *loop, unsigned threads)
{
	struct reader *r = calloc(1, sizeof(*r));
	sigset_t all, before;

	if (r == NULL)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->more, NULL);
	queue_init(&r->todo);
	queue_init(&r->done);
	r->loop = loop;
	ev_async_init(&r->wake, on_wake);
	r->wake.data = r;
	ev_async_start(loop, &r->wake);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < threads; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, thread_main, r) != 0)
			return NULL; /* the process ends: nothing to undo */
		pthread_detach(t);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

struct read_job *
read_job_new(size_t len)
{
	struct read_job *job = malloc(sizeof(*job) + len);

	if (job != NULL)
		job->len = len;
	return job;
}

void
reader_submit(struct reader *r, struct read_job *job)
{
	pthread_mutex_lock(&r->lock);
	queue_put(&r->todo, job);
	pthread_cond_signal(&r->more);
	pthread_mutex_unlock(&r->lock);
}

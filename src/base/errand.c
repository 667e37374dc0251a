#include "base/errand.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"

/* The loop's and the thread's; whoever lets go of it second frees it. */
struct shared {
	pthread_mutex_t lock;
	struct ev_loop *loop;
	ev_async *wake; /* NULL: nobody waits any more */
	bool finished;
	void *work;
	void (*run)(void *work);
	void (*drop)(void *work);
};

struct errand {
	ev_async wake;
	ev_timer deadline;
	struct shared *shared;
	void (*done)(void *arg, bool in_time);
	void *arg;
};

static void
shared_free(struct shared *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- on the thread ---- */

static void *
errand_thread(void *arg)
{
	struct shared *s = arg;
	bool last;

	s->run(s->work);
	pthread_mutex_lock(&s->lock);
	s->finished = true;
	last = s->wake == NULL;
	if (!last)
		ev_async_send(s->loop, s->wake);
	pthread_mutex_unlock(&s->lock);
	if (last) {
		s->drop(s->work);
		shared_free(s);
	}
	return NULL;
}

/* ---- in the loop ---- */

/* True: the thread has ended with the work, and leaves it to us. */
static bool
let_go(struct errand *e)
{
	struct shared *s = e->shared;
	bool finished;

	ev_async_stop(s->loop, &e->wake);
	ev_timer_stop(s->loop, &e->deadline);
	pthread_mutex_lock(&s->lock);
	s->wake = NULL;
	finished = s->finished;
	pthread_mutex_unlock(&s->lock);
	if (finished)
		shared_free(s);
	free(e);
	return finished;
}

static void
errand_end(struct errand *e)
{
	void (*done)(void *arg, bool in_time) = e->done;
	void *arg = e->arg;

	done(arg, let_go(e));
}

static void
errand_woken(struct ev_loop *loop, ev_async *w, int revents)
{
	errand_end(w->data);
}

static void
errand_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	errand_end(w->data);
}

void
errand_leave(struct errand *e)
{
	void (*drop)(void *work) = e->shared->drop;
	void *work = e->shared->work;

	if (let_go(e))
		drop(work);
}

/* Signals are for the loop's thread. */
static enum err
start_thread(struct shared *s, struct errbuf *eb)
{
	sigset_t all, old;
	pthread_t id;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&id, NULL, errand_thread, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return err_set(
		    eb, E_IO, _("cannot start a thread: %s"), strerror(r));
	pthread_detach(id);
	return E_OK;
}

static struct shared *
shared_new(const struct errand_question *q, ev_async *wake)
{
	struct shared *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	*s = (struct shared){
		.loop = q->loop,
		.wake = wake,
		.work = q->work,
		.run = q->run,
		.drop = q->drop,
	};
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

enum err
errand_start(
    struct errand **e_r, const struct errand_question *q, struct errbuf *eb)
{
	struct errand *e = calloc(1, sizeof(*e));
	enum err r;

	if (e == NULL || (e->shared = shared_new(q, &e->wake)) == NULL) {
		free(e);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	e->done = q->done;
	e->arg = q->arg;
	ev_async_init(&e->wake, errand_woken);
	ev_timer_init(&e->deadline, errand_late, q->timeout, 0);
	e->wake.data = e->deadline.data = e;
	ev_async_start(q->loop, &e->wake);
	ev_timer_start(q->loop, &e->deadline);
	if ((r = start_thread(e->shared, eb)) != E_OK) {
		e->shared->finished = true;
		let_go(e);
		return r;
	}
	*e_r = e;
	return E_OK;
}

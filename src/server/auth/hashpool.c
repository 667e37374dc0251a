#include "server/auth/hashpool.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "server/ipc/tally.h"
#include "server/users/scheme.h"

struct hashpool {
	struct pool *pool;
	struct fair fair;
	unsigned queue_max, threads;
};

enum err
hashpool_new(struct hashpool **p_r, struct ev_loop *loop, unsigned threads,
    unsigned queue_max, struct errbuf *eb)
{
	struct hashpool *p = calloc(1, sizeof(*p));
	enum err e;

	if (p == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	fair_init(&p->fair);
	p->queue_max = queue_max;
	p->threads = threads;
	if ((e = pool_new(&p->pool, loop, threads, eb)) != E_OK) {
		free(p);
		return e;
	}
	*p_r = p;
	return E_OK;
}

/* ---- life of a job ---- */

/* NULL stays what it is. */
static struct hash_job *
job_of_entry(struct fair_entry *e)
{
	return e != NULL
		   ? (void *)((char *)e - offsetof(struct hash_job, whose))
		   : NULL;
}

static void
stop_waiting(struct hash_job *job)
{
	job->waiting = false;
	tally_less(TALLY_HASH_QUEUE, 1);
}

static void
unqueue(struct hashpool *p, struct hash_job *job)
{
	fair_leave(&p->fair, &job->whose);
	stop_waiting(job);
}

static struct hash_job *
job_of(struct pool_job *j)
{
	return (void *)((char *)j - offsetof(struct hash_job, job));
}

static enum err
make_keys(struct hash_job *job)
{
	struct slice password = { job->password, strlen(job->password) };
	struct buf prepared;
	enum err e;

	buf_init(&prepared, PASSWORD_MAX, true);
	if ((e = sasl_prep_if_possible(&prepared, password)) == E_OK)
		e = sasl_keys_make(job->keys, job->mechanism,
		    (struct slice){ buf_data(&prepared), prepared.len }, NULL);
	buf_free(&prepared);
	return e;
}

static void
hash_run(struct pool_job *j)
{
	struct hash_job *job = job_of(j);

	if (job->keys != NULL)
		job->result = make_keys(job);
	else if (job->scheme != NULL)
		job->result =
		    scheme_make(job->scheme, job->password, job->made, NULL);
	else
		job->result = scheme_verify(job->stored, job->password);
}

static void hash_done(struct pool_job *j);

/* Threads that have nothing to do take the next. */
static void
begin_next(struct hashpool *p)
{
	struct hash_job *job;

	while (p->fair.n_running < p->threads &&
	       (job = job_of_entry(fair_first(&p->fair))) != NULL) {
		stop_waiting(job);
		fair_begin(&p->fair, &job->whose);
		job->job =
		    (struct pool_job){ .run = hash_run, .done = hash_done };
		pool_add(p->pool, &job->job);
	}
}

static void
hash_done(struct pool_job *j)
{
	struct hash_job *job = job_of(j);
	struct hashpool *p = job->pool;

	fair_end(&p->fair, &job->whose);
	tally_add(TALLY_HASHES, 1);
	/* Before: it may say that others are not to be begun. */
	job->done(job);
	begin_next(p);
}

enum err
hashpool_add(struct hashpool *p, struct hash_job *job)
{
	struct hash_job *last = NULL;

	fair_place(&p->fair, &job->whose);
	if (p->fair.n_running == p->threads &&
	    p->fair.n_waiting >= p->queue_max) {
		last = job_of_entry(fair_last(&p->fair));
		if (last == NULL || !fair_is_before(&job->whose, &last->whose))
			return E_FULL;
		unqueue(p, last);
	}
	job->pool = p;
	job->waiting = true;
	tally_add(TALLY_HASH_QUEUE, 1);
	fair_wait(&p->fair, &job->whose);
	begin_next(p);
	if (last != NULL) {
		last->result = E_FULL;
		last->done(last);
	}
	return E_OK;
}

bool
hashpool_cancel(struct hashpool *p, struct hash_job *job)
{
	if (!job->waiting)
		return false;
	unqueue(p, job);
	return true;
}

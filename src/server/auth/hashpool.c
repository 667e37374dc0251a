#include "server/auth/hashpool.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "server/users/scheme.h"

TAILQ_HEAD(hash_jobs, hash_job);

/* The queue is short next to what one job costs, so it is searched. */
struct hashpool {
	struct pool *pool;
	struct hash_jobs waiting, running; /* as they came, as they began */
	unsigned n_waiting, n_running;
	unsigned queue_max, threads;
	/* Of the job that began last: of those who signed in lately, who have
	 * turns of their own, [1]. */
	uint64_t turn[2];
};

enum err
hashpool_new(struct hashpool **p_r, struct ev_loop *loop, unsigned threads,
    unsigned queue_max, struct errbuf *eb)
{
	struct hashpool *p = calloc(1, sizeof(*p));
	enum err e;

	if (p == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->running);
	p->queue_max = queue_max;
	p->threads = threads;
	if ((e = pool_new(&p->pool, loop, threads, eb)) != E_OK) {
		free(p);
		return e;
	}
	*p_r = p;
	return E_OK;
}

/* ---- whose turn it is ---- */

/* Behind the last of the same address and of the same user, else now. */
static uint64_t
turn_after(
    const struct hash_jobs *jobs, const struct hash_job *job, uint64_t turn)
{
	const struct hash_job *j;

	TAILQ_FOREACH (j, jobs, link)
		if (j->known == job->known && j->turn >= turn &&
		    (j->origin == job->origin || j->user == job->user))
			turn = j->turn + 1;
	return turn;
}

static bool
is_before(const struct hash_job *a, const struct hash_job *b)
{
	return a->known != b->known ? a->known : a->turn < b->turn;
}

/* Of two with the same turn, the one that came first. */
static struct hash_job *
first_waiting(const struct hashpool *p)
{
	struct hash_job *j, *first = TAILQ_FIRST(&p->waiting);

	TAILQ_FOREACH (j, &p->waiting, link)
		if (is_before(j, first))
			first = j;
	return first;
}

static struct hash_job *
last_waiting(const struct hashpool *p)
{
	struct hash_job *j, *last = TAILQ_FIRST(&p->waiting);

	TAILQ_FOREACH (j, &p->waiting, link)
		if (!is_before(j, last))
			last = j;
	return last;
}

/* ---- life of a job ---- */

static void
unqueue(struct hashpool *p, struct hash_job *job)
{
	TAILQ_REMOVE(&p->waiting, job, link);
	p->n_waiting--;
	job->waiting = false;
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

	while (p->n_running < p->threads && (job = first_waiting(p)) != NULL) {
		unqueue(p, job);
		TAILQ_INSERT_TAIL(&p->running, job, link);
		p->n_running++;
		p->turn[job->known] = job->turn;
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

	TAILQ_REMOVE(&p->running, job, link);
	p->n_running--;
	/* Before: it may say that others are not to be begun. */
	job->done(job);
	begin_next(p);
}

enum err
hashpool_add(struct hashpool *p, struct hash_job *job)
{
	struct hash_job *last = NULL;

	job->turn = turn_after(&p->waiting, job,
	    turn_after(&p->running, job, p->turn[job->known]));
	if (p->n_running == p->threads && p->n_waiting >= p->queue_max) {
		last = last_waiting(p);
		if (last == NULL || !is_before(job, last))
			return E_FULL;
		unqueue(p, last);
	}
	job->pool = p;
	job->waiting = true;
	TAILQ_INSERT_TAIL(&p->waiting, job, link);
	p->n_waiting++;
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

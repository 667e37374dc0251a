#include "server/auth/hashpool.h"

#include <stdlib.h>

#include "server/users/scheme.h"

struct hashpool {
	struct pool *pool;
	unsigned max; /* jobs that may run or wait */
};

enum err
hashpool_new(struct hashpool **p_r, struct ev_loop *loop, unsigned threads,
    unsigned queue_max, struct errbuf *eb)
{
	struct hashpool *p = calloc(1, sizeof(*p));
	enum err e;

	if (p == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	p->max = threads + queue_max;
	if ((e = pool_new(&p->pool, loop, threads, eb)) != E_OK) {
		free(p);
		return e;
	}
	*p_r = p;
	return E_OK;
}

static void
hash_run(struct pool_job *j)
{
	struct hash_job *job = (struct hash_job *)j;

	job->result = scheme_verify(job->stored, job->password);
}

static void
hash_done(struct pool_job *j)
{
	struct hash_job *job = (struct hash_job *)j;

	job->done(job);
}

enum err
hashpool_add(struct hashpool *p, struct hash_job *job)
{
	if (pool_unfinished(p->pool) >= p->max)
		return E_FULL;
	job->job = (struct pool_job){ .run = hash_run, .done = hash_done };
	pool_add(p->pool, &job->job);
	return E_OK;
}

bool
hashpool_cancel(struct hashpool *p, struct hash_job *job)
{
	return pool_cancel(p->pool, &job->job);
}

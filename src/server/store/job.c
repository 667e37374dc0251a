#include "server/store/job.h"

#include <stddef.h>

void
job_line_init(struct job_line *l)
{
	*l = (struct job_line){ .last = &l->first };
}

static void
job_run(struct pool_job *pj)
{
	struct job *j = (struct job *)pj;

	j->run(j);
}

static void job_done(struct pool_job *pj);

static void
job_start(struct job *j)
{
	j->job = (struct pool_job){
		.run = job_run, .done = job_done, .slow = j->slow, .of = j->of
	};
	pool_add(j->pool, &j->job);
}

static void
job_done(struct pool_job *pj)
{
	struct job *j = (struct job *)pj, *next;
	struct job_line *l = j->line;

	l->pending--;
	if ((next = l->first) != NULL) {
		if ((l->first = next->next) == NULL)
			l->last = &l->first;
		job_start(next);
	}
	j->done(j); /* the last one may free the line */
}

void
job_add(struct pool *p, struct job_line *l, struct job *j)
{
	j->pool = p;
	j->line = l;
	j->next = NULL;
	if (l->pending++ == 0) {
		job_start(j);
		return;
	}
	*l->last = j;
	l->last = &j->next;
}

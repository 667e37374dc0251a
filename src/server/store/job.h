/*
 * job.h - work that may wait for a disk, done on the threads of a pool.
 *
 * The jobs of one line (one maildrop) run in order and never at the same
 * time; those of different lines are independent.
 */
#ifndef SERVER_STORE_JOB_H
#define SERVER_STORE_JOB_H

#include "base/pool.h"

/* Embedded in what the job is about; owned by the caller. */
struct job {
	struct pool_job job;
	void (*run)(struct job *j);  /* on a thread */
	void (*done)(struct job *j); /* then on the loop; may free the job */
	uint32_t of; /* the file system that it may wait for; see base/pool.h */
	bool slow;   /* its cost grows with the maildrop; see base/pool.h */
	struct pool *pool;
	struct job_line *line;
	struct job *next;
};

struct job_line {
	struct job *first, **last; /* those that wait for the one in the pool */
	unsigned pending;          /* jobs whose done() has not been called */
};

void job_line_init(struct job_line *l);

/* On the loop only. */
void job_add(struct pool *p, struct job_line *l, struct job *j);

#endif

/*
 * job.h - work that may wait for a disk, done on threads.
 *
 * The jobs of one line (one maildrop) run in order and never at the same
 * time; those of different lines are independent.  A slow job (one whose cost
 * grows with the maildrop) never has the last thread, so a quick one always
 * finds one that is free soon.
 */
#ifndef SERVER_STORE_JOB_H
#define SERVER_STORE_JOB_H

#include <stdbool.h>

#include "base/err.h"

struct ev_loop;
struct job_pool;

/* Embedded in what the job is about; owned by the caller. */
struct job {
	void (*run)(struct job *j);  /* on a thread */
	void (*done)(struct job *j); /* then on the loop; may free the job */
	bool slow;
	struct job_line *line;
	struct job *next;
};

struct job_line {
	struct job *first, **last; /* not yet begun */
	struct job_line *next;     /* among the lines that are ready */
	bool busy;                 /* is among them, or a job of it runs */
	unsigned
	    pending; /* jobs whose done() has not been called; the loop's */
};

void job_line_init(struct job_line *l);

/* Without threads yet; NULL: memory. */
struct job_pool *job_pool_new(struct ev_loop *loop);
enum err job_pool_start(
    struct job_pool *p, unsigned threads, struct errbuf *eb) NODISCARD;

/* Every line must be without pending jobs. */
void job_pool_free(struct job_pool *p);

/* On the loop only, as everything here but run(). */
void job_add(struct job_pool *p, struct job_line *l, struct job *j);

#endif

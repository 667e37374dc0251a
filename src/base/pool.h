/*
 * pool.h - threads for work that takes long, so that a loop never waits.
 *
 * A job runs on one of the threads; when it is finished, its done() is called
 * on the loop.  Jobs begin in the order in which they were added, except that
 * quick ones go before slow ones.  Slow ones (of no foreseeable length) never
 * have the last thread, so that a quick one soon finds one free; in turn, one
 * slow job runs however many quick ones there are.  And jobs of one owner can be
 * kept from having all threads, as a call that one of them waits in may never
 * end.
 *
 * All functions are for the thread of the loop.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"

struct ev_loop;
struct pool;

/* Embedded in what the job is about; the caller's, who keeps it in place until
 * done(), or a cancel that succeeds. */
struct pool_job {
	void (*run)(struct pool_job *job);  /* on a thread */
	void (*done)(struct pool_job *job); /* on the loop; may free the job */
	bool slow;    /* such a job needs a pool of two threads or more */
	uint32_t of;  /* whose, for pool_limit(); 0: nobody's */
	bool waiting; /* the pool's: for a thread */
	TAILQ_ENTRY(pool_job) link;
};

/* Starts the threads: a role process does so between role_enter() and
 * role_limit().  Signals stay with the loop's thread. */
enum err pool_new(struct pool **p_r, struct ev_loop *loop, unsigned threads,
    struct errbuf *eb) NODISCARD;

/* No more than so many jobs of one owner run at a time: before any is added. */
void pool_limit(struct pool *p, unsigned each);

void pool_add(struct pool *p, struct pool_job *job);

/* True if the job had not begun: it will not, and done() is not called. */
bool pool_cancel(struct pool *p, struct pool_job *job);

/* How many jobs wait for a thread or run. */
unsigned pool_unfinished(struct pool *p);

/* Waits until every job that was added has run.  Those whose done() has not
 * been called by now are the caller's again, without it.  A done() may call
 * this, if no other job is left.  NULL is a no-op. */
void pool_free(struct pool *p);

#endif

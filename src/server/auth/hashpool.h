/*
 * hashpool.h - threads that check costly hashes, at most so many at a time.
 */
#ifndef SERVER_AUTH_HASHPOOL_H
#define SERVER_AUTH_HASHPOOL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"

struct hashpool;

/* Of the caller, who keeps it and the strings until done() or a cancel that
 * succeeds. */
struct hash_job {
	struct pool_job job;
	const char *stored, *password;
	enum err result;                    /* of scheme_verify() */
	void (*done)(struct hash_job *job); /* in the loop's thread */
};

/* Starts the threads.  queue_max: jobs that may wait. */
enum err hashpool_new(struct hashpool **p_r, struct ev_loop *loop,
    unsigned threads, unsigned queue_max, struct errbuf *eb) NODISCARD;

/* E_FULL: as many wait as may. */
enum err hashpool_add(struct hashpool *p, struct hash_job *job) NODISCARD;

/* True if the job was still waiting: done() will not be called. */
bool hashpool_cancel(struct hashpool *p, struct hash_job *job);

#endif

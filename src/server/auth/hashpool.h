/*
 * hashpool.h - threads that check costly hashes, at most so many at a time.
 *
 * Who waits has a turn by the order of fair.h.  When no more may wait, the one
 * that would have its turn last gives way.
 */
#ifndef SERVER_AUTH_HASHPOOL_H
#define SERVER_AUTH_HASHPOOL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"
#include "server/auth/fair.h"

struct hashpool;
struct sasl_keys;
struct sasl_mechanism;

/* Of the caller, who keeps it and the strings until done() or a cancel that
 * succeeds. */
struct hash_job {
	const char *stored, *password;
	/* Or, for SCRAM: the password's keys are made, of the salt that is
	 * there. */
	const struct sasl_mechanism *mechanism;
	struct sasl_keys *keys;
	/* Or a hash of this scheme is made: see scheme_make(). */
	const char *scheme;
	char *made;
	struct fair_entry whose;
	enum err result; /* of scheme_verify() or so; E_FULL: it gave way */
	void (*done)(struct hash_job *job); /* in the loop's thread */

	/* The rest is the module's own. */
	struct pool_job job;
	struct hashpool *pool;
	bool waiting;
};

/* Starts the threads.  queue_max: jobs that may wait. */
enum err hashpool_new(struct hashpool **p_r, struct ev_loop *loop,
    unsigned threads, unsigned queue_max, struct errbuf *eb) NODISCARD;

/* E_FULL: as many wait as may, and this one would have its turn last.  Another
 * one that gives way has its done() called before this returns. */
enum err hashpool_add(struct hashpool *p, struct hash_job *job) NODISCARD;

/* True if the job was still waiting: done() will not be called. */
bool hashpool_cancel(struct hashpool *p, struct hash_job *job);

#endif

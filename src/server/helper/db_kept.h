/*
 * db_kept.h - the connections to a database that are kept, and for how long it
 * is left alone when it cannot be reached.  For any thread.
 *
 * While it cannot be reached there is at most one try at a time, after a pause
 * that grows; meanwhile nobody waits.  Where only some connections can be had, as
 * a server permits no more, they are shared.
 */
#ifndef SERVER_HELPER_DB_KEPT_H
#define SERVER_HELPER_DB_KEPT_H

#include <pthread.h>
#include <stdbool.h>

#include "server/helper/db_driver.h"

enum { DB_KEPT_MAX = 128 };

struct db_kept {
	const struct db_driver *driver;
	const struct db_conf *conf;

	/* What follows is under the lock. */
	pthread_mutex_t lock;
	void *idle[DB_KEPT_MAX]; /* the one that was used last is the last */
	size_t n;
	unsigned used;          /* not given back yet */
	unsigned connecting;    /* but for one that only tries */
	pthread_cond_t changed; /* one may be had now */
	unsigned failures;      /* in a row */
	uint64_t again;         /* clock_ms(), from which on it may be tried */
	bool trying;
};

void db_kept_init(struct db_kept *k, const struct db_driver *driver,
    const struct db_conf *conf);

/* One that was kept, or a new one; *was_kept_r says which.  Fails with words: it
 * is not to be had now. */
enum err db_kept_take(struct db_kept *k, void **conn_r, bool *was_kept_r,
    uint64_t until, struct errbuf *eb) NODISCARD;

/* It has answered, and is kept. */
void db_kept_give(struct db_kept *k, void *conn);

/* It is of no more use, and so perhaps are all others. */
void db_kept_lost(struct db_kept *k, void *conn);

/* It did not answer in time: from now on the database is not to be reached. */
void db_kept_hangs(struct db_kept *k, void *conn);

#endif

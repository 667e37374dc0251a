#include "server/helper/db_kept.h"

#include <time.h>

#include "base/clock.h"

enum { PAUSE_MS = 250, PAUSE_MAX_MS = 5000 };

void
db_kept_init(struct db_kept *k, const struct db_driver *driver,
    const struct db_conf *conf)
{
	pthread_condattr_t attr;

	k->driver = driver;
	k->conf = conf;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* clock_ms() */
	pthread_cond_init(&k->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static void
note_failure(struct db_kept *k)
{
	unsigned pause = PAUSE_MS;

	for (unsigned i = 0; i < k->failures && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	k->failures++;
	k->again = clock_ms() + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

/* The lock is held while a connection is closed: that does not wait. */
static void
close_idle(struct db_kept *k)
{
	while (k->n > 0)
		k->driver->close(k->idle[--k->n]);
}

/* ---- taking one ---- */

/* May a thread connect?  While the database cannot be reached, one may. */
static bool
may_connect(const struct db_kept *k)
{
	return clock_ms() >= k->again && (k->failures == 0 || !k->trying);
}

/* Until something has changed, or time has. */
static void
await_change(struct db_kept *k, uint64_t until)
{
	uint64_t ms =
	    k->again > clock_ms() && k->again < until ? k->again : until;
	const struct timespec at = { (time_t)(ms / 1000),
		(long)(ms % 1000) * 1000000 };

	pthread_cond_timedwait(&k->changed, &k->lock, &at);
}

enum way { KEPT, CONNECTS, NEITHER };

/* A connection that others use, or are about to, may come back: they may be as
 * many as the server permits.  For who only tries whether there is a server again
 * nobody waits. */
static bool
may_come_back(const struct db_kept *k)
{
	return k->used + k->connecting > 0;
}

static enum way
find_way(struct db_kept *k, void **conn_r, bool *tries_r, uint64_t until)
{
	while (k->n == 0 && !may_connect(k) && may_come_back(k) &&
	       clock_ms() < until)
		await_change(k, until);
	if (k->n > 0) {
		*conn_r = k->idle[--k->n];
		k->used++;
		return KEPT;
	}
	*tries_r = k->failures != 0;
	if (!may_connect(k))
		return NEITHER;
	k->trying = k->trying || *tries_r;
	k->connecting += !*tries_r;
	return CONNECTS;
}

/* *alone_r: nobody else has a connection, or is about to. */
static enum err
connect_new(struct db_kept *k, void **conn_r, bool tries, bool *alone_r,
    uint64_t until, struct errbuf *eb)
{
	enum err e = k->driver->open(conn_r, k->conf, until, eb);

	pthread_mutex_lock(&k->lock);
	if (tries)
		k->trying = false;
	else
		k->connecting--;
	*alone_r = !may_come_back(k);
	if (e == E_OK)
		k->used++;
	else
		note_failure(k);
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
	return e;
}

enum err
db_kept_take(struct db_kept *k, void **conn_r, bool *was_kept_r, uint64_t until,
    struct errbuf *eb)
{
	bool tries, alone;
	enum way way;
	enum err e;

	do {
		pthread_mutex_lock(&k->lock);
		way = find_way(k, conn_r, &tries, until);
		pthread_mutex_unlock(&k->lock);
		*was_kept_r = way == KEPT;
		if (way == KEPT)
			return E_OK;
		if (way == NEITHER)
			return err_set(eb, E_AGAIN,
			    "it could not be reached, and is tried again in a "
			    "moment");
		e = connect_new(k, conn_r, tries, &alone, until, eb);
	} while (e != E_OK && !alone && clock_ms() < until);
	return e;
}

/* ---- giving it back ---- */

void
db_kept_give(struct db_kept *k, void *conn)
{
	bool full;

	pthread_mutex_lock(&k->lock);
	k->failures = 0;
	k->used--;
	full = k->n == DB_KEPT_MAX;
	if (!full)
		k->idle[k->n++] = conn;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	if (full)
		k->driver->close(conn);
}

static void
end(struct db_kept *k, void *conn, bool hangs)
{
	pthread_mutex_lock(&k->lock);
	k->used--;
	if (hangs)
		note_failure(k);
	close_idle(k);
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
	k->driver->close(conn);
}

void
db_kept_lost(struct db_kept *k, void *conn)
{
	end(k, conn, false);
}

void
db_kept_hangs(struct db_kept *k, void *conn)
{
	end(k, conn, true);
}

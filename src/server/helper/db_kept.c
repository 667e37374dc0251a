#include "server/helper/db_kept.h"

#include "base/clock.h"

enum { PAUSE_MS = 250, PAUSE_MAX_MS = 5000 };

void
db_kept_init(struct db_kept *k, const struct db_driver *driver,
    const struct db_conf *conf)
{
	k->driver = driver;
	k->conf = conf;
	pthread_mutex_init(&k->lock, NULL);
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

/* May this thread try to connect?  *tries_r: it is the one that does while the
 * database cannot be reached. */
static bool
may_connect(struct db_kept *k, bool *tries_r)
{
	*tries_r = k->failures != 0;
	if (!*tries_r)
		return true;
	if (k->trying || clock_ms() < k->again)
		return false;
	k->trying = true;
	return true;
}

static enum err
connect_new(struct db_kept *k, void **conn_r, bool tries, uint64_t until,
    struct errbuf *eb)
{
	enum err e = k->driver->open(conn_r, k->conf, until, eb);

	pthread_mutex_lock(&k->lock);
	if (e != E_OK)
		note_failure(k);
	if (tries)
		k->trying = false;
	pthread_mutex_unlock(&k->lock);
	return e;
}

enum err
db_kept_take(struct db_kept *k, void **conn_r, bool *was_kept_r, uint64_t until,
    struct errbuf *eb)
{
	bool may, tries = false;

	pthread_mutex_lock(&k->lock);
	*was_kept_r = k->n > 0;
	if (*was_kept_r)
		*conn_r = k->idle[--k->n];
	may = *was_kept_r || may_connect(k, &tries);
	pthread_mutex_unlock(&k->lock);
	if (*was_kept_r)
		return E_OK;
	if (!may)
		return err_set(eb, E_AGAIN,
		    "it could not be reached, and is tried again in a moment");
	return connect_new(k, conn_r, tries, until, eb);
}

void
db_kept_give(struct db_kept *k, void *conn)
{
	bool full;

	pthread_mutex_lock(&k->lock);
	k->failures = 0;
	full = k->n == DB_KEPT_MAX;
	if (!full)
		k->idle[k->n++] = conn;
	pthread_mutex_unlock(&k->lock);
	if (full)
		k->driver->close(conn);
}

void
db_kept_lost(struct db_kept *k, void *conn)
{
	pthread_mutex_lock(&k->lock);
	close_idle(k);
	pthread_mutex_unlock(&k->lock);
	k->driver->close(conn);
}

void
db_kept_hangs(struct db_kept *k, void *conn)
{
	pthread_mutex_lock(&k->lock);
	note_failure(k);
	close_idle(k);
	pthread_mutex_unlock(&k->lock);
	k->driver->close(conn);
}

/*
 * The connections to a database that are kept: of one that permits few, of one that
 * cannot be reached, and of one that hangs.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/helper/db_kept.h"

enum { THREADS = 8, TIMES = 50, SOON = 60 * 1000, PAUSE_LEAST_MS = 250 };

/* A server: how many connections it permits, and has. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int permits, has, tries;
	bool hangs;
} server = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER };

static enum err
open_one(
    void **conn_r, const struct db_conf *c, uint64_t until, struct errbuf *eb)
{
	enum err e = E_OK;

	pthread_mutex_lock(&server.lock);
	server.tries++;
	pthread_cond_broadcast(&server.changed);
	while (server.hangs)
		pthread_cond_wait(&server.changed, &server.lock);
	if (server.has < server.permits)
		server.has++;
	else
		e = err_set(eb, E_CLOSED, "too many");
	pthread_mutex_unlock(&server.lock);
	*conn_r = &server;
	return e;
}

static void
close_one(void *conn)
{
	pthread_mutex_lock(&server.lock);
	server.has--;
	pthread_mutex_unlock(&server.lock);
}

static const struct db_driver driver = { .open = open_one, .close = close_one };
static const struct db_conf conf;
static struct db_kept kept;

static int
set_up(void **state)
{
	server.permits = server.has = server.tries = 0;
	server.hangs = false;
	kept = (struct db_kept){ 0 };
	db_kept_init(&kept, &driver, &conf);
	return 0;
}

static void
set(int permits, bool hangs)
{
	pthread_mutex_lock(&server.lock);
	server.permits = permits;
	server.hangs = hangs;
	pthread_cond_broadcast(&server.changed);
	pthread_mutex_unlock(&server.lock);
}

/* As the threads of the process do: 0, or what failed. */
static void *
use(void *arg)
{
	struct errbuf eb;
	bool was_kept;
	void *conn;

	for (int i = 0; i < TIMES; i++) {
		if (db_kept_take(&kept, &conn, &was_kept, clock_ms() + SOON,
			&eb) != E_OK)
			return arg;
		usleep(200);
		db_kept_give(&kept, conn);
	}
	return NULL;
}

static void
test_shared(void **state)
{
	uint64_t begun = clock_ms();
	pthread_t id[THREADS];
	void *failed;

	server.permits = 2;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&id[i], NULL, use, &server), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(id[i], &failed);
		assert_null(failed);
	}
	assert_in_range(server.has, 1, 2);
	assert_int_equal(kept.used, 0);
	assert_int_equal(kept.connecting, 0);
	/* It is not asked for more all the time. */
	assert_in_range(server.tries, 1,
	    THREADS * (1 + (clock_ms() - begun) / PAUSE_LEAST_MS));
}

static void
test_not_there(void **state)
{
	struct errbuf eb;
	bool was_kept;
	void *conn;
	enum err e;

	assert_int_equal(
	    db_kept_take(&kept, &conn, &was_kept, clock_ms() + SOON, &eb),
	    E_CLOSED);
	assert_string_equal(eb.text, "too many");
	for (int i = 0; i < 5 && server.tries == 1; i++)
		assert_int_equal(db_kept_take(&kept, &conn, &was_kept,
				     clock_ms() + SOON, &eb),
		    E_AGAIN);
	set(1, false);
	do
		e = db_kept_take(
		    &kept, &conn, &was_kept, clock_ms() + SOON, &eb);
	while (e == E_AGAIN && usleep(1000) == 0);
	assert_int_equal(e, E_OK);
	assert_false(was_kept);
	db_kept_give(&kept, conn);
	assert_int_equal(
	    db_kept_take(&kept, &conn, &was_kept, clock_ms() + SOON, &eb),
	    E_OK);
	assert_true(was_kept);
	db_kept_lost(&kept, conn);
	assert_int_equal(server.has, 0);
}

static void *
take_one(void *arg)
{
	struct errbuf eb;
	bool was_kept;

	(void)!db_kept_take(&kept, arg, &was_kept, clock_ms() + SOON, &eb);
	return NULL;
}

/* While one tries whether it is there again, nobody waits for that. */
static void
test_hangs(void **state)
{
	void *conn, *other = NULL;
	struct errbuf eb;
	bool was_kept;
	pthread_t id;

	set(2, false);
	assert_int_equal(
	    db_kept_take(&kept, &conn, &was_kept, clock_ms() + SOON, &eb),
	    E_OK);
	db_kept_hangs(&kept, conn);
	assert_int_equal(server.has, 0);
	set(2, true);
	kept.again = 0;
	assert_int_equal(pthread_create(&id, NULL, take_one, &other), 0);
	pthread_mutex_lock(&server.lock);
	while (server.tries < 2)
		pthread_cond_wait(&server.changed, &server.lock);
	pthread_mutex_unlock(&server.lock);
	assert_int_equal(
	    db_kept_take(&kept, &conn, &was_kept, clock_ms() + SOON, &eb),
	    E_AGAIN);
	set(2, false);
	pthread_join(id, NULL);
	assert_ptr_equal(other, &server);
	assert_int_equal(server.tries, 2);
	db_kept_give(&kept, other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_shared, set_up),
		cmocka_unit_test_setup(test_not_there, set_up),
		cmocka_unit_test_setup(test_hangs, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

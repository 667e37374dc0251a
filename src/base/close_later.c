#include "base/close_later.h"

#include <ev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"

enum { STUCK = 5 }; /* seconds in which nothing was closed */

struct file {
	int fd;
	uint32_t of;
};

/* Files of one owner, for a thread. */
struct batch {
	struct pool_job job; /* first */
	LIST_ENTRY(batch) link;
	uint64_t since; /* clock_ms(): none of the owner's was closed */
	size_t n;
	int fd[];
};

static struct {
	struct pool *pool; /* NULL: there are no threads */
	struct ev_loop *loop;
	ev_timer soon; /* runs while descriptors come */
	struct file *v;
	size_t n, room;
	LIST_HEAD(, batch) batches; /* that threads have */
	size_t handed_on;           /* files in them */
	ev_timer stuck;             /* runs while there are such */
	bool said;                  /* that they are */
} later;

static void
run(struct pool_job *job)
{
	const struct batch *b = (const struct batch *)job;

	for (size_t i = 0; i < b->n; i++)
		close(b->fd[i]);
}

static void
on_stuck(struct ev_loop *loop, ev_timer *w, int revents)
{
	if (!later.said)
		log_line(LOG_WARNING,
		    "ev=close-stuck files=%u error=\"a file system does not "
		    "answer\"",
		    close_later_waiting());
	later.said = true;
}

static void
done(struct pool_job *job)
{
	struct batch *b = (struct batch *)job, *next;
	uint64_t now = clock_ms();

	later.handed_on -= b->n;
	LIST_REMOVE(b, link);
	LIST_FOREACH (next, &later.batches, link)
		if (next->job.of == job->of)
			next->since = now;
	free(b);
	if (later.handed_on == 0) {
		later.said = false;
		ev_timer_stop(later.loop, &later.stuck);
	} else {
		ev_timer_again(later.loop, &later.stuck);
	}
}

/* Hands on what the first one's owner has, in the order in which it came. */
static void
hand_on(void)
{
	struct batch *b = malloc(sizeof(*b) + later.n * sizeof(b->fd[0]));
	uint32_t of = later.v[0].of;
	size_t rest = 0;

	if (b == NULL) {
		close(later.v[0].fd);
		later.v[0] = later.v[--later.n];
		return;
	}
	*b = (struct batch){ .job = { .run = run, .done = done, .of = of },
		.since = clock_ms() };
	for (size_t i = 0; i < later.n; i++)
		if (later.v[i].of == of)
			b->fd[b->n++] = later.v[i].fd;
		else
			later.v[rest++] = later.v[i];
	later.n = rest;
	if (later.handed_on == 0)
		ev_timer_again(later.loop, &later.stuck);
	later.handed_on += b->n;
	LIST_INSERT_HEAD(&later.batches, b, link);
	pool_add(later.pool, &b->job);
}

static void
begin(void)
{
	while (later.n != 0)
		hand_on();
}

static void
on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	if (later.n == 0)
		ev_timer_stop(loop, w);
	else
		begin();
}

enum err
close_later_start(struct ev_loop *loop, struct errbuf *eb)
{
	enum err e = pool_new(&later.pool, loop, CLOSE_LATER_THREADS, eb);

	if (e != E_OK)
		return e;
	pool_limit(later.pool, 1);
	later.loop = loop;
	ev_timer_init(
	    &later.soon, on_soon, CLOSE_LATER_MS / 1e3, CLOSE_LATER_MS / 1e3);
	ev_timer_init(&later.stuck, on_stuck, STUCK, STUCK);
	return E_OK;
}

void
close_later(int fd, uint32_t of)
{
	struct file *v = later.pool != NULL ? array_room(later.v, later.n,
						  &later.room, sizeof(*v))
					    : NULL;

	if (v == NULL) {
		close(fd);
		return;
	}
	later.v = v;
	later.v[later.n++] = (struct file){ fd, of };
	if (later.n >= CLOSE_LATER_MANY)
		begin();
	else if (!ev_is_active(&later.soon))
		ev_timer_again(later.loop, &later.soon);
}

unsigned
close_later_waiting(void)
{
	return (unsigned)(later.n + later.handed_on);
}

static size_t
waiting_of(uint32_t of)
{
	const struct batch *b;
	size_t n = 0;

	for (size_t i = 0; i < later.n; i++)
		n += later.v[i].of == of;
	LIST_FOREACH (b, &later.batches, link)
		n += b->job.of == of ? b->n : 0;
	return n;
}

/* For so long that it is no matter of a busy machine; of 0: anybody's. */
static bool
is_stuck(uint32_t of)
{
	uint64_t now = clock_ms();
	const struct batch *b;

	LIST_FOREACH (b, &later.batches, link)
		if ((of == 0 || b->job.of == of) &&
		    now - b->since >= STUCK * 1000)
			return true;
	return false;
}

enum close_room
close_later_room(uint32_t of, unsigned most)
{
	unsigned n = close_later_waiting(), each = most / 4;

	/* So many wait when all goes well, too. */
	if (each < 2 * CLOSE_LATER_MANY)
		each = 2 * CLOSE_LATER_MANY;
	if (n >= most)
		return is_stuck(0) ? CLOSE_STUCK : CLOSE_WAIT;
	if (of != 0 && n >= each && waiting_of(of) >= each)
		return is_stuck(of) ? CLOSE_STUCK : CLOSE_WAIT;
	return CLOSE_ROOM;
}

void
close_later_end(void)
{
	struct batch *b;

	if (later.pool == NULL)
		return;
	begin();
	ev_timer_stop(later.loop, &later.soon);
	ev_timer_stop(later.loop, &later.stuck);
	pool_free(later.pool);
	later.pool = NULL;
	while ((b = LIST_FIRST(&later.batches)) != NULL) {
		LIST_REMOVE(b, link);
		free(b);
	}
	free(later.v);
	later.v = NULL;
	later.n = later.room = later.handed_on = 0;
}

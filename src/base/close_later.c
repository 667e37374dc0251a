#include "base/close_later.h"

#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/pool.h"

struct fds {
	int *v;
	size_t n, room;
};

static struct {
	struct pool_job job; /* first */
	struct pool *pool;   /* NULL: there is no thread */
	struct ev_loop *loop;
	ev_timer soon;      /* runs while descriptors come */
	struct fds waiting; /* the loop's */
	struct fds closing; /* the thread's; none: it has nothing to do */
} later;

static void
close_all(struct fds *f)
{
	for (size_t i = 0; i < f->n; i++)
		close(f->v[i]);
}

static void
run(struct pool_job *job)
{
	close_all(&later.closing);
}

/* One job at a time: what comes meanwhile is the next one. */
static void
begin(void)
{
	struct fds empty = later.closing;

	if (later.closing.n != 0 || later.waiting.n == 0)
		return;
	later.closing = later.waiting;
	later.waiting = empty;
	pool_add(later.pool, &later.job);
}

static void
done(struct pool_job *job)
{
	later.closing.n = 0;
	if (later.waiting.n >= CLOSE_LATER_MANY)
		begin();
}

static void
on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	if (later.waiting.n == 0)
		ev_timer_stop(loop, w);
	else
		begin();
}

enum err
close_later_start(struct ev_loop *loop, struct errbuf *eb)
{
	later.job = (struct pool_job){ .run = run, .done = done };
	later.loop = loop;
	ev_timer_init(
	    &later.soon, on_soon, CLOSE_LATER_MS / 1e3, CLOSE_LATER_MS / 1e3);
	return pool_new(&later.pool, loop, 1, eb);
}

void
close_later(int fd)
{
	struct fds *f = &later.waiting;
	int *v = later.pool != NULL
		     ? array_room(f->v, f->n, &f->room, sizeof(*f->v))
		     : NULL;

	if (v == NULL) {
		close(fd);
		return;
	}
	f->v = v;
	f->v[f->n++] = fd;
	if (f->n >= CLOSE_LATER_MANY)
		begin();
	else if (!ev_is_active(&later.soon))
		ev_timer_again(later.loop, &later.soon);
}

unsigned
close_later_waiting(void)
{
	return (unsigned)(later.waiting.n + later.closing.n);
}

void
close_later_end(void)
{
	if (later.pool == NULL)
		return;
	ev_timer_stop(later.loop, &later.soon);
	pool_free(later.pool);
	later.pool = NULL;
	close_all(&later.waiting);
	free(later.waiting.v);
	free(later.closing.v);
	later.waiting = later.closing = (struct fds){ 0 };
}

#include "net/race.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Between two attempts (RFC 8305 s8), in seconds. */
#define NEXT_AFTER 0.25

static void
drop(struct race *r, ev_io *io)
{
	ev_io_stop(r->loop, io);
	close(io->fd);
	ev_io_set(io, -1, 0);
	r->n_trying--;
}

void
race_clear(struct race *r)
{
	for (size_t i = 0; i < RESOLVE_MAX; i++)
		if (r->attempts[i].io.fd >= 0)
			drop(r, &r->attempts[i].io);
	ev_timer_stop(r->loop, &r->next_one);
}

/* How much an error tells: a refusal more than silence, and silence more than a
 * missing route, which mostly means that the computer has no IPv6. */
static int
telling(int error)
{
	return error == ECONNREFUSED ? 3 : error == ETIMEDOUT ? 2 : error != 0;
}

static void
note_error(struct race *r, size_t idx, int error)
{
	if (telling(error) <= telling(r->error))
		return;
	r->error = error;
	r->told_by = idx;
}

static int
open_socket(int family)
{
	int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	return fd;
}

static bool
try(struct race *r, size_t idx)
{
	const struct sockaddr_storage *a = &r->v[idx];
	socklen_t len = a->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						: sizeof(struct sockaddr_in6);
	ev_io *io = &r->attempts[idx].io;
	int fd = open_socket(a->ss_family);

	if (fd < 0) {
		note_error(r, idx, errno);
		return false;
	}
	if (connect(fd, (const void *)a, len) != 0 && errno != EINPROGRESS) {
		note_error(r, idx, errno);
		close(fd);
		return false;
	}
	ev_io_set(io, fd, EV_WRITE);
	ev_io_start(r->loop, io);
	r->n_trying++;
	return true;
}

static void
try_next(struct race *r)
{
	ev_timer_stop(r->loop, &r->next_one);
	while (r->next < r->n && !try(r, r->next++))
		;
	if (r->next < r->n) {
		ev_timer_set(&r->next_one, NEXT_AFTER, 0.);
		ev_timer_start(r->loop, &r->next_one);
	} else if (r->n_trying == 0) {
		r->done(r->arg, -1, r->error, &r->v[r->told_by]);
	}
}

static void
on_next_one(struct ev_loop *loop, ev_timer *w, int revents)
{
	try_next(w->data);
}

static void
connected(struct race *r, struct race_attempt *a)
{
	int fd = a->io.fd;

	ev_io_stop(r->loop, &a->io);
	ev_io_set(&a->io, -1, 0);
	r->n_trying--;
	race_clear(r);
	r->done(r->arg, fd, 0, &r->v[a->idx]);
}

static void
on_attempt(struct ev_loop *loop, ev_io *w, int revents)
{
	struct race_attempt *a = (struct race_attempt *)w;
	struct race *r = w->data;
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0) {
		connected(r, a);
		return;
	}
	note_error(r, a->idx, error);
	drop(r, w);
	try_next(r);
}

void
race_init(struct race *r, struct ev_loop *loop, race_done *done, void *arg)
{
	memset(r, 0, sizeof(*r));
	r->loop = loop;
	r->done = done;
	r->arg = arg;
	ev_init(&r->next_one, on_next_one);
	r->next_one.data = r;
	for (size_t i = 0; i < RESOLVE_MAX; i++) {
		ev_io_init(&r->attempts[i].io, on_attempt, -1, 0);
		r->attempts[i].io.data = r;
		r->attempts[i].idx = i;
	}
}

void
race_start(struct race *r, const struct sockaddr_storage *v, size_t n)
{
	memcpy(r->v, v, n * sizeof(*v));
	r->n = n;
	try_next(r);
}

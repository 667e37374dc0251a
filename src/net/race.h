/*
 * race.h - one connection to the first of some addresses that answers.
 *
 * An address is tried a quarter of a second after the one before it, or as
 * soon as one has failed (RFC 8305 s5, s8).
 */
#ifndef NET_RACE_H
#define NET_RACE_H

#include <ev.h>
#include <stddef.h>
#include <sys/socket.h>

#include "net/resolve.h"

struct race;

/* Called once, from the loop or from within race_start(); the race may be
 * cleared from within.  fd: connected, non-blocking, with TCP_NODELAY and
 * keepalive, now the callee's; else -1, and `error` is the most telling errno.
 * `a` is the address that it is about. */
typedef void race_done(
    void *arg, int fd, int error, const struct sockaddr_storage *a);

struct race_attempt {
	ev_io io; /* its fd is -1 when there is none */
	size_t idx;
};

struct race {
	struct ev_loop *loop;
	race_done *done;
	void *arg;
	ev_timer next_one;
	struct sockaddr_storage v[RESOLVE_MAX];
	size_t n, next, n_trying;
	struct race_attempt attempts[RESOLVE_MAX];
	int error;
	size_t told_by;
};

void race_init(
    struct race *r, struct ev_loop *loop, race_done *done, void *arg);
void race_clear(struct race *r);

/* 1 to RESOLVE_MAX addresses. */
void race_start(struct race *r, const struct sockaddr_storage *v, size_t n);

#endif

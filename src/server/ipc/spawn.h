/*
 * spawn.h - starts a role process: this same program, executed anew so that
 * it has an address-space layout of its own.
 */
#ifndef SERVER_IPC_SPAWN_H
#define SERVER_IPC_SPAWN_H

#include <sys/types.h>

#include "base/err.h"

struct spawned {
	pid_t pid;
	int ctl; /* our end of its channel; the caller's */
	int log; /* its log, to be read, non-blocking; the caller's */
};

/* The process gets: fd 0 and 1 /dev/null, fd 2 its log, fd 3 (ROLE_FD) its
 * channel, nothing else; an environment of nothing; a session of its own, so
 * that a terminal's ^C reaches the parent only. */
enum err spawn(const char *role, unsigned index, struct spawned *out,
    struct errbuf *eb) NODISCARD;

#endif

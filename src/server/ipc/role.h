/*
 * role.h - what every role process is told and does first.
 *
 * The parent starts "maloted -x ROLE" with standard error as the pipe for its
 * log and ROLE_FD as its channel to the parent, and sends IPC_CONF: a struct
 * role, then the role's own settings.
 */
#ifndef SERVER_IPC_ROLE_H
#define SERVER_IPC_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/ipc/ipc.h"

enum { ROLE_FD = 3 };

struct role {
	uint16_t index;    /* among the processes of its kind */
	uint32_t uid, gid; /* to become */
	bool sandbox_required;
};

void role_put(struct ipc_chan *c, const struct role *r);
void role_get(struct ipc_in *in, struct role *r);

/*
 * Becoming the role, in two halves.  A process ends when something fails, or is
 * required but lacking in the kernel.  Threads are started between the halves:
 * Landlock and capabilities hold for the threads that come after role_enter(),
 * and after role_limit() none can be started.
 */

/* Becomes the role's user.  Of the file system only `root` stays, which is the
 * working directory from then on; NULL: nothing stays, and as root the root
 * directory is an empty one. */
void role_enter(const struct role *r, const char *root);

/* Keeps only these system calls, and the few that every role needs. */
void role_limit(const char *const *calls, size_t n);

#endif

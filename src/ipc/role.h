/*
 * role.h - what every role process is told and does first.
 *
 * The parent starts "maloted -x ROLE" with standard error as the pipe for its
 * log and ROLE_FD as its channel to the parent, and sends IPC_CONF: a struct
 * role, then the role's own settings.
 */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/ipc.h"

enum { ROLE_FD = 3 };

struct role {
	uint16_t index;    /* among the processes of its kind */
	uint32_t uid, gid; /* to become */
	bool sandbox_required;
};

void role_put(struct ipc_chan *c, const struct role *r);
void role_get(struct ipc_in *in, struct role *r);

/* Becomes the role's user, confines files to `root` (NULL: none, and as root
 * an empty root directory), keeps these system calls.  Ends the process when
 * something fails, and when it is required but the kernel lacks it.  Threads
 * must have been started before. */
void role_confine(
    const struct role *r, const char *root, const char *const *calls, size_t n);

/* The two halves of it, for a role whose threads touch files: they must be
 * started between them, as Landlock holds for the threads that come after. */
void role_enter(const struct role *r, const char *root);
void role_limit(const char *const *calls, size_t n);

#endif

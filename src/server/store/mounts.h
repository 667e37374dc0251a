/*
 * mounts.h - whose file systems the mail may lie on.
 *
 * A FUSE file system answers when its program likes, and whoever waits for it
 * cannot be interrupted: the worker to which a message of it was passed would
 * stand still with all its sessions.  What root has mounted is believed; what
 * somebody else has, with fusermount, is refused.
 */
#ifndef SERVER_STORE_MOUNTS_H
#define SERVER_STORE_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

/* Opens the kernel's list of mounts, before a sandbox closes.  False: there is
 * none, and every file system is believed. */
bool mounts_open(void);

/* Is what fstat() says is on `dev` on a file system to be believed?  By any
 * thread; it costs nothing for those that were asked about lately. */
bool mounts_believe(dev_t dev);

/* The same by a list of its own: /proc/self/mountinfo, or what looks like it. */
bool mounts_list_believes(int list, dev_t dev);

#endif

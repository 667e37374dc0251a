/*
 * mounts.h - whose file systems the mail may lie on, and which of them may wait.
 *
 * A FUSE file system answers when its program likes, and whoever waits for it
 * cannot be interrupted: the worker to which a message of it was passed would
 * stand still with all its sessions.  What root has mounted is believed; what
 * somebody else has, with fusermount, is refused.
 *
 * On what is believed but asks a program or a server, no loop makes a call.
 */
#ifndef SERVER_STORE_MOUNTS_H
#define SERVER_STORE_MOUNTS_H

#include <ev.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens the kernel's list of mounts, before a sandbox closes.  False: there is
 * none, and every file system is believed, and taken for a disk's.  root: of
 * the mail. */
bool mounts_open(const char *root);

/* From now on the loop looks at the beginning of each turn, so that what is done
 * there needs no mounts_look(). */
void mounts_watch(struct ev_loop *loop);

/* Sees whether anything was mounted or unmounted, before a piece of work. */
void mounts_look(void);

/* Is what fstat() says is on `dev` on a file system to be believed?  By any
 * thread; it costs nothing for those that were asked about lately. */
bool mounts_believe(dev_t dev);

/* Does it answer without asking anybody: from a disk of this machine, or from
 * memory?  At the same cost. */
bool mounts_is_local(dev_t dev);

enum mount_kind { MOUNT_LOCAL, MOUNT_ASKS, MOUNT_FOREIGN };

/* What it is by a list of its own: /proc/self/mountinfo, or what looks like it.
 * What is not in it is a subvolume of a disk's. */
enum mount_kind mounts_list_kind(int list, dev_t dev);

/* A number of the file system that may wait and is mounted below the root, and
 * has the maildrop or a part of it; 0: there is none.  The path is from the
 * root; links in it are not followed.  On the loop. */
uint32_t mounts_number(const char *maildrop);

/* The same, from a list of its own: b->root is set before. */
struct mounts_below {
	char root[PATH_MAX]; /* without links */
	struct mount_below {
		uint32_t number;
		char *path; /* from the root */
	} * v;
	size_t n, room;
};
void mounts_below_read(struct mounts_below *b, int list);
uint32_t mounts_below_at(const struct mounts_below *b, const char *maildrop);

#endif

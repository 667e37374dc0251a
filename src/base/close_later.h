/*
 * close_later.h - closing files without waiting for their file system.
 *
 * The close() of a file on FUSE or on a network file system waits for an
 * answer from there, each time; the last one of a file that was removed gives
 * back its blocks.  So a loop leaves the descriptors of mail to threads, many at
 * a time: one that hangs there holds up no session, and no other's files as long
 * as those of few owners hang.
 *
 * All functions are for the thread of the loop; there is one for a process.
 */
#ifndef BASE_CLOSE_LATER_H
#define BASE_CLOSE_LATER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ev_loop;

/* Descriptors are collected for so long, or until there are so many. */
enum { CLOSE_LATER_MS = 50, CLOSE_LATER_MANY = 64 };

/* One of them closes the files of an owner at a time; all may close those of
 * nobody. */
enum { CLOSE_LATER_THREADS = 8 };

enum { CLOSE_QUICK_MAX = 1024 * 1024 }; /* octets */

/* Starts the threads: between role_enter() and role_limit(). */
enum err close_later_start(struct ev_loop *loop, struct errbuf *eb) NODISCARD;

/* Takes fd, the file of an owner: any number that others seldom have; or 0, of
 * nobody, if it lies on a disk of this machine and no user can write it.  Without
 * threads, or memory, it is closed at once. */
void close_later(int fd, uint32_t of);

/* A file of nobody, as said above, and of so few octets: nothing waits for its
 * close(), the last one neither.  It costs less at once than on a thread. */
static inline bool
close_is_quick(uint32_t of, uint64_t octets)
{
	return of == 0 && octets <= CLOSE_QUICK_MAX;
}

/* How many descriptors are not closed yet. */
unsigned close_later_waiting(void);

/* May more files of an owner be opened?  Not if so many of all owners' are not
 * closed yet, or a quarter of them is this one's (unless that is nobody): then
 * CLOSE_WAIT says that they are being closed, and that there is room soon, and
 * CLOSE_STUCK that a file system has let go of none for seconds. */
enum close_room { CLOSE_ROOM, CLOSE_WAIT, CLOSE_STUCK };
enum close_room close_later_room(uint32_t of, unsigned most) NODISCARD;

/* Waits until all that was given to it is closed, and ends the threads. */
void close_later_end(void);

#endif

/*
 * close_later.h - closing files without waiting for their file system.
 *
 * The close() of a file on FUSE or on a network file system waits for an
 * answer from there, each time; the last one of a file that was removed gives
 * back its blocks.  So a loop leaves the descriptors of mail to a thread, many
 * at a time: one that hangs there holds up no session.
 *
 * All functions are for the thread of the loop; there is one for a process.
 */
#ifndef BASE_CLOSE_LATER_H
#define BASE_CLOSE_LATER_H

#include "base/err.h"

struct ev_loop;

/* Descriptors are collected for so long, or until there are so many. */
enum { CLOSE_LATER_MS = 50, CLOSE_LATER_MANY = 32 };

/* Starts the thread: between role_enter() and role_limit(). */
enum err close_later_start(struct ev_loop *loop, struct errbuf *eb) NODISCARD;

/* Takes fd.  Without a thread, or memory, it is closed at once. */
void close_later(int fd);

/* How many descriptors are not closed yet. */
unsigned close_later_waiting(void);

/* Waits until all that was given to it is closed, and ends the thread. */
void close_later_end(void);

#endif

/*
 * userfile.h - the users file as the parent hands it over, kept current.
 *
 * We cannot open it.  We see whether what we hold was changed or replaced,
 * and ask the parent (IPC_USERS_CHECK).  Those who wait for an answer wait
 * for one to a question that was put after they came.
 */
#ifndef SERVER_AUTH_USERFILE_H
#define SERVER_AUTH_USERFILE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "base/err.h"
#include "server/ipc/ipc.h"
#include "server/users/passwd.h"

enum { USERFILE_CHECK_MS = 5000, USERFILE_MAX = 256 * 1024 * 1024 };

/* Of the caller. */
struct userfile_wait {
	TAILQ_ENTRY(userfile_wait) entry;
	uint64_t need; /* the question whose answer is good enough */
	/* E_OK, or E_AGAIN if the parent does not answer. */
	void (*done)(struct userfile_wait *w, enum err e);
};

struct userfile {
	struct users *users; /* NULL until there is one */
	uint64_t generation; /* changes with `users` */

	/* The rest is the module's own. */
	const struct name_rule *rule;
	struct ev_loop *loop;
	struct ipc_chan *ctl;
	ev_timer deadline;
	int fd; /* what `users` was read from, or -1 */
	struct stat st;
	uint64_t asked, answered; /* how many questions, how many answers */
	TAILQ_HEAD(, userfile_wait) waiting;
};

/* Borrows rule, loop and ctl. */
void userfile_init(struct userfile *u, const struct name_rule *rule,
    struct ev_loop *loop, struct ipc_chan *ctl);

/* Is it known that the file has changed? */
bool userfile_is_stale(const struct userfile *u);

/* Asks the parent; w->done() is called later. */
void userfile_check(struct userfile *u, struct userfile_wait *w);
void userfile_cancel(struct userfile *u, struct userfile_wait *w);

/* IPC_USERS came, with a descriptor (taken) or without one (-1). */
void userfile_told(struct userfile *u, int fd);

#endif

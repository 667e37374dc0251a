/*
 * userfile.h - the users file and the database of app passwords as the parent
 * hands them over, kept current.
 *
 * We cannot open them.  We see whether what we hold was changed or replaced,
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
#include "server/ipc/control.h"
#include "server/ipc/ipc.h"
#include "server/users/app_table.h"
#include "server/users/passwd.h"

enum { USERFILE_CHECK_MS = 5000, USERFILE_MAX = 256 * 1024 * 1024 };

/* Of the caller. */
struct userfile_wait {
	TAILQ_ENTRY(userfile_wait) entry;
	uint64_t need; /* the question whose answer is good enough */
	/* E_OK, or E_AGAIN if the parent does not answer. */
	void (*done)(struct userfile_wait *w, enum err e);
};

/* What something was read from. */
struct userfile_source {
	int fd; /* -1: there is none */
	struct stat st;
	uint64_t content; /* a digest */
	/* It had been changed so shortly before that the times would not tell of
	 * another change: it is to be read once more. */
	bool fresh;
};

struct userfile {
	struct users *users;    /* NULL until there is one */
	struct app_table *apps; /* NULL: there are none, or: */
	bool apps_unread;       /* they cannot be read */
	bool is_empty;          /* for good: there is no users file */
	uint64_t generation;    /* changes with any of these */

	/* The rest is the module's own. */
	const struct name_rule *rule;
	struct ev_loop *loop;
	struct ipc_chan *ctl;
	ev_timer deadline;
	struct userfile_source from, apps_from;
	uint64_t asked, answered; /* how many questions, how many answers */
	TAILQ_HEAD(, userfile_wait) waiting;
};

/* Borrows rule, loop and ctl. */
void userfile_init(struct userfile *u, const struct name_rule *rule,
    struct ev_loop *loop, struct ipc_chan *ctl);

/* Is it known that one of the files has changed?  One that was changed while it
 * was read is read once more before. */
bool userfile_is_stale(struct userfile *u);

/* What the admin is told of a name that is no user's.  eb: with the words for that,
 * or none. */
enum control_outcome userfile_no_user(
    const struct userfile *u, const char *name, struct errbuf *eb);

/* Asks the parent; w->done() is called later. */
void userfile_check(struct userfile *u, struct userfile_wait *w);
void userfile_cancel(struct userfile *u, struct userfile_wait *w);

/* What is said of one of the files.  fd: if it is USERS_NEW, and then taken. */
struct userfile_news {
	enum users_news news;
	int fd;
};

/* IPC_USERS came. */
void userfile_told(
    struct userfile *u, struct userfile_news users, struct userfile_news apps);

#endif

/*
 * users_watch.h - a file of users or their passwords, opened for the auth process
 * when it has changed.
 */
#ifndef SERVER_PARENT_USERS_WATCH_H
#define SERVER_PARENT_USERS_WATCH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

struct users_watch {
	struct stat st; /* of what was opened last */
	bool known;
};

/* Opens path unless it is what was opened last; then *fd_r is -1.  It stays
 * the one opened last when it cannot be opened.  E_NOENT: it is not there. */
enum err users_watch_changed(struct users_watch *u, const char *path, int *fd_r,
    struct errbuf *eb) NODISCARD;

/* The next call opens it in any case. */
void users_watch_forget(struct users_watch *u);

#endif

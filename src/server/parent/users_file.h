/*
 * users_file.h - the users file, opened for the auth process when it changed.
 */
#ifndef SERVER_PARENT_USERS_FILE_H
#define SERVER_PARENT_USERS_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

struct users_file {
	struct stat st; /* of what was opened last */
	bool known;
};

/* Opens path unless it is what was opened last; then *fd_r is -1.  It stays
 * the one opened last when it cannot be opened. */
enum err users_file_changed(struct users_file *u, const char *path, int *fd_r,
    struct errbuf *eb) NODISCARD;

/* The next call opens it in any case. */
void users_file_forget(struct users_file *u);

#endif

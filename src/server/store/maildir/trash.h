/*
 * trash.h - where removed messages are put if `trash` is set: the folder Trash of
 * the Maildir (Maildir++), with the flag T.
 */
#ifndef SERVER_STORE_MAILDIR_TRASH_H
#define SERVER_STORE_MAILDIR_TRASH_H

#include <stdbool.h>

#define TRASH_FOLDER ".Trash"
#define TRASH_NONE \
	{ \
		-1 \
	}

struct trash {
	int cur; /* the folder of that name in it; -1: not open */
};

/* Moves a message there from the folder `dir`; root: the Maildir.  The folder is
 * made for the first one.  False: errno says why, and nothing has changed. */
bool trash_take(struct trash *t, int root, int dir, const char *file);
/* Is what was put there on the disk?  False: errno says why. */
bool trash_sync(const struct trash *t);
void trash_close(struct trash *t);

#endif

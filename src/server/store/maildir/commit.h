/*
 * commit.h - UPDATE: removes what was marked and nothing else, marks as seen
 * what is to be, and mends the index.
 *
 * The index says which file a marked message is, and anybody who owns the
 * mail can write to it, at any moment.  So it is read once, from its beginning
 * to the end of the view; what is needed of it is copied as it is checked;
 * and no file is touched unless all of it was as the session began and each
 * unique-id that goes belongs to its file.
 *
 * Each message is removed by one unlink(2), so it is there or gone; both
 * directories are synced before anyone is told.  The index is mended after
 * that: until it is, the directories' times tell everyone that it is old.
 */
#ifndef SERVER_STORE_MAILDIR_COMMIT_H
#define SERVER_STORE_MAILDIR_COMMIT_H

#include "server/store/kind.h"

/* As in kind.h. */
void maildir_commit(struct hold *h, struct hold_commit *c);

#endif

/*
 * lock.h - one session at a time: an open-file-description lock on malote.lock,
 * which is made once and never replaced, so that all lock the same file.  The
 * lock ends with the process, however that ends.
 *
 * The file has two lines of fixed length: who opened the maildrop last, and
 * when leftovers in tmp were looked for last.
 */
#ifndef SERVER_STORE_MAILDIR_LOCK_H
#define SERVER_STORE_MAILDIR_LOCK_H

#include "server/store/maildir/maildir.h"

#define LOCKFILE_NAME "malote.lock"

/* E_BUSY: *holder says who; E_DENIED: the disk takes no lock file.  peer NULL:
 * at once or not at all, and maildir_note() follows. */
enum err maildir_lock(int root, const char *peer, int *fd_r,
    struct holder *holder, struct errbuf *eb) NODISCARD;
/* For malotectl: act() in the root of the Maildir at path, under its lock. */
enum err maildir_by_hand(const char *path, struct holder *holder,
    enum err (*act)(int root, struct errbuf *eb), struct errbuf *eb) NODISCARD;
/* Under a lock: have the leftovers in tmp been looked for today?  If not,
 * from now on they have been. */
bool maildir_sweep_due(int lock_fd);

/* For shared sessions, which hold no lock: one for a while, as only one may
 * write the index at a time. */
enum err maildir_lock_shared(
    struct maildir *m, int root, struct errbuf *eb) NODISCARD;
void maildir_unlock_shared(struct maildir *m);

/* Writes down who has it: as in kind.h. */
void maildir_note(struct hold *h, const char *peer);

#endif

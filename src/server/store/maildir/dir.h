/*
 * dir.h - the directories of a Maildir, and how files in them are opened.
 *
 * Whoever owns the mail can put anything there: nothing is followed, waited
 * for, or believed to be ours because of its name.
 */
#ifndef SERVER_STORE_MAILDIR_DIR_H
#define SERVER_STORE_MAILDIR_DIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct stat;

enum maildir_sub { SUB_NEW, SUB_CUR, SUBS };

/* The letter before a file name, in memory and in the index. */
#define SUB_LETTER(sub) ("nc"[sub])
#define NAME_SUB(name)  ((name)[0] == 'n' ? SUB_NEW : SUB_CUR)

/* A Maildir and its two directories, open. */
struct maildir_dirs {
	int root, sub[SUBS];
};

/* What takes a `now` is also called on the loop, which waits for no disk: it
 * fails then unless all that is needed is in the kernel's memory. */

/* As openat(2), without following, waiting, or handing on.  now: flags must
 * not create. */
int maildir_open_at(int dir, const char *name, int flags, bool now);

/* Opens a file for reading (or as `flags` say): a regular file that belongs to
 * us.  E_NOENT, E_IO, E_FORMAT if it is something else; E_DENIED: it cannot be
 * written. */
enum err maildir_file(int dir, const char *name, int flags, bool now, int *fd_r,
    struct stat *st_r, struct errbuf *eb) NODISCARD;

/* The same for a file of somebody else's. */
enum err maildir_file_of(uid_t owner, int dir, const char *name, int flags,
    bool now, int *fd_r, struct stat *st_r, struct errbuf *eb) NODISCARD;

/* Puts the name of a file that every Maildir has before the words about it.
 * Returns e. */
enum err maildir_about(enum err e, const char *name, struct errbuf *eb);

/* Opens a directory that belongs to us.  E_FORMAT also if it is on a file system
 * that is not believed (mounts.h); so it is for files. */
enum err maildir_open_dir(
    int at, const char *name, bool now, int *fd_r, struct errbuf *eb) NODISCARD;

/* Opens the Maildir and its directories; all or nothing. */
enum err maildir_enter(const char *path, bool now, struct maildir_dirs *d,
    struct errbuf *eb) NODISCARD;
void maildir_leave(struct maildir_dirs *d);

/* Makes an empty one, and the directories on the way to it that are missing.
 * path: shorter than MAIL_PATH_MAX. */
enum err maildir_make(const char *path, struct errbuf *eb) NODISCARD;

#endif

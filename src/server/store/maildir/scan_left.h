/*
 * scan_left.h - files that are left out of the list: those that are no
 * messages, and messages that cannot be read now.  The maildrop is served
 * without them, and the log says which they are, why, and what to do.
 */
#ifndef SERVER_STORE_MAILDIR_SCAN_LEFT_H
#define SERVER_STORE_MAILDIR_SCAN_LEFT_H

#include <sys/stat.h>

#include "server/store/maildir/scan.h"

/* Leaves out the file; e and s->eb say why it could not be measured.  A message
 * whose repair changes nothing of its directory makes s->unsure true: the names
 * are read again at the next sign-in. */
void scan_leave_out(struct scan *s, const struct name *m, enum err e);

/* What mends a file that could not be opened (e), in words for the log.  out. */
const char *scan_left_remedy(
    enum err e, const struct stat *st, char *out, size_t size);

/* Before the names are matched: none is left out yet. */
void scan_left_begin(struct scan *s);
/* After that: says how many messages were left out, once in a session. */
void scan_left_end(struct scan *s);

#endif

/*
 * mend.h - the index as it should be: what it has is kept by base name, only
 * messages that it does not have are opened, what is gone is left out.
 */
#ifndef SERVER_STORE_MAILDIR_MEND_H
#define SERVER_STORE_MAILDIR_MEND_H

#include "server/store/maildir/maildir.h"

/* Mends the index, or makes it, and sets the view. */
enum err maildir_scan(struct maildir *m, const struct maildir_dirs *d,
    struct errbuf *eb) NODISCARD;

#endif

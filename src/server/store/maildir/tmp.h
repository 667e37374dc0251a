/*
 * tmp.h - what deliveries that never ended have left in tmp: after 36 hours
 * nobody goes on with it (maildir(5)).
 */
#ifndef SERVER_STORE_MAILDIR_TMP_H
#define SERVER_STORE_MAILDIR_TMP_H

#include "server/store/maildir/dir.h"

/* Removes it; tag: for the log. */
void maildir_sweep(const struct maildir_dirs *d, const char *tag);

#endif

/*
 * fetch.h - opens messages for a session, and notes when the index was wrong.
 */
#ifndef SERVER_STORE_MAILDIR_FETCH_H
#define SERVER_STORE_MAILDIR_FETCH_H

#include "server/store/drop.h"

/* As in drop.h. */
bool maildir_fetch(struct drop *d, bool now, struct drop_message *v, size_t n);

#endif

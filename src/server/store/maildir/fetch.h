/*
 * fetch.h - opens messages for a session, and notes when the index was wrong.
 */
#ifndef SERVER_STORE_MAILDIR_FETCH_H
#define SERVER_STORE_MAILDIR_FETCH_H

#include "server/store/kind.h"

/* As in kind.h. */
bool maildir_fetch(
    struct hold *h, enum hold_pace pace, struct hold_message *v, size_t *n);

#endif

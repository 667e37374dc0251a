/*
 * store_messages.h - the channels to the workers: what they may say,
 * and what becomes of a process that says something else or goes.
 */
#ifndef SERVER_STORE_STORE_MESSAGES_H
#define SERVER_STORE_STORE_MESSAGES_H

#include "server/store/store_worker.h"

/* Takes fd.  The process takes the place of one of the same index. */
void store_worker_attach(
    struct store *st, const struct role_peer *peer, int fd);

/* Gives up the channel and ends all sessions of the process.  As in a struct
 * ipc_rules.  w may be freed. */
void store_worker_gone(void *w, enum err why);

/* Does what was sent already: a message that frees a maildrop may stand
 * behind one that wants it, in another channel. */
void store_worker_drain_all(struct store *st);

/* Ends all sessions of a worker.  If that has gone, w is freed when the
 * last of them has ended, perhaps now. */
void store_worker_release(struct store_worker *w);

#endif

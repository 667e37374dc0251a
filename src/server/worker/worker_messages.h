/*
 * worker_messages.h - the links to auth and to the stores, and what comes over
 * them.
 */
#ifndef SERVER_WORKER_WORKER_MESSAGES_H
#define SERVER_WORKER_WORKER_MESSAGES_H

#include "server/ipc/ipc.h"

struct worker;

/* IPC_ATTACH: a channel to auth or to a store, in place of the one before. */
enum err worker_attach(void *worker, struct ipc_in *in) NODISCARD;

#endif

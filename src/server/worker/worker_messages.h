/*
 * worker_messages.h - the links to auth and to the stores, and what comes over
 * them.
 */
#ifndef SERVER_WORKER_WORKER_MESSAGES_H
#define SERVER_WORKER_WORKER_MESSAGES_H

#include "server/ipc/role.h"

struct serving;
struct worker;

/* Of role_hooks: a channel to auth or to a store, in place of the one before. */
enum err worker_attach(
    void *worker, const struct role_peer *peer, int fd) NODISCARD;

/* What auth has said last is what these listeners offer. */
void worker_offer(const struct worker *w, struct serving *v);

#endif

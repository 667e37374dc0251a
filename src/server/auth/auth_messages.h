/*
 * auth_messages.h - what comes from the worker processes: their requests, which
 * begin sign-ins, go on with them and give them up.
 */
#ifndef SERVER_AUTH_AUTH_MESSAGES_H
#define SERVER_AUTH_AUTH_MESSAGES_H

#include "server/auth/process.h"

/* IPC_ATTACH of a worker, and of the role sasl.  Takes fd. */
void auth_worker_attach(struct auth *a, const struct role_peer *peer, int fd);
void auth_sasl_attach(struct auth *a, int fd);

#endif

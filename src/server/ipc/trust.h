/*
 * trust.h - IPC_CLIENT_CA, which worker and auth take alike.
 */
#ifndef SERVER_IPC_TRUST_H
#define SERVER_IPC_TRUST_H

#include "net/client_ca.h"
#include "server/ipc/ipc.h"

/* *ca is replaced by what the message brings; what cannot be used is logged, and
 * *ca stays as it was.  E_FORMAT: it is no such message. */
enum err trust_take(struct client_ca **ca, struct ipc_in *in) NODISCARD;

#endif

/*
 * worker_tls.h - the certificates of a worker: they come one by one from the parent,
 * and are taken when the last one is there and all can be used.  Connections that
 * have begun keep what they began with.
 */
#ifndef SERVER_WORKER_WORKER_TLS_H
#define SERVER_WORKER_WORKER_TLS_H

#include "server/worker/worker_state.h"

/* Has every listener what its TLS needs? */
bool worker_tls_is_ready(const struct worker *w);

/* For IPC_CERTIFICATE. */
enum err worker_tls_take(struct worker *w, struct ipc_in *in) NODISCARD;

/* Those that came to be used later are for v, which has served nobody yet. */
enum err worker_tls_prepare(struct serving *v, struct errbuf *eb) NODISCARD;

/* While files can still be read: what OpenSSL reads when it is used first. */
void worker_tls_begin(void);

#endif

/*
 * step.h - gives the protocol what it asks for.
 */
#ifndef SERVER_WORKER_STEP_H
#define SERVER_WORKER_STEP_H

#include "server/worker/session_state.h"

/* What comes first of a client: TLS, a ticket, or the greeting.  False: memory. */
bool session_begin(struct session *s);

/* One piece of the work that s->doing says.  Never GO_FAIL: the client has
 * been answered then. */
enum go session_step(struct session *s);

#endif

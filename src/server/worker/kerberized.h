/*
 * kerberized.h - a session at a listener of KPOP: the client shows its ticket
 * before the greeting; then USER must be its own name, and PASS says nothing.
 */
#ifndef SERVER_WORKER_KERBERIZED_H
#define SERVER_WORKER_KERBERIZED_H

#include "server/worker/session_state.h"

/* False: memory. */
bool kerberized_begin(struct session *s);
void kerberized_free(struct session *s);

/* Does the greeting still have to wait? */
static inline bool
kerberized_is_due(const struct session *s)
{
	return s->kpop != NULL && s->kpop->wanted != KPOP_WANT_POP3;
}

/* One piece of the work until then. */
enum go kerberized_step(struct session *s);

/* What auth says of the ticket. */
void kerberized_accept(struct session *s, struct slice ap_rep);
void kerberized_refuse(struct session *s, struct slice krb_error);

#endif

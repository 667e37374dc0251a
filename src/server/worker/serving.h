/*
 * serving.h - what sessions are served by: listeners, certificate, languages,
 * deadlines.  See struct serving in worker_state.h.
 */
#ifndef SERVER_WORKER_SERVING_H
#define SERVER_WORKER_SERVING_H

#include "server/worker/worker_state.h"

/* Takes conf and what it refers to, whatever comes of it; conf->counts_fd is not
 * needed, and closed.  Nobody is accepted yet. */
enum err serving_new(struct worker *w, struct worker_conf *conf,
    struct serving **v_r, struct errbuf *eb) NODISCARD;

/* Accepts at all its listeners; does not for a while; never again. */
void serving_accept(struct worker *w, struct serving *v);
void serving_pause(struct worker *w, struct serving *v);
void serving_shut(struct worker *w, struct serving *v);

/* A session that began with it is no more. */
void serving_leave(struct worker *w, struct serving *v);
/* Nobody comes to it any more: it is freed with its last session. */
void serving_drop(struct worker *w, struct serving *v);
/* Frees one that has never served, if there is one. */
void serving_forget(struct serving **v);

#endif

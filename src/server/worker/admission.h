/*
 * admission.h - who is served: by the networks that a listener names, and by how
 * many connections an address has.
 */
#ifndef SERVER_WORKER_ADMISSION_H
#define SERVER_WORKER_ADMISSION_H

#include "server/worker/session_state.h"

/* NULL: they may come from there; else a word for the log. */
const char *admission_refusal(
    const struct listener *l, const struct sockaddr_storage *from);

/* May who is there say from where others come? */
bool admission_is_proxy(
    const struct listener *l, const struct sockaddr_storage *from);

/* One more connection of that address.  False: it is one too many.  In either
 * case it is counted, until admission_leave(). */
bool admission_enter(struct worker *w, const struct sockaddr_storage *from,
    struct admission *out);
void admission_leave(struct worker *w, struct admission *a);

/* One that is not served: a line of the log, or a number in one, if there are
 * many. */
void admission_log(struct worker *w, const char *peer, const char *why);

#endif

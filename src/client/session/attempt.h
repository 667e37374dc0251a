/*
 * attempt.h - a session that only tries: what it finds is told, nothing is
 * collected, deleted or put on record.
 *
 * It takes the same steps as one that collects, up to the sign-in.  Behind that
 * it asks how much there is, and of the first message the unique-id and the
 * header; then QUIT.
 */
#ifndef CLIENT_SESSION_ATTEMPT_H
#define CLIENT_SESSION_ATTEMPT_H

#include "client/session/core.h"

/* steps: the table of one that collects.  False: memory. */
bool attempt_new(struct visit *v, const struct step_row *steps) NODISCARD;
void attempt_free(struct visit *v);

#endif

/*
 * control_sessions.h - `malotectl who' and `malotectl kick': the parent asks the
 * workers one after the other, a piece at a time.
 *
 * The next piece is asked for when malotectl has taken most of what there was:
 * however many sessions there are, neither a worker nor the parent has long work
 * or much memory of it.
 */
#ifndef SERVER_PARENT_CONTROL_SESSIONS_H
#define SERVER_PARENT_CONTROL_SESSIONS_H

#include "server/parent/child.h"
#include "server/parent/control_client.h"

/* end: they are ended, and told of are those that were. */
void control_sessions(
    struct control_client *k, const struct control_which *which, bool end);

/* IPC_SESSIONS.  Only the worker that was asked is listened to.  E_FORMAT: that is
 * no answer to what it was asked. */
enum err control_sessions_are(
    struct child *worker, uint64_t token, struct control_sessions *s) NODISCARD;

/* A process that was asked is no more. */
void control_sessions_gone(const struct child *c);

#endif

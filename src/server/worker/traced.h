/*
 * traced.h - what is said in a session, for who looks into it: the log, if the
 * settings say so, and the trace of one user (malotectl trace).
 *
 * Of a user who is traced the parent gets each line of the client, secrets masked,
 * and the first line of each reply, or all lines of them.  Whose session it is
 * shows when somebody signs in: what was said before is kept until then, while
 * anybody is traced, in little memory.  A session that nobody looks at has one
 * pointer, which is NULL.
 */
#ifndef SERVER_WORKER_TRACED_H
#define SERVER_WORKER_TRACED_H

#include "base/str.h"
#include "server/worker/worker_state.h"

struct pop3_server;

/* IPC_TRACE: sessions that there are, and those to come. */
enum err traced_take(void *worker, struct ipc_in *in) NODISCARD;

/* For pop3_server.trace. */
void traced_line(const struct pop3_server *p, bool reply, struct slice line);

/* A session begins; without memory it is not traced. */
void traced_begin(struct session *s);

/* Somebody is in it now, or has tried to be.  Only for a session that has a
 * dialogue, as what follows. */
void traced_named(struct session *s, struct slice user);

/* It was sent so much. */
void traced_octets(struct session *s, const char *p, size_t n);

/* It ends.  why: for the trace. */
void traced_end(struct session *s, const char *why);

#endif

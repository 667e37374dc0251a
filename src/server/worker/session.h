/*
 * session.h - one client: octets in, octets out, and everything between.
 *
 * The protocol is pop3/server.h, which asks; here it is given what it asks
 * for: sign-ins from auth, maildrops and messages from a store, octets from
 * files and sockets.  Nothing here waits: each wait has an event that ends it
 * and a deadline.
 */
#ifndef SERVER_WORKER_SESSION_H
#define SERVER_WORKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "pop3/server.h"

struct listener;
struct read_job;
struct session;
struct sockaddr_storage;
struct worker;

/* Takes fd.  A client that cannot be served is told so and closed. */
void session_new(struct worker *w, int fd, const struct sockaddr_storage *addr,
    const struct listener *l);

/* NULL if the session with that sid is no more. */
struct session *session_find(struct worker *w, uint64_t sid);

/* Goes on with the work that s->wait was for. */
void session_go(struct session *s);

/* For worker.read_done: octets that a session waits for have been read. */
void session_read_done(struct read_job *job);

/* Closes, releases the maildrop, logs.  s stays readable until the end of the
 * turn.  why: a word for the log, static; s->why goes before it. */
void session_end(struct session *s, const char *why);
void session_free_dead(struct worker *w);

/* Somebody did not sign in: the line of the session's end names them. */
void session_claimed(struct session *s, struct slice user);

/* For pop3_policy.needs_tls: logs the sign-in that was refused. */
void session_needs_tls(
    const struct pop3_server *p, const char *method, struct slice name);

#endif

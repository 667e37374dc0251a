/*
 * child_tell.h - what the parent tells its processes.
 *
 * A process that cannot be told what it needs to know is killed: it is started
 * again and told everything.
 */
#ifndef SERVER_PARENT_CHILD_TELL_H
#define SERVER_PARENT_CHILD_TELL_H

#include "server/parent/child.h"

enum err child_tell_settings(struct child *c) NODISCARD;
/* To one that can take others while it serves: those that may hold soon, which it
 * answers by that number; and whether they do. */
enum err child_tell_settings_anew(struct child *c, uint32_t number,
    struct conf *conf, const struct ports *ports) NODISCARD;
void child_tell_decision(struct child *c, bool use);

/* Gives each of two processes one end of a new channel. */
enum err child_connect(
    struct child *a, struct child *b, struct errbuf *eb) NODISCARD;
/* Connects c with all processes that it talks to. */
enum err child_connect_all(struct child *c, struct errbuf *eb) NODISCARD;

/* To auth: the users file and the app passwords, if they are not those that were
 * sent last; child_tell_users_anew() sends them in any case. */
void child_tell_users(struct child *auth);
void child_tell_users_anew(struct child *auth);
/* To auth: it shall verify each password anew. */
void child_tell_forget(struct child *auth);
/* To auth: no store for uid can be had; the log is told too. */
void child_tell_no_store(
    struct child *auth, struct owner owner, const char *why);
/* To auth: another process will come to the place of that one, which still
 * answers. */
void child_tell_successor(struct child *auth, const struct child *was);
/* What auth has made anew cannot be written. */
void child_tell_no_upgrade(struct child *auth);
/* To auth: a store of a user's own uid has had nothing to do for long. */
void child_tell_full(struct child *auth, struct owner owner);
void child_tell_idle(struct child *auth, const struct child *store);

/* To auth: see control_auth.h. */
void child_tell_ask(struct child *auth, uint64_t token, enum ask_kind what,
    const char *user, const char *password);

/* To auth: where is the user's mail?  To a store: what about that there?  See
 * control_inquiry.h. */
void child_tell_where(struct child *auth, uint64_t token, const char *user);
void child_tell_inquiry(struct child *store, uint64_t token,
    enum inquiry_kind what, const char *mail, uint32_t number);
/* To auth: all maildrops shall be looked at. */
void child_tell_round(struct child *auth);

/* To a worker: see traces.h. */
void child_tell_trace(struct child *worker, uint32_t number, bool on,
    bool octets, const char *user);
/* To a worker: see control_sessions.h. */
void child_tell_sessions(struct child *worker, uint64_t token, bool end,
    uint32_t from, const struct control_which *which);

/* To a worker. */
/* Asks whether its loop turns. */
void child_tell_ping(struct child *c, uint32_t number);

void child_tell_tickets(struct child *worker);
/* To a worker or auth: nothing if no certificates of clients are believed. */
void child_tell_client_ca(struct child *c);
/* All of them: to a worker. */
void child_tell_certificates(struct child *worker);

/* Calls tell() for every process of a role that can be told something. */
void child_tell_role(
    struct parent *p, enum ipc_role role, void (*tell)(struct child *c));

/* It shall finish within ms; auth ends at once. */
void child_stop(struct child *c, uint32_t ms);
/* To one that accepts connections: no more of them.  A worker ends when its
 * sessions have, after ms at the latest. */
void child_drain(struct child *c, uint32_t ms);
/* To the same: from now on. */
void child_tell_accept(struct child *c);
/* Another one has its place: one that auth asks answers what it was asked, ends
 * within ms, and is not started again. */
void child_retire(struct child *c, uint32_t ms);

#endif

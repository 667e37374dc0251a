/*
 * worker_tell.h - what the other processes are told about a session.
 */
#ifndef SERVER_WORKER_WORKER_TELL_H
#define SERVER_WORKER_WORKER_TELL_H

#include "server/worker/session_state.h"

/* To auth or to a store: a message that is only about which session. */
void session_tell(struct ipc_chan *chan, uint16_t type, uint64_t sid);

/* Asks auth for what s->doing says: to check a password or a digest, to begin
 * SASL or to go on with it.  E_FULL or E_NOMEM: it has not been asked. */
enum err session_tell_sign_in(
    struct session *s, struct ipc_chan *auth) NODISCARD;

/* The same with the AP-REQ of KPOP. */
enum err session_tell_ticket(
    struct session *s, struct ipc_chan *auth, struct slice ap_req) NODISCARD;

/* Tells auth, if it keeps something of a sign-in, that it is over. */
void session_tell_end(struct session *s);

/* Closes the connection, or has it closed when auth has been sent it. */
void session_disconnect(struct session *s);

/* Asks the store to remove what is marked and to release the maildrop.  E_FULL
 * or E_NOMEM: not all of it could be asked, and nothing will be removed. */
enum err session_tell_commit(struct session *s) NODISCARD;

/* Lets go of the maildrop, if it has one. */
void session_release(struct session *s);

/* Tells the store that its index is wrong about a message, or (0) unreadable:
 * it will be made anew. */
void session_doubt(struct session *s, uint32_t msgno);

/* Tells the store that a message which it had made is closed. */
void session_closed(struct session *s, uint64_t octets);

#endif

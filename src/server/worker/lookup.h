/*
 * lookup.h - LIST, UIDL, and the size of one message.
 */
#ifndef SERVER_WORKER_LOOKUP_H
#define SERVER_WORKER_LOOKUP_H

#include "server/ipc/ipc.h"
#include "server/worker/session_state.h"

/* For POP3_WANT_ENTRY and POP3_WANT_LISTING: again until it is not GO_WAIT.
 * What cannot be looked up is answered so (GO_ON). */
enum go lookup_entry(struct session *s);
enum go lookup_listing(struct session *s);

/* IPC_INDEX_IS, behind the sid, while s->wait is WAIT_INDEX. */
enum err lookup_index_is(struct session *s, struct ipc_in *in) NODISCARD;

void lookup_close(struct session *s);

#endif

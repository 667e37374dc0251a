/*
 * retrieve.h - RETR, TOP and *ENV.
 */
#ifndef SERVER_WORKER_RETRIEVE_H
#define SERVER_WORKER_RETRIEVE_H

#include "server/ipc/ipc.h"
#include "server/worker/session_state.h"

/* How many messages a session may hold ahead of its client. */
enum { WINDOW_MIN = 2, WINDOW_MAX = 32 };

/* For POP3_WANT_MESSAGE: again until it is not GO_WAIT.  A message that cannot
 * be had is answered so (GO_ON). */
enum go retrieve_go(struct session *s);

/* IPC_FETCHED, behind the sid. */
enum err retrieve_fetched(struct session *s, struct ipc_in *in) NODISCARD;

void retrieve_release(struct session *s); /* closes what is held ahead */
void retrieve_close(struct session *s);   /* all */

#endif

/*
 * census.h - which sessions there are, for the admin; and ending them.
 */
#ifndef SERVER_WORKER_CENSUS_H
#define SERVER_WORKER_CENSUS_H

#include "server/worker/worker_state.h"

/* IPC_SESSIONS_WANTED: answers one piece, for which it looks at a bounded number
 * of places. */
enum err census_take(void *worker, struct ipc_in *in) NODISCARD;

#endif

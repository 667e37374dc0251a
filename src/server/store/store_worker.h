/*
 * store_worker.h - a pop3 process, as the store knows it, and how it is
 * answered.
 */
#ifndef SERVER_STORE_STORE_WORKER_H
#define SERVER_STORE_STORE_WORKER_H

#include "server/store/store_process.h"

struct tenant;

enum { PEER_BUCKETS = 2048 };

struct peer {
	struct store *store;
	struct ipc_chan *chan; /* NULL: the process has gone */
	uint16_t index;
	bool broken; /* takes no messages: it is given up when the turn ends */
	unsigned n_sessions;
	LIST_ENTRY(peer) entry;
	LIST_HEAD(, tenant) by_sid[PEER_BUCKETS];
};

/* The running process of that index; NULL. */
struct peer *peer_find(struct store *st, uint16_t index);

/* Frees p if its process has gone and no session refers to it. */
void peer_put(struct peer *p);

/* A message to the process that begins with the sid.  False, with nothing
 * begun, if the process has gone. */
bool peer_answer_begin(struct peer *p, uint16_t type, uint64_t sid) NODISCARD;
void peer_answer_end(struct peer *p);

#endif

/*
 * store_worker.h - a worker, as the store knows it, and how it is
 * answered.
 */
#ifndef SERVER_STORE_STORE_WORKER_H
#define SERVER_STORE_STORE_WORKER_H

#include "server/ipc/login_mark.h"
#include "server/store/store_process.h"

struct claim;

enum { SID_BUCKETS = 2048 };

struct store_worker {
	struct store *store;
	struct ipc_chan *chan; /* NULL: the process has gone */
	uint16_t index;
	uint32_t pid;
	bool broken; /* takes no messages: it is given up when the turn ends */
	unsigned n_sessions;
	LIST_ENTRY(store_worker) entry;
	LIST_HEAD(, claim) by_sid[SID_BUCKETS];
};

/* The running process of that index; NULL. */
struct store_worker *store_worker_find(struct store *st, uint16_t index);

/* Frees w if its process has gone and no session refers to it. */
void store_worker_put(struct store_worker *w);

/* A message to the process that begins with the sid.  False, with nothing
 * begun, if the process has gone. */
bool store_answer_begin(
    struct store_worker *w, uint16_t type, uint64_t sid) NODISCARD;
void store_answer_end(struct store_worker *w);

/* Has auth answer a session of w, which cannot be reached (any more). */
void store_tell_no_worker(
    const struct store *st, const struct role_peer *w, uint64_t sid);

/* Tells auth that a sign-in which counts for LOGIN-DELAY comes to nothing. */
void store_tell_unopened(const struct store *st, struct login_mark counted);

#endif

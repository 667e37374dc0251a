/*
 * store_process.h - the state of a store process.
 *
 * Internal to the store process.
 */
#ifndef SERVER_STORE_STORE_PROCESS_H
#define SERVER_STORE_STORE_PROCESS_H

#include <ev.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "server/ipc/role.h"
#include "server/store/store.h"
#include "server/store/terms.h"

struct maildrop;
struct store_worker;
struct pool;

enum { MAILDROP_BUCKETS = 4096 };

struct store {
	struct role role;       /* first: see role.h */
	struct store_conf conf; /* for what is not of one session */
	struct terms *terms;    /* of those who come now: the same */
	struct terms *next;     /* after IPC_SETTINGS_USE; NULL: none */
	struct ev_loop *loop;
	struct pool *pool;
	struct ipc_chan *auth;
	LIST_HEAD(, store_worker) workers;
	LIST_HEAD(, maildrop) maildrops[MAILDROP_BUCKETS];
	unsigned n_sessions;
	unsigned closing_max; /* descriptors of mail that are not closed yet */
	bool stopping;        /* no new sessions; ends when there is none */
	bool overtime;        /* the deadline for that is over */
	ev_timer idle, stop;
};

#endif

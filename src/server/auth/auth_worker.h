/*
 * auth_worker.h - a worker process as auth sees it: its channel, its sessions
 * and which of them sign in, and all that is sent to it.  The role sasl is one
 * more, whose sessions are sign-ins that another program asks about.
 */
#ifndef SERVER_AUTH_AUTH_WORKER_H
#define SERVER_AUTH_AUTH_WORKER_H

#include "server/auth/process.h"
#include "server/ipc/login_mark.h"

/* What is known of a session. */
struct auth_slot {
	uint64_t sid;
	struct signin *signin;     /* NULL: none at the moment */
	uint64_t token;            /* of its sign-in, for the store */
	uint32_t store;            /* serial of the one it was given to, or 0 */
	struct login_mark counted; /* the same sign-in, for LOGIN-DELAY */
};

struct auth_worker {
	LIST_ENTRY(auth_worker) entry;
	struct auth *auth;
	struct ipc_chan *chan;
	struct auth_slot *slot;
	size_t n_slots;
	enum ipc_role role;
	uint16_t index; /* in sids: SASL_INDEX, of the role sasl */
	uint32_t pid;
	/* Of the role sasl: by the numbers that it knows, which are those of the
	 * settings when it came. */
	struct known_service service[SERVICES_MAX];
	uint16_t n_services;
};

/* The slot of a session; NULL: it never asked to sign in. */
struct auth_slot *auth_slot_find(struct auth_worker *w, uint64_t sid);

/* The slot that a session is to have; one that is over may still be in it.
 * NULL: memory. */
struct auth_slot *auth_slot_for(struct auth_worker *w, uint64_t sid);

/* Of a session that signs in. */
uint64_t auth_worker_token(struct auth_worker *w, uint64_t sid);

/* A session's sign-in is over without success, or asks for more. */
struct refusal {
	enum sign_in_code code;
	const char *user;       /* who it claimed to be, or "" */
	struct slice krb_error; /* for the client of KPOP, or empty */
	uint32_t seconds;       /* of SIGN_IN_SOON */
};

void auth_worker_refuse(
    struct auth_worker *w, uint64_t sid, const struct refusal *r);
/* The same because we cannot. */
void auth_worker_refuse_now(struct auth_worker *w, uint64_t sid);
void auth_worker_challenge(
    struct auth_worker *w, uint64_t sid, struct slice challenge);

/* The role sasl is told who it is. */
void auth_worker_accept(struct auth_worker *w, uint64_t sid, const char *user);

/* The names of the mechanisms that can be served, half of a timestamp, how long
 * mail stays, and LOGIN-DELAY: see IPC_SERVED. */
void auth_worker_served(struct auth_worker *w, const char *names, uint64_t half,
    struct announced announced, const struct login_delay_range *delays);

/* Nothing is sent: the sign-in is over.  store: the serial number of the one
 * that the session was given to, or 0; counted: for LOGIN-DELAY. */
void auth_worker_signed_in(struct auth_worker *w, uint64_t sid, uint32_t store,
    struct login_mark counted);

/* Refuses the session, if it was given to this store, which cannot reach its
 * worker. */
void auth_worker_unplaced(struct auth *a, const struct role_peer *worker,
    uint64_t sid, uint32_t store);

/* Refuses every session, of all workers, that was given to this store.  One
 * that has heard from the store already takes no notice. */
void auth_workers_store_died(struct auth *a, uint32_t store);

#endif

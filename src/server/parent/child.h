/*
 * child.h - one process of ours, and where it stands.
 */
#ifndef SERVER_PARENT_CHILD_H
#define SERVER_PARENT_CHILD_H

#include "server/ipc/ipc.h"
#include "server/ipc/owner.h"
#include "server/ipc/proto.h"
#include "server/parent/parent_state.h"

enum child_state {
	CHILD_DOWN,     /* it will be started anew, or is being removed */
	CHILD_STARTING, /* it has not said IPC_READY */
	CHILD_SERVING,
};

struct child {
	TAILQ_ENTRY(child) link;
	struct parent *parent;
	enum ipc_role role;
	uint16_t index;
	enum child_state state;
	pid_t pid;
	struct ipc_chan *chan; /* NULL: down, or its end has gone */
	ev_child died;
	ev_timer again;
	uint64_t started;  /* clock_ms() */
	unsigned failures; /* in a row */
	unsigned root;     /* a store: the mail root that it was started in */

	/* A store of a user's own uid: not restarted, ended when idle. */
	bool of_uid;
	bool leaving;        /* it has been told to end */
	bool is_stale;       /* its settings are no more those that hold */
	bool replaced;       /* another one has its place */
	uint32_t asked;      /* of answers.c: not answered yet; 0: none */
	uint32_t prepared;   /* the reload whose settings it was told */
	unsigned unanswered; /* IPC_PING in a row */
	/* It has answered since somebody asked for the status, with: */
	bool heard;
	uint32_t sessions;
	uint64_t idle_told; /* clock_ms(), when auth heard of its idleness */
	struct owner owner; /* whom it runs as */
	/* Another user's, that is started when this one has ended; AUTH_NO_UID:
	 * none. */
	struct owner next;
};

/* Adds a process that is not started yet.  NULL: memory. */
struct child *child_new(struct parent *p, enum ipc_role role, uint16_t index);
/* The one that has that place; NULL: there is none. */
struct child *child_find(struct parent *p, enum ipc_role role, uint16_t index);
void child_remove(struct child *c); /* frees it; it must be down */

/* Can mail not be served without it? */
bool child_is_needed(const struct child *c);

void child_kill(struct child *c); /* unless it is down */
/* Do connections from outside arrive there? */
bool role_accepts(enum ipc_role role);
/* "worker", "auth" ... */
const char *child_name(const struct child *c);

#endif

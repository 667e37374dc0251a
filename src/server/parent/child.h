/*
 * child.h - one process of ours: started, connected to the others, restarted.
 */
#ifndef SERVER_PARENT_CHILD_H
#define SERVER_PARENT_CHILD_H

#include "server/ipc/ipc.h"
#include "server/ipc/proto.h"
#include "server/parent/parent.h"

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

	/* A store of a user's own uid: not restarted, ended when idle. */
	bool of_uid;
	bool leaving; /* it has been told to end */
	uint32_t uid, gid;
};

/* Adds a process that is not started yet.  NULL: memory. */
struct child *child_new(struct parent *p, enum ipc_role role, uint16_t index);
struct child *child_find(
    struct parent *p, enum ipc_role role, uint16_t index); /* or NULL */
void child_remove(struct child *c); /* frees it; it must be down */

/* Starts it, tells it its settings, and connects it with all others.  When
 * that fails it is down, and nothing will start it. */
enum err child_start(struct child *c, struct errbuf *eb) NODISCARD;
/* Starts it, and again after a pause if that fails. */
void child_keep(struct child *c);

/* Gives each of two processes one end of a new channel. */
enum err child_connect(
    struct child *a, struct child *b, struct errbuf *eb) NODISCARD;

/* It shall finish within ms; auth ends at once. */
void child_stop(struct child *c, uint32_t ms);
void child_kill(struct child *c);

const char *child_name(enum ipc_role role);

/* What each kind of process may say to the parent: parent_messages.c. */
extern const struct ipc_rules child_rules[];

#endif

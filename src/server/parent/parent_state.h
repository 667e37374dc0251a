/*
 * parent_state.h - what the files of the parent share.  From the lowest up, each
 * using only those before it:
 *
 *	name_key.c	the key of what is made up about nobody
 *	known_roots.c, mail_root.c	is the mail where it was
 *	child.c		one process and where it stands
 *	child_tell.c	what a process is told
 *	cut.c		two processes that are without each other for a while
 *	phase.c		starting, serving, stopping, ending
 *	child_start.c	starting a process, and again when it has died
 *	unix_socket.c	sockets with a name in the file system
 *	service_sockets.c	those at which other programs ask who signs in
 *	control_client.c	who asks at the control socket
 *	control_status.c, control_inquiry.c, control_auth.c,
 *	control_maildrop.c, control_sessions.c	what they ask
 *	traces.c	what one user's sessions say, in a file
 *	control_socket.c	the socket, and the table of commands
 *	uid_store.c	stores of users' own uids, which come and go
 *	upgrades.c	stored passwords by another scheme
 *	parent_messages.c	what processes say
 *	watchdog.c	processes whose loop does not turn
 *	parent.c	ports, signals, keys
 */
#ifndef SERVER_PARENT_PARENT_STATE_H
#define SERVER_PARENT_PARENT_STATE_H

#include <ev.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/conf/conf.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/control.h"
#include "server/ipc/ipc.h"
#include "server/parent/mail_root.h"
#include "server/parent/unix_socket.h"
#include "server/parent/users_watch.h"

struct child;
struct control_client;
struct cut;
struct trace;

enum parent_phase {
	PARENT_STARTING, /* some process is not ready for the first time */
	PARENT_SERVING,
	PARENT_STOPPING, /* sessions may finish */
	PARENT_ENDING,   /* stores and auth may finish */
};

/* Tickets are made with the first and taken with any: a client may resume for
 * the time of two rotations. */
enum { TICKET_KEY = 80, TICKET_KEYS = 3 };

/* Hashes to be written, and the process that does it: upgrades.c. */
struct upgrades {
	struct upgrade_conf conf; /* the rows that wait */
	ev_child died;
	ev_timer pause;
	struct ipc_chan *chan; /* to the process, or NULL */
};

struct parent {
	struct ev_loop *loop;
	struct conf *conf;
	struct conf_env env;
	enum parent_phase phase;
	int status;       /* to exit with */
	uint64_t started; /* clock_ms() */
	TAILQ_HEAD(child_list, child) children;
	/* What a process of each role may say: parent_messages.c. */
	const struct ipc_rules *rules;
	LIST_HEAD(, cut) cuts;
	uint16_t next_uid_store; /* see uid_store.c */

	int socket[WORKERS_MAX][LISTENERS_MAX];
	unsigned n_sockets;  /* of each worker */
	unsigned n_services; /* whose sockets are open */
	struct control_listener listening[LISTENERS_MAX]; /* what they are */
	struct addrcount counts;
	uint8_t tickets[TICKET_KEYS][TICKET_KEY];
	unsigned n_tickets;
	struct users_watch users, apps;
	char apps_path[PATH_MAX]; /* the database of app passwords */
	struct upgrades upgrades;
	struct mail_root root;
	struct unix_made service_made[SERVICES_MAX], control_made;
	ev_io control; /* the control socket; fd -1: there is none */
	TAILQ_HEAD(, control_client) clients;
	unsigned n_clients;
	LIST_HEAD(, trace) traces; /* traces.c */
	uint32_t last_trace;

	ev_signal sigterm, sigint, sighup;
	ev_timer rotate, deadline, look, round, watchdog;
	bool killed; /* phase.c: those that were late at the deadline */
	ev_prepare flush;
};

#endif

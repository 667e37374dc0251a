/*
 * parent.h - the parent: owns ports, keys and the log; starts, watches and
 * restarts the other processes.  It parses nothing that comes from the network.
 */
#ifndef SERVER_PARENT_PARENT_H
#define SERVER_PARENT_PARENT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/conf/conf.h"
#include "server/ipc/addrcount.h"
#include "server/parent/users_watch.h"

struct child;

enum parent_phase {
	PARENT_STARTING, /* some process is not ready for the first time */
	PARENT_SERVING,
	PARENT_STOPPING, /* sessions may finish */
	PARENT_ENDING,   /* stores and auth may finish */
};

/* Tickets are made with the first and taken with any: a client may resume for
 * the time of two rotations. */
enum { TICKET_KEY = 80, TICKET_KEYS = 3 };

struct parent {
	struct ev_loop *loop;
	struct conf *conf;
	struct conf_env env;
	enum parent_phase phase;
	int status; /* to exit with */
	TAILQ_HEAD(child_list, child) children;
	uint16_t next_uid_store; /* see uid_store.c */

	int socket[WORKERS_MAX][LISTENERS_MAX];
	unsigned n_sockets; /* of each worker */
	int counts_fd;
	struct addrcount counts;
	uint8_t tickets[TICKET_KEYS][TICKET_KEY];
	unsigned n_tickets;
	struct users_watch users;

	ev_signal sigterm, sigint, sighup;
	ev_timer rotate, deadline;
	ev_prepare flush;
};

/* Serves until it is told to stop; returns the status to exit with. */
int parent_run(struct conf *conf, const struct conf_env *env);

/* ---- for the files of the parent ---- */

/* A process says that it serves; one has died and is not to be restarted. */
void parent_ready(struct parent *p);
void parent_child_gone(struct parent *p);
/* Ends all processes and then the parent. */
void parent_give_up(struct parent *p, int status);

/* Sends auth the users file, or, unless `anew`, that it has not changed. */
void parent_send_users(struct parent *p, struct child *auth, bool anew);
void parent_send_tickets(struct parent *p, struct child *worker);

#endif

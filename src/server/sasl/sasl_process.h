/*
 * sasl_process.h - what the files of the process share.  From the lowest up:
 *
 *	mta.c		the protocol, without I/O
 *	mta_ask.c	sign-ins, and what auth is asked about them
 *	mta_conn.c	connections
 *	sasl_role.c	what auth says; the process
 */
#ifndef SERVER_SASL_SASL_PROCESS_H
#define SERVER_SASL_SASL_PROCESS_H

#include <ev.h>
#include <sys/queue.h>

#include "server/conf/sasl_conf.h"
#include "server/sasl/mta.h"

enum {
	CONNS_MAX = 1024,    /* then the next ones wait to be accepted */
	SIGN_INS_MAX = 4096, /* at a time, of all connections */
};

struct mta_conn;

/* A sign-in; its number has its place in the low bits, as auth has it. */
struct mta_slot {
	uint64_t sid;
	struct mta_conn *conn; /* NULL: it is free */
};

/* Where programs ask. */
struct service {
	struct sasl_process *process;
	uint8_t index;
	struct mta_policy policy;
	ev_io accept;
};

struct sasl_process {
	struct role role; /* first: see role.h */
	struct sasl_conf conf;
	struct ev_loop *loop;
	struct ipc_chan *auth;    /* or NULL */
	char offered[SERVED_MAX]; /* what auth has said that it serves */
	struct service service[SERVICES_MAX];
	LIST_HEAD(, mta_conn) conns;
	unsigned n_conns;
	uint32_t connection; /* the number of the last one */
	bool is_accepting;
	ev_timer look; /* for who takes too long, or to accept again */

	struct mta_slot slot[SIGN_INS_MAX];
	uint16_t free_slot[SIGN_INS_MAX];
	unsigned n_free;
	uint64_t serial;
};

#endif

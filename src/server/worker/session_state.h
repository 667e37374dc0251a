/*
 * session_state.h - the state of a session, shared by its files.
 *
 * What one file alone needs is a struct of that file, made when it is first
 * used: an idle session has none of them.
 */
#ifndef SERVER_WORKER_SESSION_STATE_H
#define SERVER_WORKER_SESSION_STATE_H

#include <ev.h>

#include "base/clock.h"
#include "net/addr.h"
#include "net/conn.h"
#include "pop3/kpop_server.h"
#include "pop3/server.h"
#include "server/worker/worker_state.h"

enum wait {
	WAIT_NOTHING,
	WAIT_PROXY,   /* what a proxy says before its client */
	WAIT_TLS,     /* a handshake */
	WAIT_CLIENT,  /* a command */
	WAIT_ROOM,    /* the client to take what is in the buffer */
	WAIT_SIGN_IN, /* auth, or the store that it told */
	WAIT_INDEX,   /* the store, to open the index */
	WAIT_MESSAGE, /* the store, to open messages */
	WAIT_COMMIT,
	WAIT_DISK,
	WAIT_QUEUE,  /* the channel to auth or to the store is full */
	WAIT_CLOSES, /* files to be closed, before there are more */
	WAIT_DRAIN,  /* the last octets are on their way */
	WAIT_LINGER, /* the client to close its side */
};

/* How a piece of work has come out. */
enum go {
	GO_ON,   /* it is done */
	GO_WAIT, /* do it again when that has come which s->wait says */
	GO_FAIL, /* it cannot be done; the session goes on */
	GO_END,  /* the session ends: see session_over() */
};

/* Among the connections of its address; a proxy's own is not. */
struct admission {
	uint16_t counter;
	bool is_counted;
};

struct session {
	struct worker *worker;
	const struct listener *listener;
	uint64_t sid;
	struct conn conn;
	struct buf in, out;
	struct pop3_server pop3;
	struct kpop_server *kpop; /* NULL: not at such a listener */
	struct proxied *proxied;  /* NULL: not by a proxy */
	enum pop3_want doing;
	enum wait wait;
	const char *why; /* it ends: a word for the log, static */

	/* Of session.c. */
	bool ended;
	struct admission admission;
	TAILQ_ENTRY(session) link; /* among the dead */
	ev_io io;
	ev_timer timer;
	uint64_t timer_at; /* when it fires, clock_ms() */

	/* The maildrop, once it is open. */
	struct store_link *store; /* that holds it for us */
	uint32_t owner; /* a number of the file system that may wait, or of the
	                 * user's own store, which others seldom have; 0:
	                 * neither: see base/pool.h */
	char *user;     /* or who was claimed last; NULL: nobody yet */
	bool signed_in;
	uint8_t *seen; /* messages that were sent whole, for mark_seen */
	uint32_t count, removed, left_out;
	struct { /* the last message whose size was said */
		uint32_t msgno;
		uint64_t wire;
	} sized;

	struct {
		const char *method;
		uint32_t auth;  /* which one has begun it */
		uint64_t token; /* whoever answers for a store shows it */
		bool is_open;   /* auth is to hear when it is over */
	} sign_in;
	struct lookup *lookup;       /* of lookup.c; NULL: not used yet */
	size_t looked;               /* of the same: in this turn */
	struct retrieval *retrieval; /* of retrieve.c; the same */
	struct dialogue *dialogue;   /* of traced.c; NULL: nobody looks */
	struct read_job *disk;       /* of io.c: under way, ready, or used */

	/* For deadlines and the log. */
	char peer[ADDR_TEXT];
	/* clock_ms(): when the session began, when a command was last taken,
	 * when octets were last sent, when octets last came. */
	uint64_t started, active, progress, heard;
	uint64_t octets_in, octets_out;
};

/* WAIT_QUEUE or WAIT_CLOSES: the same again in a moment. */
static inline enum go
session_again(struct session *s, enum wait wait)
{
	s->progress = clock_ms();
	s->wait = wait;
	return GO_WAIT;
}

/* For what finds that the session cannot go on.  The loop in session.c ends
 * it; the first reason that was given is logged. */
static inline enum go
session_over(struct session *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return GO_END;
}

#endif

/*
 * session.h - one client: octets in, octets out, and everything between.
 *
 * The protocol is pop3/server.h, which asks; here it is given what it asks
 * for: sign-ins from auth, maildrops and messages from a store, octets from
 * files and sockets.  Nothing here waits: each wait has an event that ends it
 * and a deadline.
 *
 * Internal to the pop3 process.
 */
#ifndef SERVER_WORKER_SESSION_H
#define SERVER_WORKER_SESSION_H

#include "net/addr.h"
#include "net/conn.h"
#include "pop3/server.h"
#include "pop3/wire.h"
#include "server/ipc/index.h"
#include "server/ipc/proto.h"
#include "server/worker/reader.h"
#include "server/worker/worker_process.h"

enum wait {
	WAIT_NOTHING,
	WAIT_TLS,     /* a handshake */
	WAIT_CLIENT,  /* a command */
	WAIT_ROOM,    /* the client to take what is in the buffer */
	WAIT_SIGN_IN, /* auth, or the store that it told */
	WAIT_INDEX,   /* the store, to open the index */
	WAIT_MESSAGE, /* the store, to open messages */
	WAIT_COMMIT,
	WAIT_DISK,
	WAIT_QUEUE,  /* the channel to auth or to the store is full */
	WAIT_DRAIN,  /* the last octets are on their way */
	WAIT_LINGER, /* the client to close its side */
};

/* What a step of work ends with. */
enum go {
	GO_ON,   /* it is done: take the next command */
	GO_WAIT, /* s->wait says for what */
	GO_END,  /* the session has been ended */
};

/* A message that the store opened for us. */
struct fetched {
	uint32_t msgno;
	enum fetch_status status;
	int fd; /* FETCH_OK; ours */
	uint64_t off, stored, wire;
};

/* Messages ahead of the client, in order. */
enum { WINDOW_MIN = 2, WINDOW_MAX = 32 };
struct window {
	struct fetched ahead[2 * WINDOW_MAX];
	unsigned n, first; /* ahead[first..n) are unused yet */
	unsigned size;     /* how many are asked for at a time */
	uint32_t expected; /* message after the last one that was taken */
	uint32_t asked_to; /* the last one that was asked for */
	bool asked;        /* an answer is due */
};

/* A multi-line reply that is being sent. */
struct pump {
	bool begun;
	/* A message: */
	struct fetched msg;
	struct pop3_wire wire;
	uint64_t sent; /* octets of the file */
	/* A listing: */
	uint32_t next; /* the message whose line comes next */
	/* One line of it: */
	struct index_record record;
};

/* The index of the maildrop. */
struct view {
	int fd;      /* -1: not there yet */
	bool failed; /* the store cannot give it */
	bool broken; /* which was said */
	uint64_t end;
	struct index_block block; /* the last one that was looked up */
};

struct session {
	struct worker *worker;
	const struct listener *listener;
	TAILQ_ENTRY(session) link; /* among those that hold, or are dead */
	ev_io io;
	ev_timer timer;
	uint64_t timer_at; /* when it fires, clock_ms() */
	struct conn conn;
	struct buf in, out;
	struct pop3_server pop3;
	enum pop3_want doing;
	enum wait wait;
	bool ended, holds;

	uint64_t sid;
	struct store_link *store; /* that holds the maildrop for us */
	char *user;
	uint8_t *seen; /* messages that were sent whole, for mark_seen */
	struct window *window;
	struct pump pump;
	struct view *view;   /* once it was asked for */
	uint32_t last_msgno; /* whose size is known: */
	uint64_t last_wire;
	struct read_job *disk; /* under way, ready, or used by now */
	enum { DISK_ASKED, DISK_READY, DISK_USED } disk_state;

	char peer[ADDR_TEXT];
	uint16_t counter; /* of its address */
	const char *method;
	uint32_t auth; /* which one has begun the sign-in */
	const char *why;
	uint64_t started, active, progress; /* clock_ms() */
	uint64_t octets_in, octets_out;
	uint32_t count, removed;
};

/* Takes fd.  A client that cannot be served is told so and closed. */
void session_new(struct worker *w, int fd, const struct sockaddr_storage *addr,
    const struct listener *l);

/* NULL if the session with that sid is no more. */
struct session *session_find(struct worker *w, uint64_t sid);

/* Goes on with the work that s->wait was for. */
void session_go(struct session *s);

/* Closes, releases the maildrop, logs.  s stays readable until the end of the
 * turn.  why: a word for the log, static. */
void session_end(struct session *s, const char *why);
void session_free_dead(struct worker *w);

/* For pop3_policy.trace: logs the line. */
void session_trace(const struct pop3_server *p, bool reply, struct slice line);

/* Answers of other processes. */
void session_challenged(struct session *s, struct slice data);
/* arg: as of pop3_text_write(), of POP3_TEXT_IN_USE. */
void session_refused(
    struct session *s, enum sign_in_code code, const struct pop3_arg *arg);
void session_opened(struct session *s, struct store_link *store,
    const char *user, uint32_t count, uint64_t octets);
void session_committed(struct session *s, uint32_t removed, uint32_t failed);
/* A process that this session may depend on has died. */
void session_lost_auth(struct session *s);
void session_lost_store(struct session *s, const struct store_link *store);
/* True if it ended itself for the sake of another. */
bool session_yield(struct session *s, uint32_t seconds);

/* ---- between the files of a session ---- */

/* One piece of the work that s->doing says. */
enum go session_step(struct session *s);

/* To auth or to a store: a message that is only about which session. */
void session_tell(struct ipc_chan *chan, uint16_t type, uint64_t sid);

/* Lets go of the maildrop, if it has one. */
void session_release(struct session *s);

/* Tells the store that its index is wrong about a message, or (0) unreadable:
 * it will be made anew. */
void session_doubt(struct session *s, uint32_t msgno);

/* Sends what there is.  E_OK: all of it is with the kernel. */
enum err session_flush(struct session *s) NODISCARD;

/* The same when nothing will follow: under TLS its end leaves with it. */
enum err session_flush_last(struct session *s) NODISCARD;

/* Reads commands.  E_OK if something was read or there is nothing now. */
enum err session_fill(struct session *s) NODISCARD;

/* Octets of a file: at least one, or all `len` if `whole`.  GO_ON: they are
 * at *p_r, borrowed until the next call.  GO_WAIT: call again later with the
 * same arguments.  GO_END: it cannot be read, and nothing was done. */
enum go session_read(struct session *s, int fd, uint64_t off, size_t len,
    bool whole, const char **p_r, size_t *n_r);

/* The same at once, or not: true if all of it was in memory, and is at `to`. */
bool session_read_now(int fd, uint64_t off, size_t len, char *to);

/* Appends to what is sent, or sends at once where that spares a copy. */
enum err session_send(struct session *s, const char *p, size_t n) NODISCARD;

/* Sends at once what the connection takes, *took_r octets; s->out is not
 * looked at. */
enum err session_offer(
    struct session *s, const char *p, size_t n, size_t *took_r) NODISCARD;

/* RETR and TOP. */
enum go retrieve_go(struct session *s);
enum err retrieve_fetched(struct session *s, struct ipc_in *in) NODISCARD;
void retrieve_release(struct session *s); /* closes what is held ahead */
void retrieve_close(struct session *s);   /* all */

/* LIST, UIDL, and the size of one message. */
enum go lookup_entry(struct session *s);
enum go lookup_listing(struct session *s);
void lookup_close(struct session *s);

#endif

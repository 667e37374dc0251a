/*
 * worker_state.h - the state of a worker, shared by its files.
 */
#ifndef SERVER_WORKER_WORKER_STATE_H
#define SERVER_WORKER_WORKER_STATE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/burst.h"
#include "net/cidr.h"
#include "pop3/server.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/ipc.h"
#include "server/ipc/proto.h"
#include "server/worker/worker.h"

typedef struct ssl_ctx_st SSL_CTX;
struct pool;
struct read_job;
struct session;
struct worker;

/* A store process, by its index. */
struct store_link {
	struct worker *worker;
	struct ipc_chan *chan; /* NULL: not there now */
	uint16_t index;
};

struct nets {
	struct cidr *net;
	size_t n;
};

struct listener {
	struct worker *worker;
	struct serving *serving; /* that it is of */
	ev_io accept;
	unsigned turn, at_once, in_row; /* see on_accept() */
	struct pop3_policy policy;
	struct pop3_mechanism *mechanisms;
	struct nets allow, deny; /* who is served */
	struct nets proxies;     /* who says whose connection it is */
	enum listen_proxy proxy; /* and how */
	bool secured, local;     /* as of listen_conf */
	bool apop;               /* it is to be offered, if it can be served */
	bool client_certificates;
	bool kpop, plaintext_gssapi, same_user;
	enum listen_tls tls;
	SSL_CTX *context; /* NULL: it has no TLS, or certificates are to come */
	size_t in_max;    /* octets that wait to be taken */
};

/* What a session is served by from its first octet to its last: the settings as
 * they were when it began.  A reload makes another; this one is freed when the
 * last of its sessions has ended. */
struct serving {
	struct worker_conf conf; /* without the certificate and its key */
	struct listener listener[LISTENERS_MAX];
	struct pop3_languages languages;
	const char *words; /* of these: memory that all workers share */
	size_t n_words;
	bool has_tls; /* all certificates have come */
	uint32_t n_sessions;
};

/* What auth has said last about what it can serve: IPC_SERVED. */
struct offer {
	char names[SERVED_MAX];
	uint32_t retention, login_delay;
	bool retention_differs, login_delay_differs;
};

TAILQ_HEAD(session_list, session);
TAILQ_HEAD(retrieval_list, retrieval);

enum {
	/* A reply buffer is sent when it holds as much. */
	OUT_MARK = 64 * 1024,
	/* The same before sign-in: a stranger who sends commands and reads
	 * nothing makes the server keep no more. */
	OUT_MARK_STRANGER = 2 * 1024,
	/* Messages are read in such pieces. */
	PIECE = 64 * 1024,
	/* What a reply buffer holds at most: it was below the mark, and a
	 * piece came that is all dots, or a section of the index. */
	OUT_MAX = OUT_MARK + 2 * PIECE + 4096,
	/* Files are read in such pieces; holds any section of the index, and
	 * the lines of several blocks. */
	SCRATCH = 256 * 1024,
	SID_SLOT_BITS = 20, /* of a sid: which session; the rest is a serial */
};

struct traced {
	uint32_t number; /* of the trace, not 0 */
	bool octets;
	char user[NAME_MAX_OCTETS + 1];
};

enum { TOKENS = 64 };

struct worker {
	struct role role; /* first: see role.h */
	struct ev_loop *loop;
	struct worker_conf conf; /* for what is not of one session */
	struct serving *serving; /* those who come now */
	struct serving *next;    /* those who come after IPC_SETTINGS_USE */
	struct offer offer;
	struct client_ca *client_ca; /* NULL: nobody is asked */
	bool accepting;
	bool served; /* auth has said what can be offered */
	struct ipc_chan *auth;
	uint32_t auths;          /* how many there have been */
	uint64_t apop_half;      /* auth's half of APOP's timestamps */
	uint64_t tokens[TOKENS]; /* of sign-ins to come: worker_tell.c */
	unsigned n_tokens;
	struct store_link **stores; /* by index; NULL: never heard of */
	size_t n_stores;
	struct pool *readers; /* threads that read from disks, and then call */
	void (*read_done)(struct read_job *job); /* this on the loop */
	/* For the listeners of a serving: a connection has come; and what their
	 * policy calls. */
	void (*on_accept)(struct ev_loop *loop, ev_io *io, int revents);
	void (*needs_tls)(
	    const struct pop3_server *p, const char *method, struct slice name);
	void (*trace)(
	    const struct pop3_server *p, bool reply, struct slice line);
	struct addrcount counts;
	int uids; /* asks whose a connection is (net/peer_uid.h); or -1 */
	bool has_asked_uids; /* for it: a listener has wanted it */
	uid_t own;

	struct session **slots;
	uint32_t *free_slots;
	uint32_t n_slots, n_free, n_sessions;
	uint64_t serial;
	struct session_list dead; /* freed at the end of the turn */
	/* Who holds descriptors of messages, still for longest first. */
	struct retrieval_list holding;
	unsigned fds_held, fds_max;

	/* Users whose sessions are traced: traced.c. */
	struct traced traced[TRACES_MAX];
	unsigned n_traced;

	/* Connections that are not served: by the networks, by limits. */
	struct burst denied, turned_away;
	ev_timer resume_accept, stop;
	bool stopping;
	char scratch[SCRATCH];
	/* Lent to the session whose turn it is. */
	char out[OUT_MAX], sealed[OUT_MAX];
};

#endif

/*
 * session_impl.h - what the parts of a session share.
 *
 *	session.c           life, steps, the result
 *	line.c        the socket, TLS, deadlines
 *	capa.c      capabilities, STLS
 *	sign_in.c   the secret, the choice of a sign-in
 *	listing.c   STAT, LIST, UIDL, TOP: what is to be done
 *	ask.c       RETR, DELE: what is asked for
 *	retrieve.c  RETR, DELE: what comes
 *	fence.c     which answer is whose
 *	items.c     batches, what is put on record, the end
 *	trouble.c   messages that could not be had
 */
#ifndef CLIENT_SESSION_SESSION_IMPL_H
#define CLIENT_SESSION_SESSION_IMPL_H

#include <ev.h>

#include "client/secret/secret.h"
#include "client/session/session.h"
#include "net/conn.h"
#include "net/tls_client.h"
#include "pop3/client.h"
#include "sasl/sasl.h"

struct session;

/* A row of the way.  `take` is given every event but MORE and BROKEN. */
struct step {
	const char *name;
	unsigned patience; /* how many times the account's timeout */
	void (*enter)(struct session *s);
	void (*take)(struct session *s, const struct pop3_event *ev);
	void (*writable)(struct session *s); /* commands can be sent; or NULL */
};

extern const struct step step_secret, step_dial, step_handshake, step_greeting,
    step_capa, step_stls, step_sign_in, step_recapa, step_listing, step_headers,
    step_retrieve, step_quit, step_save, step_over;

/* How far a listed message has come. */
enum progress {
	ITEM_IDLE,   /* nothing to do, or not yet */
	ITEM_TOP,    /* its header is asked for */
	ITEM_RETR,   /* asked for */
	ITEM_HELD,   /* message or header is complete; see fence.c */
	ITEM_WAITS,  /* in the batch, or being stored */
	ITEM_DELETE, /* DELE is to be sent */
	ITEM_DELE,   /* sent */
	ITEM_DONE,
};

struct item {
	enum progress progress;
	bool alone;     /* to be asked for with nothing else outstanding */
	bool pipelined; /* something else was outstanding */
	bool refused;   /* when it was asked for before */
	bool troubled;  /* that was counted for this session */
	bool last;     /* it has made trouble: the others are asked for first */
	bool is_fresh; /* stored in this session */
	bool dele_ok;
	uint64_t octets; /* that came when it was asked for before */
	size_t
	    message; /* index into the record's `fresh`, or into the plan's `known` */
};

/* An answer that has come, but may be another message's. */
struct held {
	enum { HELD_MESSAGE, HELD_HEADER, HELD_REFUSAL } kind;
	size_t item;
	struct parcel *parcel;    /* of a message, complete; else NULL */
	struct identity identity; /* of a header */
	uint64_t octets;
};

enum { HELD_MAX = 64 };

struct session {
	struct session_conf conf;
	struct record *record;
	struct session_result result;
	const struct step *step;
	bool stopping, over;
	char broken[256]; /* why there is no line any more; or empty */

	/* The line. */
	struct dial *dial;
	struct conn conn; /* fd -1: none */
	SSL_CTX *tls;
	bool tls_on;
	bool looking;  /* within session_look() */
	bool entering; /* the step's `enter` is still to be called */
	ev_io reading, writing;
	ev_timer deadline, limit, idle, doubt;
	struct buf in, out;
	struct pop3_client pop3;
	bool pipelining, was_pipelined;

	/* Sign-in. */
	struct secret *secret;
	char *password; /* or token; wiped */
	size_t password_n;
	struct sasl_client *sasl;
	struct sasl_credentials credentials;
	struct tls_binding binding;
	bool deferred;
	struct buf answer;
	const char *method; /* of the sign-in */

	/* The listing, sorted by number. */
	struct listed *listed;
	size_t n_listed, listed_room;
	uint32_t stat_count;
	bool stat_odd, list_ok, uidl_ok, list_done, uidl_done;
	size_t n_unlisted; /* that STAT alone has, and are not asked for */
	bool unsized;      /* LIST does not say the size of some */
	bool top_refused;  /* though the server has it */
	struct plan *plan;
	struct identity_reader *identity;

	/* What is done about it; lists of indices into `items`. */
	struct item *items; /* beside plan->v */
	size_t next;        /* item to be looked at */
	size_t *alone, n_alone, next_alone;
	size_t *delete, n_delete, next_delete; /* DELE is due */
	size_t *unsaved, n_unsaved;            /* due once that is on record */
	size_t n_saving;    /* of these, so many are about to be */
	uint64_t in_flight; /* octets that were asked for and have not come */
	uint32_t n_asked;   /* messages that are not told apart yet */
	bool enough;        /* nothing more is asked for */
	uint32_t n_wanted;  /* messages that the plan wants */
	bool scouting;      /* one at a time: will the destination take any? */
	unsigned refusals;  /* of it, in a row, that are new */
	uint64_t octets_seen;
	uint64_t came;         /* of the message or header that is coming */
	char first[4];         /* octets of the message */
	struct parcel *parcel; /* being written */

	/* What is held until a fence is answered, and the items that were asked
	 * for since the last one was sent. */
	struct held held[HELD_MAX];
	size_t since[HELD_MAX];
	size_t n_held, n_since;
	uint64_t since_octets;
	double since_at;
	bool size_odd;     /* one has come whose size is not the listed one */
	uint32_t n_fences; /* that are not answered yet */
	bool in_step;      /* one was, as it should */
	size_t coming;     /* item: what is inside of an answer is its */
	bool probed;       /* whether that has ended */

	/* Complete, to be stored; being stored; stored. */
	struct parcel **batch;
	size_t *batch_item;
	size_t n_batch, batch_room;
	uint64_t batch_octets, stored_octets;
	double batch_since;
	size_t *store_item;

	struct storer_job store, save, try;
	bool storing, saving, trying, last_save, quit_ok;

	/* The first message that could not be had or delivered in this session,
	 * and why. */
	size_t failed;
	char failed_why[STATE_WORDS];
	bool refused; /* by the destination */
};

/* ---- session.c ---- */

void session_enter(struct session *s, const struct step *step);
/* The first failure is the one that counts. */
void session_fail(struct session *s, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);
void session_memory(struct session *s);
/* What a server said, fit to be shown; good until the next call. */
const char *session_quote(struct slice text);
/* The outcome that a refusal stands for, with the server's words. */
void session_refused(
    struct session *s, const struct pop3_event *ev, const char *what);
/* Closes the line and goes to saving what is known. */
void session_finish(struct session *s);
/* Fails and finishes. */
void session_end(struct session *s, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);
/* The same, as the line is lost or not to be trusted: what was awaited on it may
 * have been the reason. */
void session_break(struct session *s, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);

/* ---- line.c ---- */

void session_connected(void *arg, enum err e, int fd, const char *words);
void session_start_tls(struct session *s);
/* Sends what can be sent now; sets the deadline anew. */
void session_flush(struct session *s);
/* Looks at what has come. */
void session_look(struct session *s);
void session_deadline(struct session *s);
void session_close(struct session *s);
void session_io_init(struct session *s);

/* E_OK or the session has failed. */
bool session_sent(struct session *s, enum err e);

/* ---- sign_in.c ---- */

/* Wipes what sign-in needed; nobody is asked for it any more. */
void session_forget_secret(struct session *s);

/* ---- listing.c ---- */

size_t session_find(const struct session *s, uint32_t msgno); /* SIZE_MAX */

/* ---- ask.c ---- */

/* For so many octets; false: it has failed, but may go on. */
bool session_has_space(struct session *s, uint64_t octets);

/* ---- retrieve.c ---- */

void session_take_retrieve(struct session *s, const struct pop3_event *ev);

/* A message was told apart from its neighbours: only now it counts.  apart: the
 * fence was for it alone. */
void session_take_told(struct session *s, const struct held *h, bool apart);

/* ---- fence.c ---- */

/* Sends a command that is answered with what is known of a message: the last one
 * that was asked for since the last fence, or item i.  False, here and below: the
 * session has failed. */
bool session_fence(struct session *s, size_t i);
/* Before item i is asked for. */
bool session_fence_is_due(const struct session *s, size_t i);
/* The last that was asked for is to have nothing else outstanding. */
bool session_is_alone(const struct session *s);
/* RETR or TOP was sent. */
void session_asked(struct session *s, size_t i);
/* Nothing more can be sent now: fences what was. */
bool session_fence_last(struct session *s);
/* Until the next fence is in step. */
void session_hold(struct session *s, const struct held *h);
void session_drop_held(struct session *s);
/* True: it was a fence's. */
bool session_take_fence(struct session *s, const struct pop3_event *ev);
bool session_is_distrusted(const struct session *s);
/* The server was found to mix up its answers: one at a time from now on. */
void session_distrust(struct session *s);
/* The same, and the line is of no use any more; why: NULL, or what was no POP3. */
void session_out_of_step(struct session *s, const char *why);
/* The line is lost: some servers cannot bear the fence. */
void session_fence_lost(struct session *s);
/* Looks whether what is coming may have ended; to be called when all that has
 * come was looked at. */
void session_doubt(struct session *s);
void session_doubt_init(struct session *s);

/* ---- items.c ---- */

/* Writes what has changed; false: nothing has. */
bool session_save(struct session *s, bool finally);
/* What is in `unsaved` may be deleted now. */
void session_delete_unsaved(struct session *s);
/* A parcel that is complete; false: memory. */
bool session_store_add(struct session *s, size_t i, struct parcel *p) NODISCARD;
void session_store(struct session *s); /* what is complete, unless busy */
bool session_store_is_due(const struct session *s);
bool session_store_is_long(const struct session *s); /* ask for no more yet */
/* Begins to try the destination; nothing is asked for until that is over. */
void session_try(struct session *s);
/* The destination takes nothing: not one octet more. */
void session_destination_failed(struct session *s, enum err e, const char *why);
/* Room for what will be done about the listing. */
bool session_items_new(struct session *s) NODISCARD;
void session_items_free(struct session *s);

/* ---- trouble.c ---- */

/* breaks: it may have been the reason why the line was lost.  False: it was in
 * trouble before. */
bool session_trouble(struct session *s, size_t i, bool breaks, const char *why);
bool session_is_troubled(const struct session *s, const struct listed *l);
void session_trouble_clear(struct session *s, size_t i);
/* Those that are not listed any more trouble nobody. */
void session_troubles_prune(struct session *s);
/* Fails if there are some; says which, and since when. */
void session_troubles_report(struct session *s);
/* A message that may have broken a session gets one of its own, at each run at
 * first, later once a day.  In the others not even its header is asked for. */
bool session_is_shunned(struct session *s, const struct listed *l);
/* May it be collected in this session? */
bool session_is_for_now(struct session *s, const struct listed *l);

#endif

/*
 * core.h - what all parts of a session share: its way through the steps, the
 * dialogue, and how it ends.
 */
#ifndef CLIENT_SESSION_CORE_H
#define CLIENT_SESSION_CORE_H

#include "client/secret/secret.h"
#include "client/session/line.h"
#include "client/session/session.h"
#include "pop3/client.h"
#include "sasl/sasl.h"

/* In the order in which a session takes them; the table is in session.c. */
enum step {
	STEP_SECRET,
	STEP_DIAL,
	STEP_HANDSHAKE,
	STEP_GREETING,
	STEP_CAPA,
	STEP_STLS,
	STEP_SIGN_IN,
	STEP_RECAPA,
	STEP_LISTING,
	STEP_HEADERS,
	STEP_RETRIEVE,
	STEP_QUIT,
	STEP_SAVE,
	STEP_OVER,
	STEPS
};

/* All but the name may be NULL or 0. */
struct step_row {
	const char *name;
	unsigned patience; /* how many times the account's timeout; 0: as long
	                    * as it takes */
	void (*enter)(struct session *s);
	/* Is given every event but MORE and BROKEN. */
	void (*take)(struct session *s, const struct pop3_event *ev);
	/* All that has come was looked at: more commands can be sent. */
	void (*writable)(struct session *s);
	/* Another step is taken; also called if `enter` has not been yet. */
	void (*leave)(struct session *s, enum step next);
};

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
	bool apart; /* told apart by a fence for it alone */
};

enum { HELD_MAX = 64 };

struct session {
	struct session_conf conf;
	struct record *record;
	struct session_result result;
	char broken[256]; /* why there is no line any more; or empty */

	/* The way. */
	const struct step_row *steps;
	enum step step;
	bool entering; /* the step's `enter` is still to be called */
	bool looking;  /* within session_look() */
	bool stopping;

	/* The dialogue. */
	struct line line;
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
	size_t next_told, n_told; /* of `held`: session_told() */
	uint64_t since_octets;
	double since_at;
	bool size_odd;     /* one has come whose size is not the listed one */
	uint32_t n_fences; /* that are not answered yet */
	bool in_step;      /* one was, as it should */
	size_t coming;     /* item: what is inside of an answer is its */
	bool probed;       /* whether that has ended */
	ev_timer doubt;

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

/* ---- the result ---- */

/* The first failure is the one that counts. */
void session_fail(struct session *s, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);
void session_memory(struct session *s);
/* What a server said, fit to be shown; good until the next call. */
const char *session_quote(struct slice text);
/* The outcome that a refusal stands for, with the server's words. */
void session_refused(
    struct session *s, const struct pop3_event *ev, const char *what);

/* ---- the way ---- */

void session_enter(struct session *s, enum step step);
/* For people. */
const char *session_step_name(const struct session *s);
/* Closes the line and goes to saving what is known. */
void session_finish(struct session *s);
/* Fails and finishes. */
void session_end(struct session *s, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);
/* The same, as the line is lost or not to be trusted: what was awaited on it may
 * have been the reason. */
void session_break(struct session *s, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);

/* ---- a server that mixes up its answers ---- */

bool session_is_distrusted(const struct session *s);
/* It was found to do so: it is asked one thing at a time from now on. */
void session_distrust(struct session *s);
/* The same, and the line is of no use any more; why: NULL, or what was no POP3. */
void session_out_of_step(struct session *s, const char *why);

/* ---- the dialogue ---- */

/* What came of a command that was to be sent; false: the session has failed. */
bool session_sent(struct session *s, enum err e);
/* Sends what can be sent now; sets the deadline anew. */
void session_flush(struct session *s);
/* Looks at what has come. */
void session_look(struct session *s);
/* The item of a listed number; SIZE_MAX: it is not listed. */
size_t session_find(const struct session *s, uint32_t msgno);
/* What a step waited for besides the line is done. */
void session_go_on(struct session *s);

#endif

/*
 * core.h - what all parts of a session share: its way through the steps, the
 * dialogue, and how it ends.
 */
#ifndef CLIENT_SESSION_CORE_H
#define CLIENT_SESSION_CORE_H

#include "client/session/budget.h"
#include "client/session/items.h"
#include "client/session/trouble.h"
#include "client/session/visit.h"
#include "net/line.h"
#include "pop3/client.h"

/* In the order in which a session takes them; the table is in visit.c. */
enum step {
	STEP_SECRET,
	STEP_DIAL,
	STEP_KPOP,
	STEP_HANDSHAKE,
	STEP_GREETING,
	STEP_CAPA,
	STEP_STLS,
	STEP_LANGUAGE,
	STEP_SIGN_IN,
	STEP_RECAPA,
	STEP_LISTING,
	STEP_UIDL, /* these two: see attempt.h */
	STEP_TOP,
	STEP_HEADERS,
	STEP_ENVELOPE,
	STEP_SHOW, /* see hand.h */
	STEP_RETRIEVE,
	STEP_VERIFY,
	STEP_DELETE,
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
	void (*enter)(struct visit *v);
	/* Is given every event but MORE and BROKEN. */
	void (*take)(struct visit *v, const struct pop3_event *ev);
	/* All that has come was looked at: more commands can be sent. */
	void (*writable)(struct visit *v);
	/* Another step is taken; also called if `enter` has not been yet. */
	void (*leave)(struct visit *v, enum step next);
};

struct arriving;
struct batch;
struct destination;
struct fences;
struct hand_work;
struct kerberos;
struct listing;
struct probe;
struct saving;
struct sign_in;
struct sorting;
struct stubs;

struct visit {
	struct visit_conf conf;
	struct record *record;
	struct visit_result result;
	char broken[256]; /* why there is no line any more; or empty */

	/* The way. */
	const struct step_row *steps;
	enum step step;
	bool entering; /* the step's `enter` is still to be called */
	bool looking;  /* within visit_look() */
	bool stopping;
	bool overdue; /* it has taken its time, and is ended */

	/* The dialogue. */
	struct line line;
	struct pop3_client pop3;
	bool pipelining;    /* commands may be sent ahead */
	bool was_pipelined; /* some were */
	bool quit_ahead;    /* QUIT was, behind the last RETR: see ask.c */
	bool quit_ok;       /* QUIT was answered */

	/* Each is its file's own; NULL before it is needed. */
	struct sign_in *sign_in;
	/* Masks the secrets of the sign-in in words; or NULL. */
	void (*mask)(const struct visit *v, char *words);
	struct probe *probe;
	struct kerberos *kerberos;
	struct listing *listing;
	struct fences *fences;
	struct batch *batch;
	struct arriving *arriving; /* NULL: nobody is notified */
	struct destination *destination;
	struct saving *saving;
	struct stubs *stubs;     /* NULL before one is made */
	struct sorting *sorting; /* NULL: there are no rules */
	struct facts *facts;     /* NULL: it collects; see notes.h */
	struct step_row *own_steps;
	struct hand_work *hand; /* NULL: it is none for the person's hand */
	size_t n_mine_held;     /* that the person has deleted here */
	bool brake_unsaved;     /* see save_brake() */

	/* What is in the maildrop. */
	uint32_t stat_count;
	size_t n_unlisted;  /* that STAT alone has, and are not asked for */
	size_t n_counted;   /* the same, and are */
	size_t n_absent;    /* of those, RETR was refused */
	bool top_refused;   /* though the server has it */
	uint32_t n_shunned; /* due for deletion, but not in this session */
	enum { TOP_UNTRIED, TOP_WORKS, TOP_FAILS } unannounced_top;
	uint32_t n_to_check, n_checked; /* headers */
	struct plan *plan;              /* NULL: it is not known yet */
	struct items items;

	/* What is asked for. */
	uint32_t n_wanted;      /* messages that the plan wants */
	uint64_t octets_wanted; /* of these, as listed */
	uint32_t n_asked;       /* that are not told apart yet */
	uint64_t in_flight;     /* octets of these that have not come */
	uint64_t octets_seen;
	uint32_t n_here;    /* that turned out to be here already */
	uint32_t n_deleted; /* DELE was answered */
	bool enough;        /* nothing more is asked for, nor kept */
	struct budget budget;

	/* The message or header that is coming. */
	uint64_t came; /* octets */
	char first[4]; /* of a message */
	struct parcel *parcel;
	struct identity_reader *identity;
	const char *env_folder; /* of the envelope that is coming */
	bool env_works;         /* one has come */

	struct failures failures;
};

/* ---- the result ---- */

/* The first failure is the one that counts. */
void visit_fail(struct visit *v, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);
/* What the person can do something about; the first one that is not CAUSE_NONE
 * counts. */
void visit_blame(struct visit *v, enum cause cause);
/* What a server said, fit to be shown; good until the next call. */
const char *visit_quote(struct slice text);
/* The code of a refusal, or the one that its words stand for. */
enum pop3_code visit_code(const struct pop3_event *ev);
/* The outcome that a refusal stands for, with the server's words.  Returns its
 * code: see visit_code(). */
enum pop3_code visit_refused(
    struct visit *v, const struct pop3_event *ev, const char *what);

/* ---- the way ---- */

/* Leaves the step for another one.  Its `enter` is called at once or, within
 * visit_look(), when all that has come was looked at. */
void visit_enter(struct visit *v, enum step step);
/* QUIT was sent, and nothing that it would delete depends on the answer, which
 * not all servers give. */
bool visit_quits_in_vain(const struct visit *v);
/* Of the step; for people. */
const char *visit_step_name(const struct visit *v);
/* Closes the line and goes to saving what is known. */
void visit_finish(struct visit *v);
/* Fails and finishes. */
void visit_end(struct visit *v, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);
void visit_memory(struct visit *v); /* for want of it */
/* The same, as the line is lost or not to be trusted: what was awaited on it
 * may have been the reason. */
void visit_break(struct visit *v, enum outcome o, const char *fmt, ...)
    PRINTF(3, 4);

/* ---- a server that mixes up its answers ---- */

bool visit_is_distrusted(const struct visit *v);
/* It was found to do so: it is asked one thing at a time from now on. */
void visit_distrust(struct visit *v);
/* The same, and the line is of no use any more; why: NULL, or what was no
 * POP3. */
void visit_out_of_step(struct visit *v, const char *why);

/* ---- a server that does not answer ---- */

/* Is that which the time in the record's account stands for left out? */
bool visit_does_without(int64_t until);
/* The line was lost while that was awaited.  Another connection tries it again;
 * if that is lost there too, the server is not asked for it any more for a day,
 * or, if that has been so before or at_once, for a month. */
void visit_lost_at(struct visit *v, int64_t *until, bool at_once);

/* ---- the dialogue ---- */

/* e: what came of appending a command.  False: that has ended the session. */
bool visit_sent(struct visit *v, enum err e);
/* Sends what can be sent now; sets the deadline anew. */
void visit_flush(struct visit *v);
/* Gives what has come to the step, and lets it send more. */
void visit_look(struct visit *v);
/* The item of a listed number; SIZE_MAX: it is not listed. */
size_t visit_find(const struct visit *v, uint32_t msgno);
/* A line to the account's server.  See line_dial(). */
enum err visit_dial(
    struct visit *v, struct line *l, struct errbuf *eb) NODISCARD;
/* What was waited for besides the line is done. */
void visit_go_on(struct visit *v);

#endif

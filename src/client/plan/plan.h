/*
 * plan.h - what to do with each message that a server lists.  No I/O.
 *
 * The record says what we have; a complete listing says what is there.  A
 * unique-id with its size says which is which, unless there is a doubt; then
 * the header is asked for (TOP), and its digest says.  Nothing is deleted that
 * is not here under that identity.
 *
 *	plan_new() .. plan_ask() .. plan_header() for each .. plan_decide()
 *	.. plan_retrieved() for each PLAN_IDENTIFY
 *	.. plan_verified() for each PLAN_VERIFY .. plan_end()
 *
 * `known` is saved where it is dirty: right after plan_decide(), before any
 * RETR or DELE (a run that ends early then finds what the headers have told),
 * and at the end.
 *
 * The brake: if so much has changed at once that it may be another maildrop, what
 * comes from now on is collected, and not deleted there.  Those messages are known
 * by their rows: each has an id that is not below `braked`, as ids only grow.  What
 * was here before may still be deleted, once a strong header of its own has shown
 * that it is that message.  The brake holds, however long that takes, until one of
 * these is true: the person accepts the change; at least half of what was here
 * before is there again; nothing is left that would be deleted.  Where all is kept
 * it never holds.
 *
 * A record that was rebuilt has THERE and SIZE_UNKNOWN: it is verified by its
 * header, once, and the brake does not count it (nobody knows whether it should
 * still be there).
 */
#ifndef CLIENT_PLAN_PLAN_H
#define CLIENT_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/message/message.h"

/* The brake wants so many that should be there, and so many unknown ones. */
enum { PLAN_BRAKE_MIN = 20, PLAN_BRAKE_UNKNOWN = 10 };

struct listed {
	uint32_t msgno;
	uint64_t size;
	bool is_listed;  /* LIST had it */
	bool is_counted; /* no list had it, STAT alone */
	bool has_size;   /* with its size */
	bool has_uid;
	struct digest uid;
};

enum plan_action {
	PLAN_LEAVE,    /* it is here; it stays there */
	PLAN_COLLECT,  /* RETR; it is new */
	PLAN_IDENTIFY, /* RETR, as TOP failed, or said what is not known while
	                * there is a record that it might be; then
	                * plan_retrieved() */
	PLAN_VERIFY,   /* it is here by its names, and due: TOP, and then
	                * plan_verified() */
	PLAN_DELETE,   /* it is here under that identity, and due: DELE */
};

struct plan_item {
	struct listed listed;
	enum plan_action action; /* after plan_decide() */
	bool ask;                /* TOP is wanted; after plan_ask() */
	ptrdiff_t message;       /* index into the record; -1: none */
	bool twin;               /* another listed one has its unique-id */
	bool answered;           /* `identity` is its header's */
	struct identity identity;

	/* The rest is the module's own. */
	bool sure;     /* its unique-id and size say so */
	bool changed;  /* the unique-id does, the size does not */
	bool uid_met;  /* a record has had the unique-id */
	bool verified; /* that header is the record's */
};

/* What may be done. */
struct plan_rules {
	int64_t now, keep; /* Unix seconds; as in the account */
	uint64_t max_size; /* what is larger is not collected */
	int64_t braked;    /* the brake of an earlier run: see struct plan */
	bool accepted;     /* the person says that the change is right */
	bool hold_mine;    /* what the person has deleted here stays there */
	/* The headers of messages that are only due for deletion are not among
	 * those of plan_ask(): new mail can be collected before them. */
	bool verify_later;
};

/* How many messages the person has deleted here, if they are at least
 * PLAN_BRAKE_MIN, and more than half of those that should be on the server: then it
 * may have been a mishap.  Else 0. */
size_t plan_mishap(const struct message *v, size_t n);

struct plan_own;

struct plan {
	struct plan_item *v;
	size_t n;
	struct message *known; /* changed by the plan: see dirty */
	bool *dirty;           /* known[i] is to be saved */
	size_t n_known;
	/* The id of the first row that came under the brake, or will; 0: there is
	 * none.  While it holds, no row becomes GONE.  It is on the disk before
	 * any such row is. */
	int64_t braked;
	bool no_uid;   /* the server has no unique-ids */
	bool misnamed; /* one to be verified has proved to be another */
	uint32_t
	    n_unsure; /* due for deletion, left as it could not be identified */
	uint32_t n_back; /* to be deleted, though they had gone before */
	struct plan_rules rules;
	struct plan_own *own;
};

/* Borrows `known` as long as there is the plan, `listed` for the call; sorts
 * nothing in them. */
enum err plan_new(struct plan **p_r, struct message *known, size_t n_known,
    const struct listed *listed, size_t n_listed,
    const struct plan_rules *rules) NODISCARD;
void plan_free(struct plan *p);

/* Sets `ask`; returns how many. */
size_t plan_ask(struct plan *p);
/* The answer to TOP; NULL: it failed, or the server has none. */
void plan_header(struct plan *p, size_t i, const struct identity *id);
/* Sets `action` of all, marks what is gone, and the brake. */
void plan_decide(struct plan *p);
/* After RETR of a PLAN_IDENTIFY: true if it is here already (`message` says
 * which, its row may be due for saving, and `action` is PLAN_LEAVE or
 * PLAN_DELETE now); false: it is new, store it.  The last one may mark what is
 * gone: only then is it known. */
bool plan_retrieved(struct plan *p, size_t i, const struct identity *id);
/* After all of that: what was retrieved may have ended the brake. */
void plan_end(struct plan *p);
/* How many would be deleted now, or when they are stored, but for the brake. */
size_t plan_n_held(const struct plan *p);
/* After TOP of a PLAN_VERIFY; NULL: it failed.  `action` is PLAN_DELETE or
 * PLAN_LEAVE now.  If it is `misnamed`, a plan without verify_later has to say
 * what is what; nothing is marked as gone before that. */
void plan_verified(struct plan *p, size_t i, const struct identity *id);
/* The session ended before plan_decide(): keeps of the headers that have come
 * which messages they name, so that they need not be asked for again. */
void plan_remember(struct plan *p);

#endif

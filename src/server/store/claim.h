/*
 * claim.h - a session's claim on a maildrop: it waits for it, has it, or is
 * letting go of it.  This is the loop's side of the work.
 *
 * Knows: who may have a maildrop, takeover, the order of things.  Does not
 * know: files (a hold does, on threads: kind.h).
 */
#ifndef SERVER_STORE_CLAIM_H
#define SERVER_STORE_CLAIM_H

#include "server/ipc/login_mark.h"
#include "server/store/maildrop.h"
#include "server/store/store_worker.h"

struct op;

enum claim_state {
	CLAIM_WAITING, /* for another session of the maildrop */
	CLAIM_OPENING,
	CLAIM_OPEN,
	CLAIM_ENDING, /* what was asked is done, then it is freed */
};

struct claim {
	struct store_worker *worker;
	uint64_t sid, token;
	LIST_ENTRY(claim) by_sid;
	struct maildrop *maildrop;
	struct terms *terms;
	TAILQ_ENTRY(claim) in_maildrop;
	enum claim_state state;
	uint64_t opened;   /* or being opened: since when, after 1970 */
	struct hold *hold; /* OPEN: what it has */
	uint32_t count;
	uint8_t *remove, *seen, *taken; /* bitmaps as in kind.h */
	bool told;                      /* its user knows how long mail stays */
	bool marks_lost; /* for want of memory: nothing is removed */
	uint64_t made;   /* octets of messages that were made for its worker */
	unsigned ops;    /* under way */
	unsigned doubts; /* that were noted */
	bool yielding;   /* its worker was asked to end it */
	bool read_only;  /* it has the maildrop beside whoever has it */
	bool utf8;       /* its client has said UTF8 */
	uint32_t retention;   /* RETENTION_ of its mail */
	bool master;          /* by somebody else than its user */
	uint32_t login_delay; /* this and the next: as in IPC_OPEN */
	struct login_mark counted;
	/* WAITING: how long the holder's worker may take to answer.
	 * OPEN: when to write down who has the maildrop. */
	ev_timer timer;
	const char *peer; /* the client's address, behind the name */
	char user[];
};

/* A sign-in that auth passes on; the strings are borrowed. */
struct arrival {
	uint64_t sid, token;
	const char *user, *peer;
	bool read_only, utf8, master;
	uint32_t retention;
	uint32_t login_delay; /* this and the next: as in IPC_OPEN */
	struct login_mark counted;
};

struct claim *claim_find(struct store_worker *w, uint64_t sid);

/* Has a session that maildrop?  It may have let go of it in a message that was
 * not read yet. */
bool claim_is_held(const struct store *st, const struct location *where);

/* A new session.  The worker is answered now or later. */
void claim_open(struct store_worker *w, const struct arrival *a,
    const struct location *where);
/* holder: with SIGN_IN_IN_USE, else NULL. */
void claim_refuse(struct store_worker *w, const struct arrival *a,
    enum sign_in_code code, const struct holder *holder);

/* The session goes on, says its worker: those that wait for the maildrop
 * are refused. */
void claim_keep(struct claim *c);

/* Lets go of the maildrop and frees c, for which nothing runs. */
void claim_finish(struct claim *c);

/* Frees op, at the end of its done(), and finishes its session if that was
 * ending and waited for nothing else. */
void claim_op_done(struct op *op);

#endif

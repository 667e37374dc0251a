/*
 * tenant.h - the store's sessions and who has which maildrop; the loop's
 * side of the work.
 *
 * Knows: who may have a maildrop, takeover, the order of things.  Does not
 * know: files (drop.h does, on threads).
 */
#ifndef SERVER_STORE_TENANT_H
#define SERVER_STORE_TENANT_H

#include "server/store/maildrop.h"
#include "server/store/store_worker.h"

struct op;

enum tenant_state {
	TENANT_WAITING, /* for another session of the maildrop */
	TENANT_OPENING,
	TENANT_OPEN,
	TENANT_ENDING, /* what was asked is done, then it is freed */
};

struct tenant {
	struct peer *peer;
	uint64_t sid;
	LIST_ENTRY(tenant) by_sid;
	struct maildrop *maildrop;
	TAILQ_ENTRY(tenant) in_drop;
	enum tenant_state state;
	uint64_t opened; /* seconds since 1970 */
	struct drop *drop;
	uint32_t count;
	uint8_t *remove, *seen; /* bitmaps as in drop.h */
	bool marks_lost;        /* for want of memory: nothing is removed */
	unsigned ops;           /* under way */
	unsigned doubts;        /* that were noted */
	bool yielding;          /* its worker was asked to end it */
	/* WAITING: for an answer to that.  OPEN: until it is written down who
	 * has it. */
	ev_timer timer;
	const char *from; /* the client's address, behind the name */
	char user[];
};

struct tenant *tenant_find(struct peer *p, uint64_t sid);

/* Has somebody that maildrop, who might have let go of it by a message that
 * was not read yet? */
bool tenant_is_held(const struct store *st, const struct location *where);

/* Answers the worker, now or later. */
void tenant_open(struct peer *p, uint64_t sid, const char *user,
    const struct location *where, const char *from);
/* holder: with SIGN_IN_IN_USE, else NULL. */
void tenant_refuse(struct peer *p, uint64_t sid, enum sign_in_code code,
    const struct drop_holder *holder);

/* It stays: whoever wanted its maildrop is told. */
void tenant_keep(struct tenant *s);

/* Lets go of the maildrop and frees s, for which nothing runs. */
void tenant_finish(struct tenant *s);

/* Frees op, at the end of its done(), and finishes its session if that was
 * ending and waited for nothing else. */
void tenant_op_done(struct op *op);

#endif

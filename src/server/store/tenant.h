/*
 * tenant.h - the store's sessions and who has which maildrop; the loop's
 * side of the work.
 *
 * Knows: who may have a maildrop, takeover, the order of things.  Does not
 * know: files (drop.h does, on threads).
 */
#ifndef SERVER_STORE_TENANT_H
#define SERVER_STORE_TENANT_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "server/ipc/ipc.h"
#include "server/store/drop.h"
#include "server/store/job.h"
#include "server/store/kinds.h"
#include "server/store/store.h"

enum { PEER_BUCKETS = 2048, MAILDROP_BUCKETS = 4096 };

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

/* Sessions of one maildrop: one that has it (or several, if shared), and
 * behind it those that wait. */
struct maildrop {
	LIST_ENTRY(maildrop) by_path;
	TAILQ_HEAD(, tenant) sessions;
	struct job_line line;
	unsigned waiting;
	const struct drop_kind *kind;
	char path[];
};

/* A worker. */
struct peer {
	struct store *store;
	struct ipc_chan *chan; /* NULL: it has gone */
	uint16_t index;
	bool broken; /* takes no messages: to be given up */
	unsigned n_sessions;
	LIST_ENTRY(peer) entry;
	LIST_HEAD(, tenant) by_sid[PEER_BUCKETS];
};

struct store {
	struct role role; /* first: see role.h */
	struct store_conf conf;
	struct ev_loop *loop;
	struct pool *pool;
	struct ipc_chan *auth;
	LIST_HEAD(, peer) peers;
	LIST_HEAD(, maildrop) maildrops[MAILDROP_BUCKETS];
	unsigned n_sessions;
	bool stopping; /* no new sessions; ends when there is none */
	bool overtime; /* the deadline for that is over */
	ev_timer idle, stop;
};

/* Called when the last session has gone, and before the first comes. */
void store_is_idle(struct store *st, bool idle);

/* Takes fd.  It takes the place of a process of the same index. */
void peer_attach(struct store *st, uint16_t index, int fd);
struct peer *peer_find(struct store *st, uint16_t index);
/* The struct ipc_rules kind of gone(); p may be freed. */
void peer_gone(void *p, enum err why);
/* Does what was sent already: a message that frees a maildrop may stand
 * behind one that wants it, in another channel. */
void peer_drain_all(struct store *st);

/* Ends all sessions of a worker.  If that has gone, p is freed when the
 * last of them has ended, perhaps now. */
void peer_release(struct peer *p);

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

/* Answered later; that it cannot be had now is an answer too.  E_FORMAT: the
 * worker asks for what does not exist. */
enum err tenant_view(struct tenant *s) NODISCARD;
enum err tenant_fetch(
    struct tenant *s, const uint32_t *msgno, unsigned n) NODISCARD;
enum err tenant_doubt(struct tenant *s, uint32_t msgno) NODISCARD;
enum err tenant_mark(struct tenant *s, enum mark_kind kind, uint32_t first,
    struct slice bitmap) NODISCARD;

/* Removes what was marked, answers, and ends the session. */
enum err tenant_commit(struct tenant *s) NODISCARD;

/* Ends it: nothing is removed; no answer.  s may be freed. */
void tenant_release(struct tenant *s);

/* It stays: whoever wanted its maildrop is told. */
void tenant_keep(struct tenant *s);

#endif

/*
 * kind.h - what the store asks of a kind of store.
 *
 * A hold is what a session has of a maildrop: its lock and its frozen view.
 * The functions of a kind are called on a thread, one at a time for a maildrop,
 * and may wait for disks, and for whom their file system asks.  On the loop are
 * called what takes a `now` if that is true, which does nothing then unless the
 * kernel has all that it needs in memory; and close() of what was opened so.
 */
#ifndef SERVER_STORE_KIND_H
#define SERVER_STORE_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/control.h"
#include "server/ipc/proto.h"
#include "server/store/holder.h"
#include "server/store/inspection.h"
#include "server/store/store.h"

struct store_kind;

enum { HOLD_TAG_MAX = 640 };

/* A kind's own struct begins with this. */
struct hold {
	const struct store_kind *kind;
	const struct store_conf *conf;
	const char *tag; /* "sid=0.1f user=alice", escaped: for the log */
	/* NULL: one of the maildrops of a host. */
	const char *user;
	bool shared;    /* beside other sessions, so without the lock */
	bool read_only; /* and nothing of the mail changes */
	bool doubted;   /* commit() has work though nothing is marked */
	bool unnoted;   /* note() is to be called if it stays open for long */
	bool waits;     /* close() is for a thread, as open() was */
};

struct hold_open {
	const struct store_conf *conf;
	/* The maildrop, from the root of all of them, and whose session it is:
	 * borrowed until the hold is freed. */
	const char *path, *user;
	const char *peer;
	const char *tag;
	bool quick; /* E_AGAIN, with what is there so far in `hold`, rather
	             * than a cost that grows with the maildrop */
	bool now;   /* E_AGAIN, with nothing done, rather than wait */
	bool read_only;
	bool utf8;    /* the client has said UTF8 */
	bool expires; /* mail goes from it after some days */

	struct hold *hold; /* to go on with after E_AGAIN; the result */
	uint32_t count;
	uint64_t octets;
	uint32_t left_out; /* messages that cannot be read now */

	/* When it fails: what the client is told. */
	enum sign_in_code code;
	struct holder holder; /* SIGN_IN_IN_USE */
};

/* How long a call may take. */
enum hold_pace {
	PACE_NOW,   /* it does not wait, not for a disk either: on the loop */
	PACE_QUICK, /* it may wait for a disk */
	PACE_SLOW,  /* as long as it needs */
};

struct hold_message {
	uint32_t msgno;
	enum fetch_status status;
	uint64_t offset, stored, wire;
	uint64_t made; /* octets of memory that it takes (made.h); 0: a file */
	int fd;        /* owned by the caller if FETCH_OK */
};

/* remove, seen: bit i of octet j is message 8j + i + 1; NULL: none.  taken: are
 * removed, too, as they were retrieved. */
struct hold_commit {
	const uint8_t *remove, *seen, *taken;
	const uint8_t
	    *expired; /* the same, as they have been there long enough */
	uint32_t removed, failed;
};

/* A look at a maildrop that no session has: what has been there for so many days
 * goes, a piece of it. */
struct hold_expire {
	uint32_t days; /* never RETENTION_NEVER or _ONCE */
	bool told;     /* its user was told of them just now */
	bool more;     /* the result: there is another piece */
};

struct store_kind {
	const char *prefix; /* of a maildrop's location, "maildir:" */

	/* A failure leaves no hold; it has been logged. */
	enum err (*open)(struct hold_open *o);

	/* Writes down who has the maildrop, so that other processes can tell
	 * those who want it. */
	void (*note)(struct hold *h, const char *peer);

	/* The index and where the view of it ends; *fd_r is the caller's.
	 * now: E_AGAIN rather than wait. */
	enum err (*view)(struct hold *h, bool now, int *fd_r, uint64_t *end_r);

	/* Opens *n messages, or as many of the first of them as *n says then:
	 * one at least.  False, with nothing done: not at this pace; at
	 * PACE_NOW also if one is not FETCH_OK. */
	bool (*fetch)(struct hold *h, enum hold_pace pace,
	    struct hold_message *m, size_t *n);

	/* A message had another size when it was sent; 0: the list itself is
	 * damaged. */
	void (*doubt)(struct hold *h, uint32_t msgno);

	/* Removes and marks what is to be, all of it synced when this
	 * returns, and lets go of the maildrop.  Frees h. */
	void (*commit)(struct hold *h, struct hold_commit *c);

	/* Lets go without a change.  Frees h. */
	void (*close)(struct hold *h);

	/* NULL: nothing goes by itself.  It opens and closes what it needs. */
	void (*expire)(const struct hold_open *o, struct hold_expire *x);

	/* For the admin: what was told about that, and what is held back; and
	 * having that go on.  E_NOENT: nothing.  E_BUSY as below. */
	enum err (*expire_show)(
	    const char *path, struct control_expire *out, struct errbuf *eb);
	enum err (*expire_accept)(
	    const char *path, struct holder *holder, struct errbuf *eb);

	/* For the admin, without a session: by what the unique-ids go.  *out
	 * was all zeroes. */
	enum err (*uidl_show)(const struct store_conf *conf, const char *path,
	    struct control_uidl *out, struct errbuf *eb);
	/* And having that decided anew, with all of them.  E_BUSY: a session has
	 * the maildrop, says *holder. */
	enum err (*uidl_forget)(
	    const char *path, struct holder *holder, struct errbuf *eb);

	/* For the admin: what there is, as it lies there, before it is opened;
	 * and what x->what asks of the messages, as a session has them. */
	enum err (*survey)(const struct store_conf *conf, const char *path,
	    struct inspection *x, struct errbuf *eb);
	enum err (*inspect)(
	    struct hold *h, struct inspection *x, struct errbuf *eb);
};

#endif

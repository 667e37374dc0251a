/*
 * drop.h - what the store asks of a kind of maildrop.
 *
 * A drop is one session's hold on a maildrop: its lock and its frozen view.
 * All functions but close() are called on a thread, one at a time for a
 * maildrop, and may wait for disks; where something is to be done `now`, on
 * the loop, and it is not done unless the kernel has all of it in memory.
 */
#ifndef SERVER_STORE_DROP_H
#define SERVER_STORE_DROP_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/proto.h"
#include "server/store/store.h"

struct drop_kind;

enum { DROP_TEXT_MAX = 160, DROP_TAG_MAX = 640 };

/* A kind's own struct begins with this. */
struct drop {
	const struct drop_kind *kind;
	const struct store_conf *conf;
	const char *tag; /* "sid=0.1f user=alice", escaped: for the log */
	bool doubted;    /* commit() has work though nothing is marked */
	bool unnoted;    /* note() is to be called if it stays open for long */
};

/* Who has a maildrop. */
struct drop_holder {
	uint64_t since;      /* seconds since 1970 */
	char from[PEER_MAX]; /* escaped */
};

struct drop_open {
	const struct store_conf *conf;
	const char *path; /* of the maildrop, absolute; borrowed until it is
	                   * let go */
	const char *peer;
	const char *tag;
	bool quick; /* E_AGAIN, with what is there so far in `drop`, rather
	             * than a cost that grows with the maildrop */
	bool now;   /* E_AGAIN, with nothing done, rather than wait */

	struct drop *drop; /* to go on with after E_AGAIN; the result */
	uint32_t count;
	uint64_t octets;

	/* When it fails: what the client is told. */
	enum sign_in_code code;
	struct drop_holder holder; /* SIGN_IN_IN_USE */
};

struct drop_message {
	uint32_t msgno;
	enum fetch_status status;
	uint64_t offset, stored, wire;
	int fd; /* owned by the caller if FETCH_OK */
};

/* Bit i of octet j is message 8j + i + 1; NULL: none. */
struct drop_commit {
	const uint8_t *remove, *seen;
	uint32_t removed, failed;
};

struct drop_kind {
	const char *prefix; /* of a maildrop's location, "maildir:" */

	/* A failure leaves no drop; it has been logged. */
	enum err (*open)(struct drop_open *o);

	/* Writes down, for other programs to tell, who has it. */
	void (*note)(struct drop *d, const char *peer);

	/* The index and where the view of it ends; *fd_r is the caller's.
	 * now: E_AGAIN rather than wait. */
	enum err (*view)(struct drop *d, bool now, int *fd_r, uint64_t *end_r);

	/* now: false, with nothing done, unless all are FETCH_OK without a
	 * wait.  Else true. */
	bool (*fetch)(
	    struct drop *d, bool now, struct drop_message *m, size_t n);

	/* A message had another size when it was sent; 0: the list itself is
	 * damaged. */
	void (*doubt)(struct drop *d, uint32_t msgno);

	/* Removes and marks what is to be, all of it synced when this
	 * returns, and lets go of the maildrop.  Frees d. */
	void (*commit)(struct drop *d, struct drop_commit *c);

	/* Lets go without a change.  Frees d; waits for nothing. */
	void (*close)(struct drop *d);
};

/* from: as it was given to open(), or whatever somebody wrote into a file. */
void drop_holder_set(struct drop_holder *h, uint64_t since, const char *from);

/* "open since 12:03 from 203.0.113.7": for the log.  Returns out. */
char *drop_holder_text(const struct drop_holder *h, char out[DROP_TEXT_MAX]);

#endif

/*
 * kind.h - what the files of deliver/ share, and what a kind of delivery is.
 *
 *	delivery.c      opening, closing, what all kinds do alike
 *	parcel_file.c   the file of a message, while it is written
 *	name.c          the names of files
 *	files.c         folders, syncing, recovering and sweeping files
 *	sender.c        who sent a message, for mbox and LMTP
 *	maildir.c       one kind each
 *	mbox.c          with mbox_*.c, see mbox.h
 *	command.c       with execute.c
 *	lmtp.c          with lmtp_conn.c
 *	remote.c        a destination that may have taken what it was given
 *	imap.c          with imap_*.c, see imap.h and imap_conn.h
 *	gmail.c         with gmail_*.c and api_*.c, see gmail.h and api_conn.h
 *	jmap.c          the same, see jmap.h
 *
 * A new kind is a row of DEST_KINDS (conf/dest.h) and a file here that defines
 * its `struct kind`.
 */
#ifndef CLIENT_DELIVER_KIND_H
#define CLIENT_DELIVER_KIND_H

#include <stdatomic.h>

#include "client/deliver/delivery.h"
#include "client/deliver/files.h"
#include "client/deliver/name.h"

struct kind {
	/* Parcels are written to a folder of its own, which its open() gives
	 * as `files`, and get a final name there; else to the spool. */
	bool has_folder;
	enum err (*open)(struct delivery *d, const struct dest *dest,
	    const struct delivery_env *env, struct errbuf *eb);
	void (*close)(struct delivery *d);         /* after any open */
	bool (*has_gone)(const struct dest *dest); /* or NULL: never */
	/* See delivery_try(). */
	enum err (*try)(struct delivery *d, struct errbuf *eb);
	/* The folder besides the spool that has to have room; or NULL. */
	int (*room)(struct delivery *d);
	/* After the files have been synced; or NULL. */
	enum err (*prepare)(
	    struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb);
	void (*publish)(struct delivery *d, struct parcel **v, size_t n);
	/* The same in two parts: see delivery_give(), delivery_settle() and
	 * delivery_nudge(); or all three NULL. */
	void (*give)(struct delivery *d, struct parcel **v, size_t n);
	bool (*settle)(struct delivery *d, struct parcel **v, size_t n,
	    const atomic_uint *hurry);
	void (*nudge)(struct delivery *d);
	void (*release)(struct delivery *d); /* or NULL */
	/* `young`: the intent is no older than a day.  *stored_r is false. */
	enum err (*recover)(struct delivery *d, const struct parcel *intent,
	    bool young, bool *stored_r, struct errbuf *eb);
	enum err (*files)(struct delivery *d, char *const *trash, /* or NULL */
	    enum err (*found)(void *arg, const struct delivery_file *f),
	    void *arg, struct errbuf *eb);
	enum err (*scan)(struct delivery *d, /* or NULL */
	    enum err (*found)(void *arg, const struct delivery_found *f),
	    void *arg, struct errbuf *eb);
};

#define ROW(KIND, name, form) extern const struct kind kind_##name;
DEST_KINDS(ROW)
#undef ROW

struct delivery {
	const struct kind *kind;
	void *own;  /* of the kind */
	char *text; /* see delivery_text() */
	int files;  /* folder of parcels: tmp/ or the spool */
	/* Where it has a folder: the spool, which another kind may have used
	 * earlier, or -1. */
	int spool;
	char where[PATH_SHOWN]; /* its path, for people */
	char host[NAME_HOST_SIZE];
	struct digest account;
	unsigned timeout;
	atomic_bool stopping;
	enum err failed; /* by `why`, for all messages */
	struct errbuf why;
	unsigned n_untold; /* see delivery_untold() */
	/* Of messages that are elsewhere, nobody knows which: remote_own(). */
	struct remote_owner *owners;
	size_t n_owners, owners_room;
};

/* It concerns all messages; the first such failure counts. */
void delivery_fail(struct delivery *d, enum err e, const struct errbuf *why);

/* Opens a parcel's file for reading. */
enum err parcel_open(struct delivery *d, const struct parcel *p, int *fd_r,
    struct errbuf *eb) NODISCARD;
/* Its file in the spool has gone: it has been stored (see delivery.h). */
void parcel_stored(struct delivery *d, struct parcel *p);
/* True: no other message is to be begun with, as it is stopped or has failed;
 * the parcel's result is set. */
bool parcel_is_late(struct delivery *d, struct parcel *p);
void parcel_fail(struct parcel *p, enum err e, const char *fmt, ...)
    PRINTF(3, 4);

#endif

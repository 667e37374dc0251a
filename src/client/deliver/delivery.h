/*
 * delivery.h - where mail is put: Maildir, mbox, a command, LMTP, IMAP, Gmail, JMAP.
 *
 * Every message is first written to a file: in tmp/ of the Maildir, else in a
 * spool folder of ours.  A batch of them is then stored (see
 * doc/architecture.md, "A batch"):
 *
 *	delivery_prepare()   syncs the files and their folder; MBOX: locks
 *	(the state commits the intents)
 *	delivery_publish()   renames, appends, hands over; syncs; or, where
 *	                     others are given meanwhile, delivery_give() and
 *	                     delivery_settle()
 *	(the state commits "stored")
 *	delivery_release()   unlocks
 *
 * so that after a kill at any point delivery_recover() can tell for each intent
 * whether its message is here.  Publishing takes the file away from tmp/ or the
 * spool, once the message is on the disk: what has gone from there was stored.
 * So a parcel with an intent in the state must not be dropped, only freed.
 * COMMAND and LMTP can only promise at least once: what was being handed over
 * when a run was killed is handed over again.  IMAP, Gmail and JMAP are asked what
 * they have (see remote.h).
 *
 * What concerns the destination and not one message (a command that is not
 * there, a folder that cannot be written to) ends publishing: no other message
 * is begun with until the delivery is opened anew.
 *
 * Two threads use a delivery: parcel_* and delivery_space() belong to the one,
 * the rest to the other (before it is started, to any).
 */
#ifndef CLIENT_DELIVER_DELIVERY_H
#define CLIENT_DELIVER_DELIVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/conf/dest.h"
#include "client/message/parcel.h"
#include "client/message/stub.h"

struct account;
struct delivery;

struct delivery_env {
	/* The account's name is part of the names of files; a command is told
	 * both.  The address is also LMTP's recipient. */
	const char *account, *email;
	const char *spool; /* folder, mode 0700; made if it is not there */
	unsigned timeout;  /* seconds that a command or LMTP may be silent */
	bool seen;         /* IMAP: the message counts as one that was read */
	/* MAILDIR: folders in it, as of an account; or NULL. */
	char *const *folders;
	/* IMAP, GMAIL, JMAP: gets the secret that signs in there, with a NUL, into `size`
	 * octets which the caller wipes; may wait, and stays as long as the
	 * delivery does.  anew: the token of before was refused. */
	enum err (*ask)(void *arg, const struct account *login, bool anew,
	    char *secret, size_t size, struct errbuf *eb);
	/* It was let in by that, or refused with these words (else NULL). */
	void (*judged)(
	    void *arg, const struct account *login, const char *refused);
	void *ask_arg; /* of both */
};

/* Borrows all for the call.  Makes a Maildir that is not there, and the folders
 * above it (0700).  E_CONFIG, E_DENIED, E_IO: words for people, with the path.
 */
enum err delivery_open(struct delivery **d_r, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb) NODISCARD;
void delivery_close(struct delivery *d);

/* The setting `deliver` that it was opened by. */
const char *delivery_text(const struct delivery *d);

/* Is the place not there, so that delivery_open() would make an empty one? */
bool delivery_has_gone(const struct dest *dest);

/* Would a message be taken?  None is handed over.  Called before any is
 * downloaded; it may wait, as for a lock or a server. */
enum err delivery_try(struct delivery *d, struct errbuf *eb) NODISCARD;

/* Octets that the disk has left for it. */
enum err delivery_space(
    struct delivery *d, uint64_t *octets_r, struct errbuf *eb) NODISCARD;

/* ---- one message ---- */

/* E_FULL, here and below: the disk, or the person's quota, is full. */

enum err parcel_begin(
    struct delivery *d, struct parcel **p_r, struct errbuf *eb) NODISCARD;
enum err parcel_add(struct parcel *p, const char *octets, size_t n,
    struct errbuf *eb) NODISCARD;
/* Writes what is buffered and closes the file; identity and uid are set. */
enum err parcel_end(struct parcel *p, struct errbuf *eb) NODISCARD;
/* File removed, freed.  Not while there is an intent. */
void parcel_drop(struct parcel *p);
void parcel_free(struct parcel *p); /* the file stays */
/* The delivery that it was begun with. */
struct delivery *parcel_delivery(const struct parcel *p);

/* ---- a batch ---- */

/* An error concerns all of them; nothing has been stored then.  E_BUSY: the
 * mbox was locked by another program for `timeout` seconds. */
enum err delivery_prepare(struct delivery *d, struct parcel **v, size_t n,
    struct errbuf *eb) NODISCARD;
/* Sets `result` and `why` of each, which is known by then. */
void delivery_publish(struct delivery *d, struct parcel **v, size_t n);
/* Does it take another batch before it has said yes to the last one? */
bool delivery_goes_ahead(const struct delivery *d);
/* Where it does: begins to publish them, behind the batches before.  Their order
 * and their parcels stay as they are until they are settled. */
void delivery_give(struct delivery *d, struct parcel **v, size_t n);
/* Waits until it is known of each of a batch what has become of it, and sets
 * `result` and `why`.  False: not yet, as *hurry (not NULL) is above 0; nothing
 * is done for it until it is called again. */
bool delivery_settle(struct delivery *d, struct parcel **v, size_t n,
    const atomic_uint *hurry) NODISCARD;
/* From any thread: *hurry has been changed. */
void delivery_nudge(struct delivery *d);
/* How many messages were given to the destination again, or will be, though
 * nobody can tell whether it has them; counted anew from now on.  NULL: 0. */
unsigned delivery_untold(struct delivery *d);
/* What publishing has failed by, for all messages; E_OK: it has not. */
enum err delivery_failed(const struct delivery *d, struct errbuf *eb) NODISCARD;
/* From any thread: COMMAND, LMTP, IMAP, GMAIL and JMAP begin with no other message; those that are
 * left get E_CLOSED. */
void delivery_stop(struct delivery *d);
/* Always after delivery_prepare() was E_OK. */
void delivery_release(struct delivery *d, struct parcel **v, size_t n);

/* ---- after a run that ended early; under the account's lock ---- */

/* What is in the state of a parcel that was under way: tmp, file, offset,
 * length, content, identity, and when it was intended (Unix seconds).
 * *stored_r: it is here, now if not before.  Else it must be collected again. */
enum err delivery_recover(struct delivery *d, const struct parcel *intent,
    int64_t intended_at, bool *stored_r, struct errbuf *eb) NODISCARD;

/* Removes files of this account in tmp/ or the spool; all intents have been
 * recovered. */
enum err delivery_sweep(struct delivery *d, struct errbuf *eb) NODISCARD;

/* Tells of every message that is here (MAILDIR: in new/, cur/ and the Maildir++
 * folders below, by the names, and by the headers where names are not ours; MBOX:
 * by reading it; others: none), for a state that was lost. */
struct delivery_found {
	bool is_ours;          /* then it was collected for this account: */
	struct digest account; /* digest of its name */
	bool has_uid;
	struct digest uid;
	uint64_t size; /* on the wire; 0: not known */
	struct identity identity;
	int64_t stored_at;
	bool is_stub; /* and no message that was collected */
	struct stub_said stub;
};
enum err delivery_scan(struct delivery *d,
    enum err (*found)(void *arg, const struct delivery_found *f), void *arg,
    struct errbuf *eb) NODISCARD;

/* Tells of every file of a Maildir whose name is ours, and of those of other
 * programs that are deleted: by the flag T, or as they lie in one of the folders
 * `trash` (names that end with a NULL; or NULL).  Other kinds have none. */
struct delivery_file {
	bool is_ours; /* then the next three are from its name */
	struct digest account;
	bool has_uid;
	struct digest uid;
	struct identity identity;
	bool deleted;
};
enum err delivery_files(struct delivery *d, char *const *trash,
    enum err (*found)(void *arg, const struct delivery_file *f), void *arg,
    struct errbuf *eb) NODISCARD;

#endif

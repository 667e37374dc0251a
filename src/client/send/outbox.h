/*
 * outbox.h - messages that are to be sent, on the disk until they are.
 *
 * A folder of the state folder (0700).  A message has two files (0600): ID.eml,
 * written once, and ID.json (outgoing.h), replaced whole each time.  It is there
 * as soon as ID.json is, which comes last and after a sync.  Whoever sends it
 * holds a lock on ID.eml, which ends with the process: so no two send it, and a
 * recipient that is "sending" while nobody holds the lock is "perhaps sent".
 */
#ifndef CLIENT_SEND_OUTBOX_H
#define CLIENT_SEND_OUTBOX_H

#include "client/send/outgoing.h"

struct outbox {
	char *path;
	int fd; /* of the folder; -1: it is not open */
};

/* E_NOENT, without words: nothing was ever to be sent (unless `make`).  E_DENIED,
 * E_IO, E_FULL, E_NOMEM. */
enum err outbox_open(struct outbox *b, const char *state_dir, bool make,
    struct errbuf *eb) NODISCARD;
void outbox_close(struct outbox *b); /* also after a failed outbox_open() */

/* A message that is ours to send, or to drop. */
struct outbox_item {
	struct outgoing o;
	int fd; /* ID.eml, locked; -1: none */
	bool
	    was_left; /* whoever sent it has ended in between: some recipients are
	                * "perhaps sent", which is on record when it is saved */
};

#define OUTBOX_NOTHING \
	{ \
		.fd = -1 \
	}

struct outbox_bounds {
	size_t messages;
	uint64_t octets; /* of all of them */
};

/* Puts a message in, lines ended by LF, and takes it.  All of *o is taken over if
 * it is E_OK, and item->o.id says what it is called.  It is on the disk then.
 * E_FULL: the bounds, or the disk. */
enum err outbox_add(struct outbox *b, struct outbox_item *item,
    struct outgoing *o, struct slice text, const struct outbox_bounds *bounds,
    struct errbuf *eb) NODISCARD;

/* E_BUSY: another malote has it; E_NOENT: there is none; E_FORMAT: its file is
 * damaged; with words.  Recipients that were "sending" are "perhaps sent". */
enum err outbox_take(struct outbox *b, struct outbox_item *item, const char *id,
    struct errbuf *eb) NODISCARD;
/* Gives it back as it was saved last.  Also of one that was never taken. */
void outbox_release(struct outbox_item *item);

/* How it is now, without taking it; *busy_r: another malote sends it. */
enum err outbox_look(struct outbox *b, struct outgoing *o, bool *busy_r,
    const char *id, struct errbuf *eb) NODISCARD;

/* On the disk when it returns.  In a loop: see outbox_thread.h. */
enum err outbox_save(
    struct outbox *b, struct outbox_item *item, struct errbuf *eb) NODISCARD;
/* The message is gone; the item is released. */
enum err outbox_remove(
    struct outbox *b, struct outbox_item *item, struct errbuf *eb) NODISCARD;
/* The same of a message whose lock the caller holds, from any thread: `text` is what
 * outgoing_print() has made. */
enum err outbox_write(struct outbox *b, const char *id, const char *text,
    struct errbuf *eb) NODISCARD;
enum err outbox_unlink(
    struct outbox *b, const char *id, struct errbuf *eb) NODISCARD;

/* The ids of all, the oldest first; the caller's (free). */
struct outbox_ids {
	char (*v)[OUTGOING_ID];
	size_t n;
};
enum err outbox_list(
    struct outbox *b, struct outbox_ids *ids, struct errbuf *eb) NODISCARD;

#endif

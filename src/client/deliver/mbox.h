/*
 * mbox.h - what the files of the mbox kind share (RFC 4155, mboxrd).
 *
 *	mbox.c           the kind of delivery: a batch of messages
 *	mbox_recover.c   after a run that ended early
 *	mbox_append.c    one message, appended
 *	mbox_render.c    a message as it is in an mbox
 *	mbox_read.c      the messages of an mbox
 *	mbox_lock.c      opening it, and keeping others out
 */
#ifndef CLIENT_DELIVER_MBOX_H
#define CLIENT_DELIVER_MBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "client/deliver/files.h"
#include "client/message/identity.h"

struct mbox {
	int dir;                /* its folder */
	char *name, *lock_name; /* in it */
	char where[PATH_SHOWN];
	const char *host;
	unsigned timeout; /* seconds to wait for the lock */
	int fd;           /* while it is locked, else -1 */
	bool dotlocked;
};

/* ---- mbox_lock.c ---- */

/* dir, name and lock_name for the path.  A symbolic link is followed once, if
 * it is ours. */
enum err mbox_resolve(
    struct mbox *m, const char *path, struct errbuf *eb) NODISCARD;

/* Opens and locks it: an open-file-description lock, which excludes fcntl()
 * locks of other processes and other threads of ours, then the file NAME.lock,
 * unless the folder cannot be written to.  `create`: makes it (0600) if it is
 * not there; else E_NOENT.  E_BUSY: it was not to be had in time. */
enum err mbox_lock(struct mbox *m, bool create, struct errbuf *eb) NODISCARD;
void mbox_unlock(struct mbox *m);

/* ---- mbox_render.c ---- */

typedef enum err mbox_sink(
    void *arg, const char *p, size_t n, struct errbuf *eb);

/* Line ends that are missing before a From line at this offset. */
enum err mbox_lead(struct mbox *m, uint64_t offset, unsigned *lead_r,
    struct errbuf *eb) NODISCARD;

/* Gives the octets of the message in `file` as they are in an mbox: line ends
 * that lead, the From line (its date is the file's), quoted lines, an empty
 * line.  The same file gives the same octets. */
enum err mbox_render(int file, unsigned lead, mbox_sink *sink, void *arg,
    struct errbuf *eb) NODISCARD;

/* How many octets, and their digest. */
struct measure {
	uint64_t length;
	struct digest content;
};
enum err mbox_measure(
    int file, unsigned lead, struct measure *m_r, struct errbuf *eb) NODISCARD;

/* ---- mbox_append.c ---- */

/* Appends at the offset, not yet synced; on an error the mbox is as before. */
enum err mbox_append(struct mbox *m, int file, uint64_t offset, uint64_t length,
    struct errbuf *eb) NODISCARD;

/* ---- mbox_read.c ---- */

struct mbox_events {
	void (*begin)(void *arg);
	/* As it was before it was quoted; empty lines at the end belong to it. */
	void (*octets)(void *arg, const char *p, size_t n);
	enum err (*end)(void *arg);
};

enum err mbox_read(struct mbox *m, const struct mbox_events *ev, void *arg,
    struct errbuf *eb) NODISCARD;

/* ---- mbox_recover.c, see kind.h ---- */

struct delivery;
struct delivery_found;
struct parcel;

enum err mbox_recover(struct delivery *d, const struct parcel *in, bool young,
    bool *stored_r, struct errbuf *eb) NODISCARD;
enum err mbox_scan(struct delivery *d,
    enum err (*found)(void *arg, const struct delivery_found *f), void *arg,
    struct errbuf *eb) NODISCARD;

#endif

/*
 * maildir.h - an open Maildir, for the files of this folder.
 *
 * While a session is idle it holds one descriptor: the lock, or where there
 * is none (shared sessions, a disk that takes no files) the index.
 */
#ifndef SERVER_STORE_MAILDIR_MAILDIR_H
#define SERVER_STORE_MAILDIR_MAILDIR_H

#include <sys/types.h>

#include "server/ipc/index.h"
#include "server/store/drop.h"
#include "server/store/maildir/names.h"

enum { DOUBTS_MAX = 32 };

struct maildir_block {
	uint64_t off;
	uint32_t first;
};

struct maildir {
	struct drop drop;
	const char *path;
	int lock_fd;  /* -1: none */
	int index_fd; /* -1: opened by name for each job */
	bool keeps_index;

	/* The view: which file, how much of it, and what its end says. */
	dev_t index_dev;
	ino_t index_ino;
	struct index_time index_time; /* when it was written last */
	uint64_t end;
	struct index_trailer trailer;

	struct maildir_block *blocks; /* of the view, once one is needed */
	struct names *names; /* once a message was not under its name */
	uint32_t *doubt;     /* messages whose size is not sure, up to
	                      * DOUBTS_MAX */
	unsigned n_doubt;
	bool damaged;       /* the index is to be made anew */
	bool uidls_unsaved; /* malote-uidl could not be written */
	char tag[];
};

/* What takes a `now` is also called on the loop, which waits for no disk: it
 * fails then unless all that is needed is in the kernel's memory. */

/* As openat(2), without following, waiting, or handing on.  now: flags must
 * not create. */
int maildir_open_at(int dir, const char *name, int flags, bool now);

/* Opens the Maildir and its directories; all or nothing. */
enum err maildir_enter(const char *path, bool now, struct maildir_dirs *d,
    struct errbuf *eb) NODISCARD;
void maildir_leave(struct maildir_dirs *d);

/* Opens a file of ours for reading (or as `flags` say): a regular file that
 * belongs to us.  E_NOENT, E_IO, E_FORMAT if it is something else. */
enum err maildir_file(int dir, const char *name, int flags, bool now, int *fd_r,
    struct stat *st_r, struct errbuf *eb) NODISCARD;

/* lock.c.  E_BUSY: *holder says who; E_DENIED: the disk takes no
 * lock file.  peer NULL: at once or not at all, and maildir_note() follows. */
enum err maildir_lock(int root, const char *peer, int *fd_r,
    struct drop_holder *holder, struct errbuf *eb) NODISCARD;
/* Under a lock: have the leftovers in tmp been looked for today?  If not,
 * from now on they have been. */
bool maildir_sweep_due(int lock_fd);

/* For shared sessions, which hold no lock: one for a while, as only one may
 * write the index at a time. */
enum err maildir_hold(struct maildir *m, int root, struct errbuf *eb) NODISCARD;
void maildir_unhold(struct maildir *m);

/* scan.c: mends the index, or makes it, and sets the view. */
enum err maildir_scan(struct maildir *m, const struct maildir_dirs *d,
    struct errbuf *eb) NODISCARD;

/* measure.c: what POP3 says of a file.  E_NOENT: it has gone; E_FORMAT: it is
 * no message (eb says why); E_IO. */
struct measure {
	uint64_t wire, stored;
};
enum err maildir_measure(int dir, const char *file, bool trust_name,
    struct measure *m_r, struct errbuf *eb) NODISCARD;
/* Reads the first `stored` octets of fd: what is added to it later does not
 * count. */
enum err maildir_count(
    int fd, uint64_t stored, uint64_t *wire_r, struct errbuf *eb) NODISCARD;

/* view.c: the view is what m->end and m->trailer say of fd.  Takes fd, which
 * st is about. */
void maildir_view_set(struct maildir *m, int fd, const struct stat *st);
/* The view's index, for one job; *fd_r is closed by maildir_view_close().
 * E_FORMAT: it is not the view's any more, or it has been written to. */
enum err maildir_view_open(struct maildir *m, int root, bool now, int *fd_r,
    struct errbuf *eb) NODISCARD;
void maildir_view_close(const struct maildir *m, int fd);

/* Reads messages of it, several with one call of the kernel. */
struct view_piece {
	uint64_t off;
	size_t n;
	char octets[4096];
};
struct view_reader {
	int fd;
	bool now;
	struct index_block block; /* n == 0: none yet */
	struct view_piece records, names;
};
void maildir_view_begin(struct view_reader *r, int fd, bool now);
struct view_entry {
	uint64_t wire, stored;
	char name[INDEX_NAME_MAX + 1]; /* letter and file name */
};
enum err maildir_view_get(struct maildir *m, struct view_reader *r,
    uint32_t msgno, struct view_entry *v_r) NODISCARD;

/* Brings m->names up to date: for messages that are not under the names that
 * the index has. */
enum err maildir_names(struct maildir *m, const struct maildir_dirs *d,
    struct errbuf *eb) NODISCARD;

/* fetch.c, commit.c: as in drop.h. */
bool maildir_fetch(struct drop *d, bool now, struct drop_message *v, size_t n);
void maildir_doubt(struct drop *d, uint32_t msgno);
void maildir_commit(struct drop *d, struct drop_commit *c);
void maildir_note(struct drop *d, const char *peer);
void maildir_close(struct drop *d);

/* tmp.c: removes what deliveries have left in tmp 36 hours ago. */
void maildir_sweep(const struct maildir_dirs *d, const char *tag);

#endif

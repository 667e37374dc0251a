/*
 * view.h - a session's frozen view: which index file, and how much of it.
 */
#ifndef SERVER_STORE_MAILDIR_VIEW_H
#define SERVER_STORE_MAILDIR_VIEW_H

#include "server/store/maildir/maildir.h"
#include "server/store/maildir/uidl.h"

/* The view is what m->end and m->trailer say of fd.  Takes fd, which st is
 * about. */
void maildir_view_set(struct maildir *m, int fd, const struct stat *st);
/* Takes the index as the view, if the directories have not changed since it was
 * written (or in any case: VIEW_LAST), at a cost that does not grow with the
 * maildrop.  False: it needs mending. */
enum view_which { VIEW_CURRENT, VIEW_LAST };
bool maildir_view_find(
    struct maildir *m, int root, enum view_which which, bool now);

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
	uint64_t wire, stamp;
	char name[INDEX_NAME_MAX + 1]; /* letter and file name */
};
enum err maildir_view_get(struct maildir *m, struct view_reader *r,
    uint32_t msgno, struct view_entry *v_r) NODISCARD;
enum err maildir_view_uid(struct maildir *m, struct view_reader *r,
    uint32_t msgno, struct uid *u_r) NODISCARD;

/* Brings m->names up to date: for messages that are not under the names that
 * the index has. */
enum err maildir_names(struct maildir *m, const struct maildir_dirs *d,
    struct errbuf *eb) NODISCARD;

#endif

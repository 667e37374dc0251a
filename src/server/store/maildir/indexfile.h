/*
 * indexfile.h - malote.index on the disk: reading all of it, writing it.
 */
#ifndef SERVER_STORE_MAILDIR_INDEXFILE_H
#define SERVER_STORE_MAILDIR_INDEXFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/conf/store_conf.h"
#include "server/ipc/index.h"

#define INDEXFILE_NAME "malote.index"

/* Sessions that get messages as they are have INDEXFILE_NAME; those for which
 * headers in UTF-8 are converted or refused have another one, with the sizes
 * that messages have for them. */
const char *indexfile_name(enum store_utf8 utf8);

/* Removes those that no session has any more, since the setting utf8_messages is
 * `now`.  Who has one open keeps it; nobody opens one by name while the maildrop
 * is locked by the caller. */
void indexfile_sweep(int root, enum store_utf8 now);

/* Reads all of it.  E_FORMAT: the file is shorter; E_IO.  now: E_AGAIN rather
 * than wait for a disk, here and below. */
enum err indexfile_read(
    int fd, void *buf, size_t n, uint64_t at, bool now) NODISCARD;

/* The trailer that ends at `end`.  E_FORMAT, E_IO. */
enum err indexfile_trailer(
    int fd, uint64_t end, bool now, struct index_trailer *t_r) NODISCARD;

struct indexfile_entry {
	uint32_t msgno;
	uint64_t wire, stamp;
	uint16_t seen;
	struct slice uid, name; /* borrowed for the call */
};

/* Reads and checks all blocks up to `end`, and hands over each message.
 * *end_r is where the last whole block ends and *t_r its trailer: what is
 * behind is to be cut off.  E_FORMAT: damaged before `end`; messages beyond
 * t_r->count may have been handed over and are to be forgotten.  Or E_IO,
 * E_NOMEM, or what take() says. */
typedef enum err (*indexfile_take)(
    void *arg, const struct indexfile_entry *entry);
enum err indexfile_load(int fd, uint64_t end, indexfile_take take, void *arg,
    uint64_t *end_r, struct index_trailer *t_r) NODISCARD;

/* The same for a view of which the end and the totals are known: it must be
 * so to the octet, each block must say of each message one thing only
 * (index_check_lines()), and what was handed over counts only if this returns
 * E_OK. */
enum err indexfile_verify(int fd, uint64_t end,
    const struct index_trailer *totals, indexfile_take take,
    void *arg) NODISCARD;

/* Reads the header behind the block `before`, as index_get_block() does.
 * E_FORMAT, E_IO. */
enum err indexfile_block(int fd, const struct index_block *before, uint64_t end,
    uint32_t count, bool now, struct index_block *b_r) NODISCARD;

enum indexfile_how {
	INDEXFILE_APPEND,    /* behind `end` of the file that is there */
	INDEXFILE_REPLACE,   /* a new file, which takes the place of the old */
	INDEXFILE_TEMPORARY, /* a new file without a name */
};

struct indexfile_writer {
	enum indexfile_how how;
	const char *name;
	int root, fd;
	uint64_t start, at; /* in the file */
	bool expires;       /* to be said of the maildrop */
	struct index_writer *w;
	struct buf out;
};

/* have, end: what is there, to append to it.  E_DENIED: it cannot be written
 * there (a full disk, a read-only one, ...), here and below. */
enum err indexfile_begin(struct indexfile_writer *f, enum indexfile_how how,
    int root, const char *name, const struct index_trailer *have, uint64_t end,
    struct errbuf *eb) NODISCARD;
/* Of the entry all but its number. */
enum err indexfile_add(struct indexfile_writer *f,
    const struct indexfile_entry *entry, struct errbuf *eb) NODISCARD;

/* Ends the file and puts it into its place.  *fd_r, open for reading only, is
 * the caller's. */
enum err indexfile_end(struct indexfile_writer *f, struct index_time new_time,
    struct index_time cur_time, int *fd_r, uint64_t *end_r,
    struct index_trailer *t_r, struct errbuf *eb) NODISCARD;

/* Undoes what was begun; after indexfile_end() it only frees. */
void indexfile_clear(struct indexfile_writer *f);

#endif

/*
 * index.h - the format of malote.index: a maildrop's list of messages.
 *
 * The store writes it; workers read it through a descriptor.  It is a
 * cache: deleting it loses nothing, and its content is as hostile as any
 * input, for whoever owns the mail may write to it.  Nothing here does I/O:
 * octets that somebody read go in.
 *
 * The file is a row of blocks and is only ever appended to (or replaced as a
 * whole by rename), so (descriptor, end offset) is a frozen view.
 *
 *	header    96 octets, checked
 *	records   n times 40 octets, each with its own check
 *	list      the lines of LIST, ready for the wire:  "1 120\r\n"
 *	uidl      the lines of UIDL, ready for the wire:  "1 abc\r\n"
 *	names     file names, without separators
 *	trailer   96 octets, checked: totals up to here, times of the directories
 *
 * A block holds at most INDEX_BLOCK messages, so that a section is read and
 * checked as a whole in little memory; it may hold none (then it only carries
 * a newer trailer).  A login reads the last trailer and nothing else.
 * Integers are little-endian.  Checks are XXH3 (64 bits, or its low 32): they
 * find what a crash or a disk has done, but anybody can make one that fits.
 * So whatever is read here is also inside its bounds, of which this is the
 * only place:  INDEX_MESSAGES_MAX holds for every number of messages that a
 * process takes from a file or from another process.
 */
#ifndef SERVER_IPC_INDEX_H
#define SERVER_IPC_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
	INDEX_HEADER = 96,
	INDEX_RECORD = 40,
	INDEX_TRAILER = 96,
	INDEX_BLOCK = 1024,
	INDEX_MESSAGES_MAX = 10 * 1000 * 1000, /* in a maildrop */
	INDEX_UID_MAX = 70,                    /* RFC 1939 s7 */
	INDEX_NAME_MAX = 256, /* one letter for the directory, and NAME_MAX */
	/* No section that is checked as a whole is larger (UIDL lines). */
	INDEX_SECTION_MAX = INDEX_BLOCK * (10 + 1 + INDEX_UID_MAX + 2),
};

/* An index that has more blocks than this is written anew, so that none has
 * more than one beyond it. */
static inline uint32_t
index_blocks_full(uint32_t count)
{
	return 64 + count / 256;
}

/* Days since 1970, up to 2149. */
static inline uint16_t
index_day(int64_t seconds)
{
	int64_t day = seconds / (24 * 60 * 60);

	return day < 1 ? 1 : day > UINT16_MAX ? UINT16_MAX : (uint16_t)day;
}

struct index_section {
	uint64_t off; /* in the file */
	uint32_t len;
	uint64_t sum;
};

struct index_block {
	uint64_t off, next; /* its place in the file, and the next one's */
	uint32_t nth;       /* among the blocks, from 1 */
	uint32_t first;     /* number of its first message, from 1 */
	uint32_t n;
	uint64_t records; /* place of the first record */
	struct index_section list, uidl, names;
};

struct index_record {
	uint64_t wire;  /* octets as LIST says them */
	uint64_t stamp; /* of the file when it had so many */
	uint16_t seen;  /* index_day() when it was met; 0: unknown */
	uint64_t uid_off, name_off; /* places in the file */
	uint16_t uid_len, name_len;
	uint32_t uid_sum, name_sum;
};

struct index_time {
	int64_t sec;
	uint32_t nsec; /* INDEX_TIME_UNKNOWN: not recorded */
};
#define INDEX_TIME_UNKNOWN UINT32_MAX

struct index_trailer {
	uint32_t count; /* messages in the file up to here */
	uint32_t blocks;
	uint64_t octets; /* sum of their wire octets */
	struct index_time new_time, cur_time;
	bool expires; /* the maildrop has a malote-expire */
};

/* Before the first block. */
static const struct index_block index_start = { .first = 1 };

/* Reads the header that stands behind the block `before`, at before->next, in
 * a view that ends at `end` and has `count` messages.  Every place that *b_r
 * names is inside the view, and so is every message.  E_FORMAT. */
enum err index_get_block(const void *p, const struct index_block *before,
    uint64_t end, uint32_t count, struct index_block *b_r) NODISCARD;

/* Message `msgno` of block b: where its record stands, and reading it.  Every
 * place named is inside its section.  E_FORMAT. */
uint64_t index_record_place(const struct index_block *b, uint32_t msgno);
enum err index_get_record(const void *p, const struct index_block *b,
    uint32_t msgno, struct index_record *r_r) NODISCARD;

/* E_FORMAT if the octets are not those that were summed; for a uid also if
 * POP3 forbids it, for a name if it has a slash or NUL. */
enum err index_check_section(
    const void *p, const struct index_section *s) NODISCARD;
enum err index_check_uid(const void *p, const struct index_record *r) NODISCARD;
enum err index_check_name(
    const void *p, const struct index_record *r) NODISCARD;

/* p: the whole block.  E_FORMAT unless its sections are what the writer makes
 * of its records: each line of LIST and UIDL says what the record of that
 * message says, each name is one record's, and nothing else is there. */
enum err index_check_lines(
    const void *p, const struct index_block *b) NODISCARD;

/* Its numbers are such as a writer makes.  E_FORMAT. */
enum err index_get_trailer(const void *p, struct index_trailer *t_r) NODISCARD;

static inline bool
index_same_totals(const struct index_trailer *a, const struct index_trailer *b)
{
	return a->count == b->count && a->blocks == b->blocks &&
	       a->octets == b->octets;
}

/*
 * Writing.  Messages are added one by one; finished blocks are appended to
 * `out`, which the caller writes to the file and consumes whenever it likes.
 */
struct index_writer;

/* Continues after what `have` describes (zeroes for a new file).  Owned by
 * the caller; NULL: memory. */
struct index_writer *index_writer_new(const struct index_trailer *have);
void index_writer_free(struct index_writer *w);

/* uid: 1-70 octets 0x21-0x7e.  name: 'n' or 'c' for the directory, then the
 * file name.  A block that is full is put into `out`.  E_FULL: that would be
 * more than INDEX_MESSAGES_MAX, or a message of more octets than can be. */
enum err index_writer_add(struct index_writer *w, struct buf *out,
    uint64_t wire, uint64_t stamp, uint16_t seen, struct slice uid,
    struct slice name) NODISCARD;

/* Ends the open block (an empty one if there is none) with these times; every
 * file ends so.  The totals are in *t_r. */
enum err index_writer_end(struct index_writer *w, struct buf *out,
    struct index_time new_time, struct index_time cur_time, bool expires,
    struct index_trailer *t_r) NODISCARD;

#endif

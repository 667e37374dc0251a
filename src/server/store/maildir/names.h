/*
 * names.h - which messages are in a Maildir now.
 */
#ifndef SERVER_STORE_MAILDIR_NAMES_H
#define SERVER_STORE_MAILDIR_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/ipc/index.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/map.h"

struct name {
	const char *s; /* letter and file name, ends with a NUL */
	uint32_t base; /* of the table's base */
	uint32_t next; /* of the same base name; MAP_NONE */
	uint32_t pass; /* of the reading of its directory that saw it last */
	uint16_t len, base_len; /* of all of s; of the base name behind s[0] */
	bool gone;
};

struct names_base {
	uint32_t name; /* the last of its files; they are linked; MAP_NONE */
	uint32_t user; /* for who has the table; MAP_NONE at first */
	bool mark;     /* the same; false at first */
};

/* What the table knows of a directory. */
struct names_dir {
	struct index_time time; /* as it was before it was read */
	uint32_t pass;          /* of its last reading, from 1 */
	bool known;             /* time is one that was seen */
	bool firm;              /* a later change makes another time */
	bool torn;              /* one reading is not enough */
};

struct names {
	struct name *v; /* some of them gone */
	uint32_t n;
	size_t room;
	struct names_base *base;
	uint32_t bases;
	size_t base_room;
	struct map by_base; /* base name: which of base */
	struct arena arena;
	struct names_dir dir[SUBS];
	bool quiet; /* nothing had changed when the last reading was over */
};

void names_init(struct names *t);
void names_free(struct names *t);

/* Base name of a file name: up to its first ":". */
size_t names_base_len(const char *file);

/* The place in t->base of a base name, which is made if it is new.  The
 * octets are borrowed until names_free().  E_NOMEM. */
enum err names_base(
    struct names *t, struct slice base, uint32_t *at_r) NODISCARD;
/* The same; MAP_NONE if it is not there. */
uint32_t names_find(const struct names *t, struct slice base);

/* Adds what the index has of a directory (letter and file name, with a NUL
 * behind, borrowed until names_free()), and says that the directory was so at
 * that time: it is not read if it has the time still. */
enum err names_add(struct names *t, uint32_t base, struct slice name) NODISCARD;
void names_trust(struct names *t, enum maildir_sub sub, struct index_time time);

/* Makes the table say what is there, reading what has changed. */
enum err names_read(
    struct names *t, const struct maildir_dirs *d, struct errbuf *eb) NODISCARD;

/* The only file with that base name; NULL if there is none or several, which
 * *several_r (may be NULL) then says. */
const struct name *names_only(
    const struct names *t, struct slice base, bool *several_r);

/* What to record as the time of a directory as the table has it. */
struct index_time names_time(const struct names *t, enum maildir_sub sub);

struct stat;
/* When anything about a directory, or its entries, changed last.  Not the time
 * of its entries alone: whoever restores a backup sets that back. */
struct index_time names_dir_time(const struct stat *st);
bool names_same_time(struct index_time a, struct index_time b);

#endif

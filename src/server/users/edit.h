/*
 * edit.h - the users file as text: lines that are not touched stay as they
 * are, and a change is there whole or not at all.
 */
#ifndef SERVER_USERS_EDIT_H
#define SERVER_USERS_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "server/users/name.h"

struct edit {
	char *path; /* symbolic links resolved */
	char *text;
	size_t n;
	bool exists;
	uid_t uid; /* of the file, if it exists */
	gid_t gid;
	mode_t mode;
	int lock; /* or -1 */
};

/* Reads the file; one that does not exist is empty.  With `lock`, after
 * others that change it, and E_BUSY if they take too long. */
enum err edit_open(
    struct edit *ed, const char *path, bool lock, struct errbuf *eb) NODISCARD;
void edit_close(struct edit *ed); /* wipes; also after a failed edit_open() */

/* A user's line: where it is in the text, with its LF. */
struct edit_line {
	size_t at, n;
	struct slice hash; /* within the text */
};

/* The first line whose name is, by the rule, `name`, which has come from
 * name_normalize().  fold: ASCII case does not matter.  hash: NULL, or what the
 * line must have.  False: there is none. */
bool edit_find(const struct edit *ed, const struct name_rule *rule,
    const char *name, bool fold, const char *hash, struct edit_line *line_r);

/* Another hash for the user of that name.  was: NULL, or the one that they must
 * have.  E_NOENT: there is no such user. */
enum err edit_set_hash(struct edit *ed, const struct name_rule *rule,
    const char *name, const char *was, const char *hash,
    struct errbuf *eb) NODISCARD;

/* Puts `with` in the place of n octets. */
enum err edit_splice(struct edit *ed, size_t at, size_t n, struct slice with,
    struct errbuf *eb) NODISCARD;

/* Writes the text to a new file (of the same owner and mode; 0600 if there
 * was none), to the disk, and in the place of the old one.  Only with the lock:
 * the new file's name is always the same, so one that was left behind by who
 * died over it is replaced. */
enum err edit_save(const struct edit *ed, struct errbuf *eb) NODISCARD;

#endif

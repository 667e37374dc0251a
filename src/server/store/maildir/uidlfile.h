/*
 * uidlfile.h - malote-uidl: every unique-id that does not follow from the
 * file name, and how that was decided.
 *
 * It is no cache: it is synced before a unique-id is shown, and belongs in
 * backups.  A text file that is appended to; each line has a check of its
 * own, and a line that fails it is left out.
 *
 *	malote-uidl 1
 *	<check> u <unique-id> <key>           the message's unique-id
 *	<check> d <unique-id> <key> <inode>   of one of several files of that
 *	                                      name, which keep their own; the
 *	                                      last line of a unique-id holds
 *	<check> m <decision>                  filename, dovecot, courier
 *	<check> i <list>                      it appeared after the decision: it
 *	                                      is ignored, and that was logged
 *
 * The key is what the unique-id would be by default (uid_own()).  "m" comes
 * behind the lines that were made by the decision, so that one that was cut
 * short is made again.
 */
#ifndef SERVER_STORE_MAILDIR_UIDLFILE_H
#define SERVER_STORE_MAILDIR_UIDLFILE_H

#include "base/buf.h"
#include "server/store/maildir/map.h"
#include "server/store/maildir/uidl.h"
#include "server/store/store.h"

#define UIDLFILE_NAME "malote-uidl"

struct uidl_line {
	struct slice uid, key;
	uint64_t ino;  /* 0: of "u" */
	uint32_t next; /* of the same key; MAP_NONE */
	bool used;     /* its message is there */
};

struct uidlfile {
	struct uidl_line *v;
	uint32_t n;
	size_t room;
	uint32_t several; /* of v: those with an inode */
	uint32_t saved;   /* of v: these are in the file */
	uint32_t bad;     /* lines that were left out */
	struct map by_key;
	struct arena arena;
	enum store_uidl decided, saved_decided; /* UIDL_AUTO: not yet */
	unsigned ignored, saved_ignored;        /* bits of 1 << UIDL_... */
	bool exists, headed, torn;
	bool partial; /* not all messages could be seen: no line is dead */
};

void uidlfile_init(struct uidlfile *u);
void uidlfile_free(struct uidlfile *u);

/* The name of the setting that was decided on; "" for UIDL_AUTO. */
const char *uidlfile_decision(enum store_uidl decided);

/* One that is not there is empty. */
enum err uidlfile_load(
    struct uidlfile *u, int root, struct errbuf *eb) NODISCARD;
/* For load and tests. */
enum err uidlfile_line(struct uidlfile *u, struct slice line) NODISCARD;

/* The line of a message that has the key to itself (ino 0), or of the file
 * with that inode among several; NULL.  Borrowed until the next add. */
struct uidl_line *uidlfile_find(
    const struct uidlfile *u, struct slice key, uint64_t ino);
/* The line that gives that unique-id to a file of that key; NULL. */
const struct uidl_line *uidlfile_by_uid(
    const struct uidlfile *u, struct slice key, struct slice uid);
/* Is there a line of one among several? */
bool uidlfile_is_several(const struct uidlfile *u, struct slice key);
/* Is a file of that key the message with that unique-id?  Of several files each
 * is known by its inode, but for one that is not written down. */
bool uidlfile_is_its_file(
    const struct uidlfile *u, struct slice key, struct slice uid, uint64_t ino);

/* Octets are copied.  The line counts as used, and an older one of the same
 * message no more. */
enum err uidlfile_add(struct uidlfile *u, struct slice uid, struct slice key,
    uint64_t ino) NODISCARD;

/* Writes and syncs what was added and decided; without the unused lines when
 * most are.  E_DENIED: the disk is full or read-only. */
enum err uidlfile_save(
    struct uidlfile *u, int root, struct errbuf *eb) NODISCARD;

#endif

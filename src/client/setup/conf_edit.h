/*
 * conf_edit.h - changes malote's configuration file as text.
 *
 * What a change does not concern stays as it is, to the octet: comments, order,
 * indentation, a byte order mark, ends of lines.  The file is replaced whole or
 * not at all, keeps its mode and its owner, and a symbolic link goes on pointing
 * to it.
 *
 * One program at a time has a file open here; a person's editor is not held up
 * by that, but what it has saved meanwhile is never overwritten.
 */
#ifndef CLIENT_SETUP_CONF_EDIT_H
#define CLIENT_SETUP_CONF_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"

struct conf_edit {
	char *path; /* symbolic links resolved */
	char *text; /* NUL behind it */
	size_t n;
	char *bare; /* the same without comments; as long as the text */
	bool exists;
	struct stat st; /* of the file, if it exists */
	int fd;         /* of the new file, which is the lock too; or -1 */
	bool saved;
};

/* Reads the file; one that does not exist is empty, and its folder is made.
 * E_BUSY: another malote has had it open for 3 seconds.  E_CONFIG: it is not
 * text in which blocks can be told apart; the words name the line.  E_DENIED: it
 * may not be written to, or is a symbolic link to nothing.  Do not keep
 * it open while a person is asked something. */
enum err conf_edit_open(
    struct conf_edit *ed, const char *path, struct errbuf *eb) NODISCARD;
/* Without conf_edit_save() before it, nothing has changed.  Wipes; also after a
 * failed conf_edit_open(). */
void conf_edit_close(struct conf_edit *ed);

/* Where a block `account NAME { ... }` stands in the text, valid until the next
 * change. */
struct conf_block {
	size_t at, n;          /* from its first octet to its brace, included */
	size_t title, title_n; /* NAME, with its quotation marks */
};

/* The block of that number, from 0 on: of an account in client_conf that is its
 * place in v.  False: there are not so many. */
bool conf_edit_block(
    const struct conf_edit *ed, size_t number, struct conf_block *b_r);

/* The block of the account of that name.  E_NOENT: there is none.  E_CONFIG: the
 * file as it is now is no configuration. */
enum err conf_edit_find(const struct conf_edit *ed, const char *name,
    struct conf_block *b_r, struct errbuf *eb) NODISCARD;

/* A change that would make the text one in which blocks cannot be told apart is
 * not made: E_CONFIG. */

/* Another name for the block. */
enum err conf_edit_rename(struct conf_edit *ed, const struct conf_block *b,
    const char *name, struct errbuf *eb) NODISCARD;

/* Puts a line into the block, behind the others: `NAME = VALUE`. */
enum err conf_edit_add(struct conf_edit *ed, const struct conf_block *b,
    const char *setting, struct errbuf *eb) NODISCARD;

/* Removes the block with the comments in it, and the lines that this leaves
 * empty; comments before and behind it stay. */
enum err conf_edit_remove(struct conf_edit *ed, const struct conf_block *b,
    struct errbuf *eb) NODISCARD;

/* Appends a block behind an empty line.  Its lines end by \n, the last one too;
 * in a file whose lines end by \r\n they will do so too. */
enum err conf_edit_append(
    struct conf_edit *ed, const char *block, struct errbuf *eb) NODISCARD;

/* Writes what was changed, to the disk.  E_BUSY: somebody else has changed the
 * file since it was opened; it is as they left it. */
enum err conf_edit_save(struct conf_edit *ed, struct errbuf *eb) NODISCARD;

/* Writes a value with quotation marks so that it is read as it is: those that a
 * person would write, if they do.  False: it does not fit, or holds an end of
 * line, which no value may. */
bool conf_edit_quote(char *out, size_t size, const char *value) NODISCARD;

#endif

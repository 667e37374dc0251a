/*
 * mine.h - what the person has deleted here (`delete_mine`).
 *
 * A message counts only if it is seen, in this run: its file with Maildir's T flag,
 * or in a folder that the configuration names as trash.  That a file, a folder or a
 * whole disk is not there says nothing.  The file is tied to the row by what its
 * name says (deliver/name.h): account, unique-id and header; one that another
 * program has named anew, by its header alone.  If the message is here in another
 * file that is not deleted, it is not deleted.
 */
#ifndef CLIENT_STATE_MINE_H
#define CLIENT_STATE_MINE_H

#include "client/deliver/delivery.h"
#include "client/message/message.h"

struct account;
struct mine;

struct mine *mine_new(const struct account *a); /* NULL: memory */
void mine_free(struct mine *w);
/* An account that there is a record of; its files are not this one's. */
enum err mine_other(void *mine, const char *name) NODISCARD;

/* Reads the names of all files of a delivery, and the headers of some. */
enum err mine_read(
    struct mine *w, struct delivery *d, struct errbuf *eb) NODISCARD;
/* When all were read: sets `deleted_here` of those that were deleted. */
void mine_mark(struct mine *w, struct message *v, size_t n);

#endif

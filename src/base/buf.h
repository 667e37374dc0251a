/*
 * buf.h - a bounded queue of octets: appended at the end, consumed at the
 * front.
 *
 * The bound is given at creation and never exceeded.  Memory is taken at the
 * first append and given back when a buffer runs empty and is trimmed, so
 * that an idle session holds none.
 *
 * While a buffer is at work it may be lent memory that many use in turn: that
 * stays in the processor's cache, and is not taken and given back each time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
	char *mem;
	size_t off;  /* first octet of the content */
	size_t len;  /* octets of content */
	size_t cap;  /* octets allocated */
	size_t max;  /* octets that cap never exceeds */
	bool secret; /* wipe memory before it is given back */
	bool lent;   /* mem is not ours */
};

/* No memory is taken.  `secret`: what was in it is wiped when freed. */
void buf_init(struct buf *b, size_t max, bool secret);
void buf_free(struct buf *b); /* may be used again afterwards */

/* Room for n more octets behind the content, borrowed until the next call;
 * NULL when that is beyond max or memory is short.  buf_added() then says how
 * many were written. */
char *buf_room(struct buf *b, size_t n) NODISCARD;
void buf_added(struct buf *b, size_t n);

/* E_FULL or E_NOMEM leave the buffer as it was. */
enum err buf_put(struct buf *b, const void *p, size_t n) NODISCARD;
enum err buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3) NODISCARD;

/* Takes the last n octets back; they are copied to p unless it is NULL. */
void buf_unput(struct buf *b, void *p, size_t n);

/* Drops n octets at the front. */
void buf_consume(struct buf *b, size_t n);

/* Gives the memory back if there is no content. */
void buf_trim(struct buf *b);

/* Lends b n octets at mem until buf_reclaim() or buf_free().  A buffer that has
 * memory of its own does not use them, one that needs more leaves them. */
void buf_lend(struct buf *b, char *mem, size_t n);

/* Ends the loan: content moves to memory of b's own.  E_NOMEM: the content is
 * lost. */
enum err buf_reclaim(struct buf *b) NODISCARD;

static inline char *
buf_data(const struct buf *b)
{
	return b->off != 0 ? b->mem + b->off : b->mem;
}

#endif

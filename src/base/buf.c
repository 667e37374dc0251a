#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 128 };

void
buf_init(struct buf *b, size_t max, bool secret)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
	b->secret = secret;
}

static void
mem_free(struct buf *b)
{
	if (b->secret && b->mem != NULL)
		explicit_bzero(b->mem, b->cap);
	if (!b->lent)
		free(b->mem);
	b->lent = false;
}

void
buf_free(struct buf *b)
{
	mem_free(b);
	buf_init(b, b->max, b->secret);
}

/* realloc() could leave a copy of a secret behind. */
static bool
buf_move(struct buf *b, size_t cap)
{
	char *mem = malloc(cap);

	if (mem == NULL)
		return false;
	if (b->len != 0)
		memcpy(mem, buf_data(b), b->len);
	mem_free(b);
	b->mem = mem;
	b->off = 0;
	b->cap = cap;
	return true;
}

static bool
buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap != 0 ? b->cap : BUF_FIRST;

	while (cap < need)
		cap *= 2;
	return buf_move(b, cap < b->max ? cap : b->max);
}

char *
buf_room(struct buf *b, size_t n)
{
	if (n > b->max || b->len > b->max - n)
		return NULL;
	if (b->cap - b->off - b->len < n || b->mem == NULL) {
		if (b->mem != NULL && b->cap - b->len >= n) {
			memmove(b->mem, buf_data(b), b->len);
			b->off = 0;
		} else if (!buf_grow(b, b->len + n)) {
			return NULL;
		}
	}
	return b->mem + b->off + b->len;
}

void
buf_added(struct buf *b, size_t n)
{
	b->len += n;
}

enum err
buf_put(struct buf *b, const void *p, size_t n)
{
	char *room;

	if (n == 0)
		return E_OK;
	if ((room = buf_room(b, n)) == NULL)
		return n > b->max || b->len > b->max - n ? E_FULL : E_NOMEM;
	memcpy(room, p, n);
	b->len += n;
	return E_OK;
}

enum err
buf_printf(struct buf *b, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		return E_FULL;
	return buf_put(b, text, (size_t)n);
}

void
buf_unput(struct buf *b, void *p, size_t n)
{
	if (n == 0)
		return;
	b->len -= n;
	if (p != NULL)
		memcpy(p, buf_data(b) + b->len, n);
	if (b->secret)
		explicit_bzero(buf_data(b) + b->len, n);
}

void
buf_consume(struct buf *b, size_t n)
{
	if (b->secret && n != 0)
		explicit_bzero(buf_data(b), n);
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		b->off = 0;
}

void
buf_trim(struct buf *b)
{
	if (b->len == 0 && b->mem != NULL && !b->lent)
		buf_free(b);
}

void
buf_lend(struct buf *b, char *mem, size_t n)
{
	buf_trim(b);
	if (b->mem != NULL)
		return;
	b->mem = mem;
	b->cap = n < b->max ? n : b->max;
	b->lent = true;
}

enum err
buf_reclaim(struct buf *b)
{
	enum err e = E_OK;

	if (!b->lent)
		return e;
	if (b->len != 0) {
		if (buf_move(b, b->len))
			return e;
		e = E_NOMEM;
	}
	buf_free(b);
	return e;
}

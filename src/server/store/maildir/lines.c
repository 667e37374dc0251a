#include "server/store/maildir/lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUF = 64 * 1024 };
#define FILE_MAX_OCTETS (UINT64_C(512) * 1024 * 1024)

struct lines {
	char *buf;
	size_t n;  /* octets in buf */
	bool skip; /* the line goes on, and is too long */
};

/* Hands over the whole lines in the buffer and keeps the rest. */
static enum err
take_lines(struct lines *l, lines_take take, void *arg)
{
	static const struct slice too_long = { NULL, 0 };
	size_t at = 0;
	char *nl;

	while ((nl = memchr(l->buf + at, '\n', l->n - at)) != NULL) {
		struct slice line = { l->buf + at, (size_t)(nl - l->buf) - at };
		bool bad = l->skip || line.n > LINES_LONGEST;
		enum err e = take(arg, bad ? too_long : line);

		if (e != E_OK)
			return e;
		l->skip = false;
		at += line.n + 1;
	}
	if (l->n - at > LINES_LONGEST) {
		l->skip = true;
		at = l->n;
	}
	l->n -= at;
	memmove(l->buf, l->buf + at, l->n);
	return E_OK;
}

enum err
lines_read(int fd, lines_take take, void *arg, bool *torn_r, struct errbuf *eb)
{
	struct lines l = { .buf = malloc(BUF) };
	uint64_t at = 0;
	enum err e = E_OK;
	ssize_t n = 0;

	if (l.buf == NULL)
		return err_set(eb, E_NOMEM, "reading lines");
	while (e == E_OK &&
	       (n = pread(fd, l.buf + l.n, BUF - l.n, (off_t)at)) > 0) {
		at += (uint64_t)n;
		l.n += (size_t)n;
		e = at > FILE_MAX_OCTETS
			? err_set(eb, E_FULL, "the file is too large")
			: take_lines(&l, take, arg);
	}
	if (e == E_OK && n < 0)
		e = err_sys(eb, E_IO, "reading");
	*torn_r = l.n != 0 || l.skip;
	free(l.buf);
	return e;
}

bool
lines_word(struct slice *rest, char separator, struct slice *word_r)
{
	const char *end;

	if (rest->n == 0)
		return false;
	end = memchr(rest->p, separator, rest->n);
	word_r->p = rest->p;
	word_r->n = end != NULL ? (size_t)(end - rest->p) : rest->n;
	rest->p += word_r->n + (end != NULL);
	rest->n -= word_r->n + (end != NULL);
	return true;
}

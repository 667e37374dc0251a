#include "client/send/quoted_printable.h"

#include <stdbool.h>
#include <string.h>

enum { WIDTH = 75 }; /* octets of a line before the "=" that breaks it */

struct writer {
	struct buf *out;
	size_t column;
	enum err e;
};

static void
put(struct writer *w, const char *p, size_t n)
{
	if (w->e == E_OK)
		w->e = buf_put(w->out, p, n);
	w->column += n;
}

static void
put_octet(struct writer *w, char c, bool is_last)
{
	static const char hex[] = "0123456789ABCDEF";
	const char coded[] = { '=', hex[(unsigned char)c >> 4],
		hex[(unsigned char)c & 15] };
	/* White space at the end of a line would get lost. */
	bool plain = (c > ' ' && c < 0x7f && c != '=') ||
		     ((c == ' ' || c == '\t') && !is_last);
	size_t n = plain ? 1 : sizeof(coded);

	if (w->column + n > WIDTH) {
		put(w, "=\n", 2);
		w->column = 0;
	}
	put(w, plain ? &c : coded, n);
}

static void
put_line(struct writer *w, struct slice line)
{
	for (size_t i = 0; i < line.n; i++)
		put_octet(w, line.p[i], i + 1 == line.n);
	put(w, "\n", 1);
	w->column = 0;
}

enum err
quoted_printable_put(struct buf *out, struct slice text)
{
	struct writer w = { .out = out };

	while (w.e == E_OK && text.n != 0) {
		const char *lf = memchr(text.p, '\n', text.n);
		size_t n = lf != NULL ? (size_t)(lf - text.p) : text.n;
		size_t skip = n + (lf != NULL);

		if (lf != NULL && n != 0 && text.p[n - 1] == '\r')
			n--;
		put_line(&w, (struct slice){ text.p, n });
		text.p += skip;
		text.n -= skip;
	}
	return w.e;
}

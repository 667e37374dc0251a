#include "client/message/encoded_word.h"

#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/str.h"

enum { WORD_MAX = 1024, CHARSET_MAX = 64, TEXT_MAX = 64 * 1024 };

/* =?charset?B?text?= */
struct word {
	char charset[CHARSET_MAX];
	char how; /* B or Q */
	struct slice text;
	size_t n; /* octets of all of it */
};

static const char *
find(const char *p, const char *end, char c)
{
	return p < end ? memchr(p, c, (size_t)(end - p)) : NULL;
}

/* At "=?".  False: it is none. */
static bool
word_parse(struct word *w, const char *p, const char *end)
{
	const char *charset = p + 2, *how, *text, *close;
	size_t n;

	if (end - p < 8 || p[0] != '=' || p[1] != '?' ||
	    (how = find(charset, end, '?')) == NULL || end - how < 4 ||
	    how[2] != '?')
		return false;
	text = how + 3;
	w->how = str_lower1(how[1]);
	if ((w->how != 'b' && w->how != 'q') ||
	    (close = find(text, end, '?')) == NULL || close + 1 == end ||
	    close[1] != '=')
		return false;
	/* A language may follow (RFC 2231 s5). */
	n = (size_t)(how - charset);
	if (find(charset, how, '*') != NULL)
		n = (size_t)(find(charset, how, '*') - charset);
	if (n == 0 || n >= CHARSET_MAX)
		return false;
	memcpy(w->charset, charset, n);
	w->charset[n] = '\0';
	w->text = (struct slice){ text, (size_t)(close - text) };
	w->n = (size_t)(close + 2 - p);
	return w->text.n <= WORD_MAX;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower1(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t
decode_q(char *out, struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] == '_' ? ' ' : s.p[i];

		if (c == '=' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 &&
		    hex(s.p[i + 2]) >= 0) {
			c = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	return n;
}

/* False: the character set is not known, or the octets are none of it. */
static bool
add_converted(struct buf *out, const char *charset, char *p, size_t n)
{
	iconv_t cd = iconv_open("UTF-8", charset);
	char utf8[4 * WORD_MAX], *to = utf8;
	size_t room = sizeof(utf8);
	bool ok;

	if (cd == (iconv_t)-1)
		return false;
	ok = iconv(cd, &p, &n, &to, &room) != (size_t)-1 && n == 0;
	iconv_close(cd);
	return ok && buf_put(out, utf8, (size_t)(to - utf8)) == E_OK;
}

static bool
add_word(struct buf *out, const struct word *w)
{
	char octets[WORD_MAX];
	size_t n;

	if (w->how == 'q')
		n = decode_q(octets, w->text);
	else if (b64_decode(octets, w->text, &n) != E_OK)
		return false;
	return add_converted(out, w->charset, octets, n);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* White space at p, up to an encoded word that follows; 0: none does. */
static size_t
gap(const char *p, const char *end)
{
	size_t n = 0;
	struct word w;

	while (p + n < end && is_space(p[n]))
		n++;
	return word_parse(&w, p + n, end) ? n : 0;
}

static enum err
decode(struct buf *out, const char *p, const char *end)
{
	struct word w;
	enum err e = E_OK;

	while (e == E_OK && p < end) {
		if (*p == '=' && word_parse(&w, p, end) && add_word(out, &w)) {
			p += w.n;
			p += gap(p, end);
			continue;
		}
		/* The ends of lines within a field are folds. */
		if (*p != '\r' && *p != '\n')
			e = buf_put(out, *p == '\t' ? " " : p, 1);
		p++;
	}
	return e;
}

/* What is no UTF-8 was most likely written in Latin-1. */
static char *
finish(struct buf *b)
{
	struct buf latin;
	char *text;

	buf_init(&latin, 2 * TEXT_MAX, false);
	if (b->len != 0 && !str_is_utf8(buf_data(b), b->len)) {
		for (size_t i = 0; i < b->len; i++) {
			unsigned char c = (unsigned char)buf_data(b)[i];
			char two[2] = { (char)(0xc0 | c >> 6),
				(char)(0x80 | (c & 0x3f)) };

			if (buf_put(&latin, c < 0x80 ? (char *)&c : two,
				c < 0x80 ? 1 : 2) != E_OK)
				break;
		}
		b = &latin;
	}
	text = b->len != 0 ? strndup(buf_data(b), b->len) : strdup("");
	buf_free(&latin);
	return text;
}

char *
encoded_word_decode(const char *text, size_t n)
{
	struct buf out;
	char *made = NULL;

	buf_init(&out, TEXT_MAX, false);
	if (decode(&out, text, text + n) == E_OK)
		made = finish(&out);
	buf_free(&out);
	return made;
}

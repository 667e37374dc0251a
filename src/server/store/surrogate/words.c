#include "server/store/surrogate/words.h"

#include <string.h>

#include "base/b64.h"

enum { PIECE = 45 }; /* octets of a word: with what is around it 75 at most */

bool
surrogate_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice
surrogate_trim(struct slice s)
{
	while (s.n != 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n != 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static enum err
put_word(struct buf *out, const char *p, size_t n)
{
	char word[B64_ENCODED(PIECE)];
	enum err e;

	b64_encode(word, p, n);
	if ((e = buf_put(out, "=?utf-8?B?", 10)) == E_OK &&
	    (e = buf_put(out, word, B64_ENCODED(n))) == E_OK)
		e = buf_put(out, "?=", 2);
	return e;
}

/* So many octets, whole characters, without ends of lines.  Moves on in *s. */
static size_t
take_piece(struct slice *s, char out[PIECE])
{
	size_t n = 0;

	while (s->n != 0) {
		size_t len = 1;

		while (len < 4 && len < s->n &&
		       ((unsigned char)s->p[len] & 0xc0) == 0x80)
			len++;
		if (len > PIECE - n)
			break;
		if (*s->p != '\r' && *s->p != '\n') {
			memcpy(out + n, s->p, len);
			n += len;
		}
		s->p += len;
		s->n -= len;
	}
	return n;
}

static enum err
encode(struct buf *out, struct slice text)
{
	char piece[PIECE];
	enum err e = E_OK;

	for (bool first = true; text.n != 0 && e == E_OK; first = false) {
		size_t n = take_piece(&text, piece);

		if (!first)
			e = buf_put(out, "\n ", 2);
		if (e == E_OK)
			e = put_word(out, piece, n);
	}
	return e;
}

/* "=?charset?B?...?=" as a whole word of the text, which is what p begins; 0:
 * this is none.  One with an octet that means something among addresses is none
 * either: it may have stood within quotation marks, which are gone. */
static size_t
encoded_len(const char *p, size_t n)
{
	size_t len = 0, marks = 0;

	for (; len < n && !is_space(p[len]); len++) {
		if (p[len] < 0x21 || p[len] > 0x7e ||
		    strchr("()<>@,;:\\\"[]", p[len]) != NULL)
			return 0;
		marks += p[len] == '?';
	}
	if (len < 9 || marks != 4 || memcmp(p, "=?", 2) != 0 ||
	    memcmp(p + len - 2, "?=", 2) != 0)
		return 0;
	return len;
}

/* Up to a word that is encoded already, of that length; all of it: no more. */
static size_t
next_encoded(struct slice s, size_t *len_r)
{
	for (size_t i = 0; i < s.n; i++) {
		if (i != 0 && !is_space(s.p[i - 1]))
			continue;
		if ((*len_r = encoded_len(s.p + i, s.n - i)) != 0)
			return i;
	}
	*len_r = 0;
	return s.n;
}

/* Words that are encoded stay.  Readers leave out the space between two such
 * words, so what stands between them brings its own. */
enum err
surrogate_words(struct buf *out, struct slice text)
{
	enum err e = E_OK;
	size_t len;

	for (bool first = true; text.n != 0 && e == E_OK;) {
		size_t n = next_encoded(text, &len);
		struct slice plain = { text.p, n };

		if (surrogate_trim(plain).n != 0) {
			if (!first)
				e = buf_put(out, "\n ", 2);
			if (e == E_OK)
				e = encode(out, plain);
			first = false;
		}
		if (e == E_OK && len != 0 && !first)
			e = buf_put(out, "\n ", 2);
		if (e == E_OK)
			e = buf_put(out, text.p + n, len);
		first = first && len == 0;
		text.p += n + len;
		text.n -= n + len;
	}
	return e;
}

enum err
surrogate_text(struct buf *out, struct slice text)
{
	return surrogate_is_ascii(text) ? buf_put(out, text.p, text.n)
					: surrogate_words(out, text);
}

enum err
surrogate_unquote(struct buf *out, struct slice s)
{
	enum err e = E_OK;
	bool quoted = false;

	for (size_t i = 0; i < s.n && e == E_OK; i++) {
		if (s.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		e = buf_put(out, &s.p[i], 1);
	}
	return e;
}

size_t
surrogate_span(struct slice s, const char *stops)
{
	size_t depth = 0, i;
	bool quoted = false, angle = false;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && (quoted || depth != 0))
			i++;
		else if (quoted)
			quoted = c != '"';
		else if (c == '(' || (c == ')' && depth != 0))
			depth += c == '(' ? 1 : (size_t)-1;
		else if (depth != 0)
			continue;
		else if (!angle && c != '\0' && strchr(stops, c) != NULL)
			return i;
		else if (c == '"')
			quoted = true;
		else if (c == '<' || c == '>')
			angle = c == '<';
	}
	return s.n;
}

#include "server/store/surrogate/mime_parts.h"

#include <string.h>

#include "base/buf.h"
#include "server/store/surrogate/mime_header.h"
#include "server/store/surrogate/words.h"

/* ---- what a header says ---- */

/* The word that a body begins with. */
static struct slice
first_word(struct slice body)
{
	size_t n = 0;

	while (n < body.n && strchr(" \t\r\n(;", body.p[n]) == NULL)
		n++;
	return (struct slice){ body.p, n };
}

/* False if it says none. */
static bool
content_type(struct slice header, struct slice *body_r, struct slice *type_r)
{
	if (!mime_find(header, "Content-Type", body_r))
		return false;
	*type_r = first_word(*body_r);
	return true;
}

static bool
is_encoded(struct slice header)
{
	struct slice body, word;

	if (!mime_find(header, "Content-Transfer-Encoding", &body))
		return false;
	word = first_word(body);
	return slice_caseeq(word, "base64") ||
	       slice_caseeq(word, "quoted-printable");
}

static bool
begins_with(struct slice s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && slice_caseeq((struct slice){ s.p, n }, word);
}

static bool
is_message(struct slice type)
{
	return slice_caseeq(type, "message/rfc822") ||
	       slice_caseeq(type, "message/global");
}

size_t
mime_global(struct slice header)
{
	struct slice body, type;

	if (!content_type(header, &body, &type) ||
	    !slice_caseeq(type, "message/global") || is_encoded(header))
		return 0;
	return (size_t)(type.p + type.n - header.p) - strlen("global");
}

/* ---- boundaries ---- */

/* A value up to its closing quotation mark, or to what ends a word. */
static struct slice
cut_value(struct slice value)
{
	size_t n = 1;

	if (value.n == 0 || value.p[0] != '"')
		return first_word(value);
	while (n < value.n && value.p[n] != '"')
		n += value.p[n] == '\\' ? 2 : 1;
	return (struct slice){ value.p, n < value.n ? n : value.n };
}

/* False: there is none that could be found again. */
static bool
take_boundary(struct mime_level *level, struct slice value)
{
	struct buf out;
	bool ok;

	buf_init(&out, MIME_BOUNDARY_MAX, false);
	buf_lend(&out, level->boundary, MIME_BOUNDARY_MAX);
	ok = surrogate_unquote(&out, cut_value(value)) == E_OK && out.len != 0;
	level->boundary_n = (unsigned char)out.len;
	buf_free(&out);
	return ok && surrogate_is_ascii(
			 (struct slice){ level->boundary, level->boundary_n });
}

/* body: of Content-Type. */
static bool
find_boundary(struct mime_level *level, struct slice body)
{
	for (size_t at = surrogate_span(body, ";"), n; at < body.n; at += n) {
		struct slice one = { body.p + at + 1, body.n - at - 1 }, name;
		const char *eq;

		n = surrogate_span(one, ";");
		one.n = n++;
		if ((eq = memchr(one.p, '=', one.n)) == NULL)
			continue;
		name = surrogate_trim(
		    (struct slice){ one.p, (size_t)(eq - one.p) });
		if (slice_caseeq(name, "boundary"))
			return take_boundary(
			    level, surrogate_trim((struct slice){ eq + 1,
				       (size_t)(one.p + one.n - eq - 1) }));
	}
	return false;
}

enum mime_kind
mime_enter(struct mime_parts *m, struct slice header, bool of_part)
{
	struct slice body, type;
	bool in_digest = of_part && m->n != 0 && m->v[m->n - 1].digest;

	if (is_encoded(header))
		return MIME_LEAF;
	if (!content_type(header, &body, &type))
		return in_digest ? MIME_MESSAGE : MIME_LEAF;
	if (is_message(type))
		return MIME_MESSAGE;
	if (m->n == MIME_LEVELS_MAX || !begins_with(type, "multipart/") ||
	    !find_boundary(&m->v[m->n], body))
		return MIME_LEAF;
	m->v[m->n++].digest = slice_caseeq(type, "multipart/digest");
	return MIME_MULTIPART;
}

/* ---- lines ---- */

/* How many multiparts are around the one that it belongs to, and that one; 0: it
 * is no delimiter. */
static unsigned
find_level(const struct mime_parts *m, struct slice line, bool *last_r)
{
	if (m->n == 0 || line.n < 3 || memcmp(line.p, "--", 2) != 0)
		return 0;
	line = surrogate_trim((struct slice){ line.p + 2, line.n - 2 });
	for (unsigned i = m->n; i != 0; i--) {
		const struct mime_level *v = &m->v[i - 1];
		size_t n = v->boundary_n;

		if (line.n < n || memcmp(line.p, v->boundary, n) != 0)
			continue;
		*last_r = line.n == n + 2 && memcmp(line.p + n, "--", 2) == 0;
		if (*last_r || line.n == n)
			return i;
	}
	return 0;
}

bool
mime_is_delimiter(const struct mime_parts *m, struct slice line)
{
	bool last;

	return find_level(m, line, &last) != 0;
}

bool
mime_leave(struct mime_parts *m, struct slice line, bool *last_r)
{
	unsigned level = find_level(m, line, last_r);

	if (level == 0)
		return false;
	m->n = *last_r ? level - 1 : level;
	return true;
}

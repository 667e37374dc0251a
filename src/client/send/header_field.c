#include "client/send/header_field.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/b64.h"

/* ---- reading ---- */

/* Octets of the first line, its end included. */
static size_t
line_length(struct slice s)
{
	const char *lf = s.n != 0 ? memchr(s.p, '\n', s.n) : NULL;

	return lf != NULL ? (size_t)(lf - s.p) + 1 : s.n;
}

static size_t
name_length(struct slice s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > ' ' && s.p[n] < 0x7f && s.p[n] != ':')
		n++;
	return n;
}

static bool
is_folded(struct slice s)
{
	return s.n != 0 && (s.p[0] == ' ' || s.p[0] == '\t');
}

static void
skip(struct slice *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

bool
header_field_next(struct slice *rest, struct header_field *f)
{
	size_t n = name_length(*rest), colon = n;
	struct slice s = *rest;

	while (colon < s.n && (s.p[colon] == ' ' || s.p[colon] == '\t'))
		colon++;
	if (n == 0 || colon == s.n || s.p[colon] != ':')
		return false;
	skip(&s, line_length(s));
	while (is_folded(s))
		skip(&s, line_length(s));
	f->name = (struct slice){ rest->p, n };
	f->whole = (struct slice){ rest->p, rest->n - s.n };
	f->value = f->whole;
	skip(&f->value, colon + 1);
	*rest = s;
	return true;
}

/* ---- writing ---- */

enum { WORD = 45 }; /* octets of text in one word of 75 */

/* As much of it as one word holds, without a part of a character. */
static size_t
word_length(struct slice text)
{
	size_t n = text.n < WORD ? text.n : WORD;

	while (n > 1 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

enum err
header_put_encoded(struct buf *out, struct slice text)
{
	char coded[B64_ENCODED(WORD)];
	enum err e = E_OK;

	for (bool first = true; e == E_OK && text.n != 0; first = false) {
		size_t n = word_length(text);

		b64_encode(coded, text.p, n);
		e = buf_printf(out, "%s=?utf-8?B?%.*s?=", first ? "" : "\n ",
		    (int)B64_ENCODED(n), coded);
		skip(&text, n);
	}
	return e;
}

static bool
is_ascii(const char *s)
{
	while (*s != '\0' && (unsigned char)*s < 0x80)
		s++;
	return *s == '\0';
}

/* One line, whatever the name holds: an end of line in it would begin a field. */
static void
flatten(char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			*name = ' ';
}

static enum err
put_quoted(struct buf *out, const char *name)
{
	enum err e = buf_put(out, "\"", 1);

	for (; e == E_OK && *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			e = buf_put(out, "\\", 1);
		if (e == E_OK)
			e = buf_put(out, name, 1);
	}
	return e == E_OK ? buf_put(out, "\"", 1) : e;
}

enum err
header_put_name(struct buf *out, const char *name)
{
	char *line = strdup(name);
	enum err e;

	if (line == NULL)
		return E_NOMEM;
	flatten(line);
	e = is_ascii(line)
		? put_quoted(out, line)
		: header_put_encoded(out, (struct slice){ line, strlen(line) });
	free(line);
	return e;
}

enum err
header_put_date(struct buf *out, int64_t unix_seconds)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = unix_seconds;
	struct tm tm;
	long zone;

	if (localtime_r(&t, &tm) == NULL)
		return E_FORMAT;
	zone = tm.tm_gmtoff / 60;
	return buf_printf(out, "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, zone < 0 ? '-' : '+',
	    labs(zone) / 60, labs(zone) % 60);
}

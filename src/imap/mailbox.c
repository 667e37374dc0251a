#include "imap/mailbox.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- quoted strings ---- */

static enum err
put_octet(struct buf *out, char c)
{
	enum err e = E_OK;

	if (c == '"' || c == '\\')
		e = buf_put(out, "\\", 1);
	return e == E_OK ? buf_put(out, &c, 1) : e;
}

enum err
imap_put_quoted(struct buf *out, struct slice s, bool utf8)
{
	enum err e;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n' ||
		    (!utf8 && (unsigned char)s.p[i] > 0x7f))
			return E_FORMAT;
	e = buf_put(out, "\"", 1);
	for (size_t i = 0; i < s.n && e == E_OK; i++)
		e = put_octet(out, s.p[i]);
	return e == E_OK ? buf_put(out, "\"", 1) : e;
}

/* ---- modified UTF-7 ---- */

/* Bits that wait for six of them to be complete. */
struct shifted {
	bool on; /* between & and - */
	uint32_t bits;
	unsigned n;
};

static enum err
put_sextets(struct buf *out, struct shifted *s, bool last)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789+,";
	enum err e = E_OK;

	if (last && s->n % 6 != 0) {
		s->bits <<= 6 - s->n % 6;
		s->n += 6 - s->n % 6;
	}
	for (; s->n >= 6 && e == E_OK; s->n -= 6)
		e = buf_put(out, &letters[s->bits >> (s->n - 6) & 63], 1);
	return e;
}

static enum err
put_unit(struct buf *out, struct shifted *s, uint32_t unit)
{
	enum err e = E_OK;

	if (!s->on)
		e = buf_put(out, "&", 1);
	s->on = true;
	s->bits = s->bits << 16 | unit;
	s->n += 16;
	return e == E_OK ? put_sextets(out, s, false) : e;
}

static enum err
shift_back(struct buf *out, struct shifted *s)
{
	enum err e = E_OK;

	if (s->on && (e = put_sextets(out, s, true)) == E_OK)
		e = buf_put(out, "-", 1);
	*s = (struct shifted){ .on = false };
	return e;
}

/* Of well-formed UTF-8. */
static uint32_t
character_take(struct slice *s)
{
	unsigned char c = (unsigned char)*s->p;
	unsigned more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	uint32_t v = more == 0 ? c : c & (0x3fu >> more);

	for (unsigned i = 1; i <= more; i++)
		v = v << 6 | ((unsigned char)s->p[i] & 0x3f);
	*s = (struct slice){ s->p + more + 1, s->n - more - 1 };
	return v;
}

static enum err
put_character(struct buf *out, struct shifted *s, uint32_t v)
{
	char c = (char)v;
	enum err e;

	if (v >= 0x20 && v < 0x7f) {
		if ((e = shift_back(out, s)) != E_OK)
			return e;
		return v == '&' ? buf_put(out, "&-", 2) : put_octet(out, c);
	}
	if (v < 0x10000)
		return put_unit(out, s, v);
	v -= 0x10000;
	e = put_unit(out, s, 0xd800 + (v >> 10));
	return e == E_OK ? put_unit(out, s, 0xdc00 + (v & 0x3ff)) : e;
}

enum err
imap_put_mailbox(struct buf *out, struct slice name, bool utf8)
{
	struct shifted s = { .on = false };
	enum err e;

	if (utf8)
		return imap_put_quoted(out, name, true);
	if (!str_is_utf8(name.p, name.n))
		return E_FORMAT;
	e = buf_put(out, "\"", 1);
	while (e == E_OK && name.n != 0)
		e = put_character(out, &s, character_take(&name));
	if (e == E_OK)
		e = shift_back(out, &s);
	return e == E_OK ? buf_put(out, "\"", 1) : e;
}

/* ---- dates ---- */

char *
imap_date(char out[IMAP_DATE], int64_t unix_seconds)
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)unix_seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(out, IMAP_DATE, "%02u-%s-%04u %02u:%02u:%02u +0000",
	    (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12],
	    (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
	    (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return out;
}

#include "server/store/surrogate/surrogate.h"

#include <string.h>

#include "server/store/surrogate/downgrade.h"
#include "server/store/surrogate/mime_header.h"
#include "server/store/surrogate/words.h"

/* Of what is made of a header.  Only a list of tens of thousands of addresses, of
 * a letter each, becomes more. */
enum { MADE_MAX_OCTETS = 16 * SURROGATE_HEAD };

void
surrogate_begin(
    struct surrogate *s, enum surrogate_how how, surrogate_sink sink, void *arg)
{
	*s = (struct surrogate){ .how = how, .sink = sink, .arg = arg };
	buf_init(&s->held, SURROGATE_HEAD, false);
}

/* Sends the first n octets of those that are held. */
static enum err
send_held(struct surrogate *s, size_t n, struct errbuf *eb)
{
	enum err e = E_OK;

	if (n != 0)
		e = s->sink(s->arg, buf_data(&s->held), n, eb);
	buf_consume(&s->held, n);
	return e;
}

static enum err
hold(struct surrogate *s, const char *p, size_t n, struct errbuf *eb)
{
	enum err e = buf_put(&s->held, p, n);

	return e == E_OK ? E_OK
			 : err_set(eb, e, "reading a header: %s", err_str(e));
}

/* Is the end of what is held the end of a line? */
static bool
holds_whole_line(const struct surrogate *s)
{
	return s->held.len != 0 && buf_data(&s->held)[s->held.len - 1] == '\n';
}

static void
begin_body(struct surrogate *s)
{
	s->place = s->parts.n != 0 ? SURROGATE_IN_BODY : SURROGATE_IN_REST;
}

/* ---- a header ---- */

static struct slice
last_line(const struct surrogate *s)
{
	return (struct slice){ buf_data(&s->held) + s->line,
		s->held.len - s->line };
}

static bool
is_of_field(const struct surrogate *s, struct slice line)
{
	return mime_name_len(line.p, line.n) != 0 ||
	       (s->line != 0 && (line.p[0] == ' ' || line.p[0] == '\t'));
}

static bool
is_empty(struct slice line)
{
	return line.p[0] == '\n' || (line.n == 2 && line.p[0] == '\r');
}

/* Makes another header, if this one needs that. */
static enum err
convert(struct surrogate *s, struct slice *header, struct buf *made,
    struct errbuf *eb)
{
	enum err e;

	if (surrogate_is_ascii(*header) || !str_is_utf8(header->p, header->n))
		return E_OK;
	s->needed = true;
	if (s->how == SURROGATE_NONE)
		return E_OK;
	e = downgrade_header(made, *header, s->how == SURROGATE_FULL);
	if (e == E_FULL) { /* it is passed on */
		buf_consume(made, made->len);
		return E_OK;
	}
	if (e != E_OK)
		return err_set(eb, e, "converting a header: %s", err_str(e));
	*header = (struct slice){ buf_data(made), made->len };
	return E_OK;
}

/* A message that is in ASCII is no message/global any more: who does not know
 * that type shows it then. */
static void
rename_global(struct surrogate *s, char *header, size_t n)
{
	size_t at = mime_global((struct slice){ header, n });

	if (at == 0)
		return;
	s->needed = true;
	if (s->how != SURROGATE_NONE)
		memcpy(header + at, "rfc822", 6);
}

/* The header is what is held up to the last line. */
static enum err
end_header(struct surrogate *s, struct errbuf *eb)
{
	struct slice header = { buf_data(&s->held), s->line };
	enum mime_kind kind;
	struct buf made;
	enum err e;

	buf_init(&made, MADE_MAX_OCTETS, false);
	e = convert(s, &header, &made, eb);
	if (e == E_OK)
		rename_global(
		    s, buf_data(made.len != 0 ? &made : &s->held), header.n);
	if (e == E_OK && header.n != 0)
		e = s->sink(s->arg, header.p, header.n, eb);
	kind = mime_enter(&s->parts, header, s->of_part);
	buf_free(&made);
	buf_consume(&s->held, s->line);
	s->line = 0;
	s->of_part = false;
	if (kind != MIME_MESSAGE)
		begin_body(s);
	return e;
}

/* ---- lines ---- */

/* A line of a body, held whole. */
static enum err
end_line(struct surrogate *s, struct errbuf *eb)
{
	bool last;

	s->at_start = holds_whole_line(s);
	if (s->at_start &&
	    mime_leave(&s->parts,
		(struct slice){ buf_data(&s->held), s->held.len }, &last)) {
		begin_body(s);
		if (!last) {
			s->place = SURROGATE_IN_HEADER;
			s->of_part = true;
		}
	}
	return send_held(s, s->held.len, eb);
}

/* A line where a field may be. */
static enum err
end_header_line(struct surrogate *s, struct errbuf *eb)
{
	struct slice line = last_line(s);
	bool empty = is_empty(line);
	enum err e;

	if (is_of_field(s, line) && !mime_is_delimiter(&s->parts, line)) {
		s->line = s->held.len;
		return E_OK;
	}
	if ((e = end_header(s, eb)) != E_OK)
		return e;
	if (!empty)
		begin_body(s);
	if (s->place != SURROGATE_IN_HEADER)
		return end_line(s, eb);
	return send_held(s, s->held.len, eb);
}

/* ---- octets ---- */

static enum err
put_header(struct surrogate *s, const char *p, size_t n, size_t *used_r,
    struct errbuf *eb)
{
	size_t len = mime_line_len(p, n);
	enum err e;

	*used_r = 0;
	if (len > SURROGATE_HEAD - s->held.len) { /* it is passed on */
		s->at_start = holds_whole_line(s);
		s->line = 0;
		begin_body(s);
		return send_held(s, s->held.len, eb);
	}
	*used_r = len;
	e = hold(s, p, len, eb);
	return e == E_OK && holds_whole_line(s) ? end_header_line(s, eb) : e;
}

/* Octets up to the next line that may be a delimiter. */
static size_t
plain_len(struct surrogate *s, const char *p, size_t n)
{
	const char *at;

	if (s->at_start && p[0] == '-')
		return 0;
	at = memmem(p, n, "\n-", 2);
	s->at_start = at != NULL || p[n - 1] == '\n';
	return at != NULL ? (size_t)(at - p) + 1 : n;
}

static enum err
put_body(struct surrogate *s, const char *p, size_t n, size_t *used_r,
    struct errbuf *eb)
{
	size_t room = MIME_DELIMITER_MAX - s->held.len, len;
	enum err e;

	if (s->held.len == 0 && (*used_r = plain_len(s, p, n)) != 0)
		return s->sink(s->arg, p, *used_r, eb);
	len = mime_line_len(p, n < room ? n : room);
	*used_r = len;
	if ((e = hold(s, p, len, eb)) == E_OK &&
	    (holds_whole_line(s) || s->held.len == MIME_DELIMITER_MAX))
		e = end_line(s, eb);
	return e;
}

enum err
surrogate_put(void *arg, const void *p, size_t n, struct errbuf *eb)
{
	struct surrogate *s = arg;
	const char *at = p;
	enum err e = E_OK;

	for (size_t used; n != 0 && e == E_OK; at += used, n -= used)
		if (s->place == SURROGATE_IN_HEADER)
			e = put_header(s, at, n, &used, eb);
		else if (s->place == SURROGATE_IN_BODY)
			e = put_body(s, at, n, &used, eb);
		else
			e = s->sink(s->arg, at, used = n, eb);
	return e;
}

enum err
surrogate_end(struct surrogate *s, enum err e, struct errbuf *eb)
{
	if (e == E_OK && s->place == SURROGATE_IN_HEADER) {
		if (s->line != s->held.len && is_of_field(s, last_line(s)))
			s->line = s->held.len;
		e = end_header(s, eb);
	}
	if (e == E_OK)
		e = send_held(s, s->held.len, eb);
	buf_free(&s->held);
	return e;
}

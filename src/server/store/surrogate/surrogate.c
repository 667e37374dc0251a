#include "server/store/surrogate/surrogate.h"

#include <string.h>

#include "server/store/surrogate/address_list.h"
#include "server/store/surrogate/parameter.h"
#include "server/store/surrogate/words.h"

/* Of what is made of a header: an octet becomes three at most, and each piece of
 * a text some more. */
enum { MADE_MAX_OCTETS = 16 * SURROGATE_HEAD };

void
surrogate_begin(
    struct surrogate *s, enum surrogate_how how, surrogate_sink sink, void *arg)
{
	*s = (struct surrogate){ .how = how, .sink = sink, .arg = arg };
	buf_init(&s->head, SURROGATE_HEAD, false);
}

/* ---- lines of a header ---- */

/* The line at p with its LF; all of it if there is none. */
static size_t
line_len(const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);

	return lf != NULL ? (size_t)(lf - p) + 1 : n;
}

/* "Name:"; there may be spaces before the colon (RFC 5322 s4.5). */
static size_t
field_name_len(const char *p, size_t n)
{
	size_t len = 0, colon;

	while (len < n && p[len] > 0x20 && p[len] < 0x7f && p[len] != ':')
		len++;
	for (colon = len; colon < n && (p[colon] == ' ' || p[colon] == '\t');)
		colon++;
	return colon < n && p[colon] == ':' ? len : 0;
}

/* A field with the lines that continue it; 0: the header ends here. */
static size_t
field_len(const char *p, size_t n)
{
	size_t len;

	if (field_name_len(p, n) == 0)
		return 0;
	len = line_len(p, n);
	while (len < n && (p[len] == ' ' || p[len] == '\t'))
		len += line_len(p + len, n - len);
	return len;
}

static size_t
header_len(const char *p, size_t n)
{
	size_t len = 0, field;

	while ((field = field_len(p + len, n - len)) != 0)
		len += field;
	return len;
}

/* Is there an empty line behind it, or one that is no field?  What has no end yet
 * may become one. */
static bool
has_whole_header(const char *p, size_t n)
{
	size_t len = header_len(p, n);

	return memchr(p + len, '\n', n - len) != NULL;
}

/* ---- fields ---- */

enum kind { ADDRESSES, TEXT, PARAMETERS, WRAPPED, OTHER };

static const struct {
	const char *name;
	enum kind kind;
} fields[] = {
	{ "From", ADDRESSES },
	{ "Sender", ADDRESSES },
	{ "Reply-To", ADDRESSES },
	{ "To", ADDRESSES },
	{ "Cc", ADDRESSES },
	{ "Bcc", ADDRESSES },
	{ "Return-Path", ADDRESSES },
	{ "Resent-From", ADDRESSES },
	{ "Resent-Sender", ADDRESSES },
	{ "Resent-To", ADDRESSES },
	{ "Resent-Cc", ADDRESSES },
	{ "Resent-Bcc", ADDRESSES },
	{ "Subject", TEXT },
	{ "Content-Type", PARAMETERS },
	{ "Content-Disposition", PARAMETERS },
	/* Within these an encoded word means nothing: they are renamed, RFC
	 * 6857 s3.1.10. */
	{ "Message-ID", WRAPPED },
	{ "Resent-Message-ID", WRAPPED },
	{ "In-Reply-To", WRAPPED },
	{ "References", WRAPPED },
	{ "Original-Recipient", WRAPPED },
	{ "Final-Recipient", WRAPPED },
};

static enum kind
kind_of(struct slice name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (slice_caseeq(name, fields[i].name))
			return fields[i].kind;
	return OTHER;
}

static enum err
put(struct buf *out, struct slice s)
{
	return buf_put(out, s.p, s.n);
}

static enum err
put_name(struct buf *out, const char *prefix, struct slice name)
{
	enum err e = buf_put(out, prefix, strlen(prefix));

	if (e == E_OK)
		e = put(out, name);
	return e == E_OK ? buf_put(out, ": ", 2) : e;
}

/* With what is left of it; nothing if that is nothing. */
static enum err
convert_field(struct buf *out, struct slice name, struct slice body, bool full)
{
	size_t before = out->len;
	enum kind kind = kind_of(name);
	bool dropped = false;
	enum err e;

	if (!full && (kind == WRAPPED || kind == OTHER))
		return E_OK;
	e = put_name(out, kind == WRAPPED ? "Downgraded-" : "", name);
	if (e == E_OK && kind == ADDRESSES)
		e = surrogate_addresses(out, body, full);
	else if (e == E_OK && kind == PARAMETERS)
		e = surrogate_parameters(out, body, full, &dropped);
	else if (e == E_OK)
		e = surrogate_words(out, body);
	if (e == E_OK)
		e = buf_put(out, "\n", 1);
	if (dropped)
		buf_unput(out, NULL, out->len - before);
	return e;
}

static enum err
convert_header(struct buf *out, const char *p, size_t n, bool full)
{
	enum err e = E_OK;

	for (size_t at = 0, len; at < n && e == E_OK; at += len) {
		struct slice field, name, body;

		len = field_len(p + at, n - at);
		field = (struct slice){ p + at, len };
		if (surrogate_is_ascii(field)) {
			e = put(out, field);
			continue;
		}
		name = (struct slice){ field.p, field_name_len(p + at, len) };
		body.p = (const char *)memchr(field.p, ':', len) + 1;
		body.n = (size_t)(field.p + len - body.p);
		e = convert_field(out, name, surrogate_trim(body), full);
	}
	return e;
}

/* ---- the message ---- */

static enum err
send_header(struct surrogate *s, size_t n, struct errbuf *eb)
{
	struct buf made;
	enum err e;

	buf_init(&made, MADE_MAX_OCTETS, false);
	e = convert_header(
	    &made, buf_data(&s->head), n, s->how == SURROGATE_FULL);
	if (e != E_OK)
		err_set(eb, e, "converting a header: %s", err_str(e));
	else if (made.len != 0)
		e = s->sink(s->arg, buf_data(&made), made.len, eb);
	buf_free(&made);
	return e;
}

/* The header is there, or will not be; from here on octets pass. */
static enum err
begin_body(struct surrogate *s, struct errbuf *eb)
{
	struct slice head = { buf_data(&s->head), s->head.len };
	enum err e = E_OK;
	size_t n;

	s->in_body = true;
	if (head.n == 0)
		return E_OK;
	n = header_len(head.p, head.n);
	s->needed = n < SURROGATE_HEAD &&
		    !surrogate_is_ascii((struct slice){ head.p, n }) &&
		    str_is_utf8(head.p, n);
	if (!s->needed || s->how == SURROGATE_NONE)
		n = 0;
	else
		e = send_header(s, n, eb);
	if (e == E_OK && head.n > n)
		e = s->sink(s->arg, head.p + n, head.n - n, eb);
	buf_free(&s->head);
	return e;
}

enum err
surrogate_put(void *arg, const void *p, size_t n, struct errbuf *eb)
{
	struct surrogate *s = arg;
	size_t room = SURROGATE_HEAD - s->head.len, part = n < room ? n : room;
	enum err e;

	if (s->in_body)
		return s->sink(s->arg, p, n, eb);
	if ((e = buf_put(&s->head, p, part)) != E_OK)
		return err_set(eb, e, "reading a header: %s", err_str(e));
	if (s->head.len == SURROGATE_HEAD ||
	    has_whole_header(buf_data(&s->head), s->head.len))
		e = begin_body(s, eb);
	if (e != E_OK || part == n)
		return e;
	return s->sink(s->arg, (const char *)p + part, n - part, eb);
}

enum err
surrogate_end(struct surrogate *s, enum err e, struct errbuf *eb)
{
	if (e == E_OK && !s->in_body)
		e = begin_body(s, eb);
	buf_free(&s->head);
	return e;
}

#include "client/send/letter.h"

#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/send/header_field.h"
#include "client/send/quoted_printable.h"

enum { LINE_MAX_OCTETS = 998 }; /* RFC 5322 s2.1.1, without its end */

/* ---- which fields are what ---- */

enum field_kind {
	FIELD_OTHER,
	FIELD_DROPPED,
	FIELD_FROM,
	FIELD_RECIPIENT,
	FIELD_BCC,
	FIELD_TEXT, /* unstructured: it may be encoded */
	FIELD_DATE,
	FIELD_ID,
	FIELD_MIME,
	FIELD_TYPE,
	FIELD_ENCODING,
};

static const struct {
	const char *name;
	enum field_kind kind;
} fields[] = {
	{ "From", FIELD_FROM },
	{ "To", FIELD_RECIPIENT },
	{ "Cc", FIELD_RECIPIENT },
	{ "Bcc", FIELD_BCC },
	{ "Subject", FIELD_TEXT },
	{ "Comments", FIELD_TEXT },
	{ "Date", FIELD_DATE },
	{ "Message-ID", FIELD_ID },
	{ "MIME-Version", FIELD_MIME },
	{ "Content-Type", FIELD_TYPE },
	{ "Content-Transfer-Encoding", FIELD_ENCODING },
	{ "Return-Path", FIELD_DROPPED },
	{ "Content-Length", FIELD_DROPPED },
};

static const char resent[] = "Resent-";

enum { RESENT = sizeof(resent) - 1 };

static bool
is_resent(struct slice name)
{
	return name.n > RESENT &&
	       slice_caseeq((struct slice){ name.p, RESENT }, resent);
}

static enum field_kind
kind_of(struct slice name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (slice_caseeq(name, fields[i].name))
			return fields[i].kind;
	if (name.n > 2 && (name.p[0] == 'X' || name.p[0] == 'x') &&
	    name.p[1] == '-')
		return FIELD_TEXT;
	return FIELD_OTHER;
}

static enum field_kind
kind_resent(struct slice name)
{
	return kind_of((struct slice){ name.p + RESENT, name.n - RESENT });
}

/* ---- reading ---- */

/* What is between white space. */
static struct slice
trim(struct slice s)
{
	static const char space[] = " \t\r\n";

	while (s.n != 0 && strchr(space, s.p[0]) != NULL && s.p[0] != '\0') {
		s.p++;
		s.n--;
	}
	while (s.n != 0 && strchr(space, s.p[s.n - 1]) != NULL &&
	       s.p[s.n - 1] != '\0')
		s.n--;
	return s;
}

static bool
begins_with(struct slice s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && slice_caseeq((struct slice){ s.p, n }, word);
}

static bool
is_readable_encoding(struct slice s)
{
	return slice_caseeq(s, "7bit") || slice_caseeq(s, "8bit");
}

struct reading {
	struct letter *l;
	bool with_recipients, resent;
	struct errbuf *eb;
};

/* The recipients of a message that is sent on are those of its Resent- fields, and
 * so is who sends it. */
static enum err
note_resent(struct reading *r, const struct header_field *f)
{
	struct letter *l = r->l;

	switch (kind_resent(f->name)) {
	case FIELD_FROM:
		addresses_free(&l->from);
		return addresses_add(&l->from, f->value, r->eb);
	case FIELD_RECIPIENT:
	case FIELD_BCC:
		if (!r->with_recipients)
			return E_OK;
		if (!r->resent)
			addresses_free(&l->to);
		r->resent = true;
		return addresses_add(&l->to, f->value, r->eb);
	default: return E_OK;
	}
}

static enum err
note_field(struct reading *r, const struct header_field *f)
{
	struct letter *l = r->l;

	if (is_resent(f->name))
		return note_resent(r, f);
	switch (kind_of(f->name)) {
	case FIELD_FROM:
		l->has_from = true;
		return l->from.n != 0
			   ? E_OK
			   : addresses_add(&l->from, f->value, r->eb);
	case FIELD_RECIPIENT:
	case FIELD_BCC:
		return r->with_recipients && !r->resent
			   ? addresses_add(&l->to, f->value, r->eb)
			   : E_OK;
	case FIELD_DATE: l->has_date = true; break;
	case FIELD_ID: l->has_id = true; break;
	case FIELD_MIME: l->has_mime = true; break;
	case FIELD_TYPE:
		l->has_type = true;
		l->is_text &= begins_with(trim(f->value), "text/");
		break;
	case FIELD_ENCODING:
		l->is_text &= is_readable_encoding(trim(f->value));
		break;
	default: break;
	}
	return E_OK;
}

/* The line of an mbox before the header. */
static void
skip_envelope(struct slice *raw)
{
	const char *lf = raw->n > 5 && memcmp(raw->p, "From ", 5) == 0
			     ? memchr(raw->p, '\n', raw->n)
			     : NULL;

	if (lf == NULL)
		return;
	raw->n -= (size_t)(lf + 1 - raw->p);
	raw->p = lf + 1;
}

/* An empty line ends the header, or one that is no field: then that is the first
 * one of the body. */
static void
skip_empty_line(struct slice *rest)
{
	size_t n = rest->n > 1 && rest->p[0] == '\r' && rest->p[1] == '\n' ? 2
		   : rest->n > 0 && rest->p[0] == '\n'                     ? 1
									   : 0;

	rest->p += n;
	rest->n -= n;
}

enum err
letter_read(
    struct letter *l, struct slice raw, bool with_recipients, struct errbuf *eb)
{
	struct reading r = { l, with_recipients, false, eb };
	struct header_field f;
	struct slice rest;
	enum err e = E_OK;

	*l = (struct letter){ .is_text = true };
	skip_envelope(&raw);
	rest = raw;
	while (e == E_OK && header_field_next(&rest, &f))
		e = note_field(&r, &f);
	l->header = (struct slice){ raw.p, raw.n - rest.n };
	skip_empty_line(&rest);
	l->body = rest;
	return e;
}

void
letter_free(struct letter *l)
{
	addresses_free(&l->from);
	addresses_free(&l->to);
}

/* ---- what a piece of it holds ---- */

struct found {
	size_t lines;
	size_t bad;      /* the first line that SMTP cannot carry; 0: none */
	const char *why; /* which is that */
	bool eightbit;
	bool is_ours; /* lines end by LF, and by nothing else */
};

static void
note_line(struct found *f, struct slice line)
{
	const char *why = NULL;

	if (!f->is_ours && line.n != 0 && line.p[line.n - 1] == '\r')
		line.n--;
	f->lines++;
	if (line.n > LINE_MAX_OCTETS)
		why = N_("is longer than 998 octets");
	else if (memchr(line.p, '\r', line.n) != NULL)
		why = N_("has a carriage return that ends no line");
	else if (memchr(line.p, '\0', line.n) != NULL)
		why = N_("has a NUL octet");
	if (why != NULL && f->bad == 0) {
		f->bad = f->lines;
		f->why = why;
	}
	for (size_t i = 0; i < line.n && !f->eightbit; i++)
		f->eightbit = (unsigned char)line.p[i] >= 0x80;
}

static struct found
look(struct slice s, bool is_ours)
{
	struct found f = { .is_ours = is_ours };

	while (s.n != 0) {
		const char *lf = memchr(s.p, '\n', s.n);
		size_t n = lf != NULL ? (size_t)(lf - s.p) : s.n;

		note_line(&f, (struct slice){ s.p, n });
		n += lf != NULL;
		s.p += n;
		s.n -= n;
	}
	return f;
}

static enum err
refuse(const char *part, const struct found *f, struct errbuf *eb)
{
	return err_set(
	    eb, E_FORMAT, _("line %zu of %s %s"), f->bad, part, _(f->why));
}

/* ---- writing ---- */

/* Lines end by LF, the last one too. */
static enum err
put_lines(struct buf *out, struct slice s)
{
	enum err e = E_OK;

	while (e == E_OK && s.n != 0) {
		const char *lf = memchr(s.p, '\n', s.n);
		size_t n = lf != NULL ? (size_t)(lf - s.p) : s.n;
		size_t skip = n + (lf != NULL);

		if (n != 0 && s.p[n - 1] == '\r')
			n--;
		e = buf_put(out, s.p, n);
		if (e == E_OK)
			e = buf_put(out, "\n", 1);
		s.p += skip;
		s.n -= skip;
	}
	return e;
}

/* Encoded, it would pass by note_line(). */
static bool
is_one_line(struct slice s)
{
	return memchr(s.p, '\n', s.n) == NULL &&
	       memchr(s.p, '\r', s.n) == NULL && memchr(s.p, '\0', s.n) == NULL;
}

/* A text in raw UTF-8 that a server without SMTPUTF8 would not take. */
static enum err
put_text(struct buf *out, const struct header_field *f)
{
	struct slice value = trim(f->value);
	enum err e;

	if (!look(value, false).eightbit || !str_is_utf8(value.p, value.n) ||
	    !is_one_line(value))
		return put_lines(out, f->whole);
	e = buf_printf(out, "%.*s: ", (int)f->name.n, f->name.p);
	if (e == E_OK)
		e = header_put_encoded(out, value);
	return e == E_OK ? buf_put(out, "\n", 1) : e;
}

static enum err
put_field(struct buf *out, const struct letter *l, const struct header_field *f,
    bool encodes)
{
	bool sent_on = is_resent(f->name);

	switch (sent_on ? kind_resent(f->name) : kind_of(f->name)) {
	case FIELD_DROPPED:
	case FIELD_BCC: return E_OK;
	case FIELD_FROM:
		return sent_on || l->has_from ? put_lines(out, f->whole) : E_OK;
	case FIELD_ENCODING: return encodes ? E_OK : put_lines(out, f->whole);
	case FIELD_TEXT: return put_text(out, f);
	default: return put_lines(out, f->whole);
	}
}

static enum err
put_from(struct buf *out, const struct letter_signature *s)
{
	enum err e = buf_printf(out, "From: ");

	if (e == E_OK && s->name != NULL && s->name[0] != '\0') {
		e = header_put_name(out, s->name);
		if (e == E_OK)
			e = buf_printf(out, " <%s>\n", s->address);
	} else if (e == E_OK) {
		e = buf_printf(out, "%s\n", s->address);
	}
	return e;
}

static enum err
put_id(struct buf *out, const struct letter_signature *s)
{
	const char *domain = address_domain(s->address);
	enum err e = buf_printf(out, "Message-ID: <");

	for (size_t i = 0; e == E_OK && i < sizeof(s->random); i++)
		e = buf_printf(out, "%02x", s->random[i]);
	if (e == E_OK)
		e = buf_printf(
		    out, "@%s>\n", domain != NULL ? domain : "localhost");
	return e;
}

static enum err
put_missing(
    struct buf *out, const struct letter *l, const struct letter_signature *s)
{
	enum err e = E_OK;

	if (!l->has_from)
		e = put_from(out, s);
	if (e == E_OK && !l->has_date &&
	    (e = buf_printf(out, "Date: ")) == E_OK &&
	    (e = header_put_date(out, s->date)) == E_OK)
		e = buf_put(out, "\n", 1);
	if (e == E_OK && !l->has_id)
		e = put_id(out, s);
	return e;
}

/* Of a body that is encoded. */
static enum err
put_encoding(struct buf *out, const struct letter *l, bool eightbit)
{
	enum err e = E_OK;

	if (!l->has_mime)
		e = buf_printf(out, "MIME-Version: 1.0\n");
	if (e == E_OK && !l->has_type && eightbit)
		e = buf_printf(out, "Content-Type: text/plain; charset=%s\n",
		    str_is_utf8(l->body.p, l->body.n) ? "utf-8"
						      : "unknown-8bit");
	return e == E_OK ? buf_printf(out,
			       "Content-Transfer-Encoding: quoted-printable\n")
			 : e;
}

static enum err
put_header(struct buf *out, const struct letter *l,
    const struct letter_signature *s, bool encodes, bool eightbit)
{
	struct slice rest = l->header;
	struct header_field f;
	enum err e = E_OK;

	while (e == E_OK && header_field_next(&rest, &f))
		e = put_field(out, l, &f, encodes);
	if (e == E_OK)
		e = put_missing(out, l, s);
	if (e == E_OK && encodes)
		e = put_encoding(out, l, eightbit);
	return e;
}

static enum err
put_all(struct buf *out, const struct letter *l,
    const struct letter_signature *s, struct letter_needs *needs,
    struct errbuf *eb)
{
	struct found body = look(l->body, false), header;
	size_t begins = out->len;
	enum err e;

	if (body.bad != 0 && !l->is_text)
		return refuse(_("the body"), &body, eb);
	e = put_header(out, l, s, body.bad != 0, body.eightbit);
	if (e != E_OK)
		return err_set(eb, e, "%s", err_str(e));
	header = look(
	    (struct slice){ buf_data(out) + begins, out->len - begins }, true);
	if (header.bad != 0)
		return refuse(_("the header"), &header, eb);
	if ((e = buf_put(out, "\n", 1)) == E_OK)
		e = body.bad != 0 ? quoted_printable_put(out, l->body)
				  : put_lines(out, l->body);
	needs->utf8 = header.eightbit;
	needs->eightbit = body.eightbit && body.bad == 0;
	return e == E_OK ? e : err_set(eb, e, "%s", err_str(e));
}

enum err
letter_write(struct buf *out, const struct letter *l,
    const struct letter_signature *s, struct letter_needs *needs,
    struct errbuf *eb)
{
	enum err e = put_all(out, l, s, needs, eb);

	if (e == E_FULL)
		return err_set(eb, e, _("the message is too large"));
	needs->octets = out->len;
	for (size_t i = 0; e == E_OK && i < out->len; i++)
		needs->octets += buf_data(out)[i] == '\n';
	return e;
}

#include "server/store/surrogate/address_list.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/surrogate/words.h"

static const char nobody[] = "<invalid@internationalized-address.invalid>";

/* One of a list, in parts. */
struct mailbox {
	struct slice name;    /* before the angle brackets; may be empty */
	struct slice address; /* within them, or all that is no comment */
	struct slice comment; /* behind it, or before one without brackets */
};

static enum err
put(struct buf *out, const char *text)
{
	return buf_put(out, text, strlen(text));
}

/* Of a comment that s begins with, with its parentheses; 0: there is none. */
static size_t
comment_len(struct slice s)
{
	size_t depth = 0;

	if (s.n == 0 || s.p[0] != '(')
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == ')')
			depth--;
		if (depth == 0)
			return i + 1;
	}
	return s.n;
}

static struct slice
trim_from(struct slice s, size_t at)
{
	return surrogate_trim((struct slice){ s.p + at, s.n - at });
}

static struct mailbox
parse_bare(struct slice s)
{
	size_t before = comment_len(s), n = 0;
	struct slice address = trim_from(s, before);

	while (n < address.n && address.p[n] != '(')
		n++;
	return (struct mailbox){
		.address = surrogate_trim((struct slice){ address.p, n }),
		.comment = before != 0 ? (struct slice){ s.p, before }
				       : trim_from(address, n),
	};
}

static struct mailbox
mailbox_parse(struct slice s)
{
	size_t open = surrogate_span(s, "<"), close;
	struct slice in, behind;

	if (open == s.n)
		return parse_bare(s);
	in = (struct slice){ s.p + open + 1, s.n - open - 1 };
	close = surrogate_span(in, ">");
	behind = trim_from(in, close < in.n ? close + 1 : close);
	return (struct mailbox){
		.name = surrogate_trim((struct slice){ s.p, open }),
		.address = surrogate_trim((struct slice){ in.p, close }),
		.comment = { behind.p, comment_len(behind) },
	};
}

/* ---- texts ---- */

/* A name as it is read, without its quotation marks. */
static enum err
put_name(struct buf *out, struct slice name)
{
	struct buf plain;
	enum err e;

	if (surrogate_is_ascii(name))
		return buf_put(out, name.p, name.n);
	buf_init(&plain, name.n + 1, false);
	if ((e = surrogate_unquote(&plain, name)) == E_OK && plain.len != 0)
		e = surrogate_words(
		    out, (struct slice){ buf_data(&plain), plain.len });
	buf_free(&plain);
	return e;
}

/* "(...)"; the outer parentheses are not encoded. */
static enum err
put_comment(struct buf *out, struct slice comment)
{
	struct slice in = { comment.p + 1, comment.n - 1 };
	enum err e;

	if (surrogate_is_ascii(comment))
		return buf_put(out, comment.p, comment.n);
	if (in.n != 0 && in.p[in.n - 1] == ')')
		in.n--;
	if ((e = put(out, "(")) == E_OK &&
	    (e = surrogate_words(out, in)) == E_OK)
		e = put(out, ")");
	return e;
}

/* Between a name and an encoded word.  Readers join two such words that are
 * neighbours: between these is one that is a space. */
static enum err
put_space(struct buf *out, struct slice name)
{
	return put(
	    out, surrogate_is_ascii(name) ? "\n " : "\n =?utf-8?B?IA==?=\n ");
}

/* ---- one mailbox ---- */

/* The domain in its ASCII form; NULL: it is not the domain only that is beyond
 * ASCII, or there is no such form.  To be freed. */
static char *
domain_ascii(struct slice address, struct slice *local_r)
{
	const char *at = memrchr(address.p, '@', address.n);
	uint8_t *made = NULL;
	char *domain;

	if (at == NULL)
		return NULL;
	*local_r = (struct slice){ address.p, (size_t)(at - address.p) };
	if (!surrogate_is_ascii(*local_r))
		return NULL;
	domain = strndup(at + 1, (size_t)(address.p + address.n - at - 1));
	if (domain != NULL &&
	    idn2_lookup_u8((const uint8_t *)domain, &made,
		IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		made = NULL;
	free(domain);
	return (char *)made;
}

static enum err
put_brackets(struct buf *out, struct slice address, struct slice local,
    const char *domain)
{
	enum err e = put(out, "<");

	if (e == E_OK && domain == NULL)
		e = buf_put(out, address.p, address.n);
	else if (e == E_OK && (e = buf_put(out, local.p, local.n)) == E_OK &&
		 (e = put(out, "@")) == E_OK)
		e = put(out, domain);
	return e == E_OK ? put(out, ">") : e;
}

/* The address has a form in ASCII: domain, or all of it. */
static enum err
put_mailbox(struct buf *out, const struct mailbox *m, struct slice local,
    const char *domain)
{
	enum err e = put_name(out, m->name);

	if (e == E_OK && m->name.n != 0)
		e = put(out, "\n ");
	return e == E_OK ? put_brackets(out, m->address, local, domain) : e;
}

/* It has none. */
static enum err
put_surrogate(struct buf *out, const struct mailbox *m, bool full)
{
	enum err e = put_name(out, m->name);

	if (e == E_OK && m->name.n != 0 && full)
		e = put_space(out, m->name);
	if (e == E_OK && (full || m->name.n == 0))
		e = surrogate_words(out, m->address);
	if (e == E_OK)
		e = put(out, full ? " :;" : "\n ");
	return e == E_OK && !full ? put(out, nobody) : e;
}

static enum err
convert_mailbox(struct buf *out, struct slice s, bool full)
{
	struct mailbox m = mailbox_parse(s);
	struct slice local = { "", 0 };
	char *domain = NULL;
	enum err e;

	if (surrogate_is_ascii(s))
		return buf_put(out, s.p, s.n);
	if (full && !surrogate_is_ascii(m.address))
		domain = domain_ascii(m.address, &local);
	if (surrogate_is_ascii(m.address) ||
	    (domain != NULL &&
		surrogate_is_ascii((struct slice){ domain, strlen(domain) })))
		e = put_mailbox(out, &m, local, domain);
	else
		e = put_surrogate(out, &m, full);
	idn2_free(domain);
	if (e == E_OK && m.comment.n != 0 && (e = put(out, "\n ")) == E_OK)
		e = put_comment(out, m.comment);
	return e;
}

/* ---- lists ---- */

static enum err
convert_list(struct buf *out, struct slice list, bool full)
{
	enum err e = E_OK;

	for (size_t at = 0, n; at < list.n && e == E_OK; at += n + 1) {
		struct slice one = { list.p + at, list.n - at };

		n = surrogate_span(one, ",");
		one.n = n;
		one = surrogate_trim(one);
		if (at != 0)
			e = put(out, ",\n ");
		if (e == E_OK)
			e = convert_mailbox(out, one, full);
	}
	return e;
}

/* A group of which an address is lost becomes an empty one that tells them all,
 * as groups do not hold groups (RFC 6857 s3.1.8). */
static enum err
convert_group(struct buf *out, struct slice name, struct slice list, bool full)
{
	struct buf made;
	enum err e;

	buf_init(&made, out->max, false);
	if ((e = put_name(out, name)) == E_OK)
		e = convert_list(&made, list, full);
	if (e == E_OK && made.len != 0 &&
	    memmem(buf_data(&made), made.len, " :;", 3) != NULL) {
		if ((e = put_space(out, name)) == E_OK &&
		    (e = surrogate_words(out, list)) == E_OK)
			e = put(out, " :;");
	} else if (e == E_OK &&
		   (e = put(out, surrogate_is_ascii(name) ? ": " : " : ")) ==
		       E_OK) {
		if (made.len != 0)
			e = buf_put(out, buf_data(&made), made.len);
		if (e == E_OK)
			e = put(out, ";");
	}
	buf_free(&made);
	return e;
}

/* What stands before the next comma, or a group, which has commas in it. */
static enum err
convert_next(struct buf *out, struct slice *rest, bool full)
{
	size_t n = surrogate_span(*rest, ",:");
	struct slice one = { rest->p, n }, list;

	if (n == rest->n || rest->p[n] == ',') {
		*rest = (struct slice){ rest->p + n, rest->n - n };
		return convert_mailbox(out, surrogate_trim(one), full);
	}
	list = (struct slice){ rest->p + n + 1, rest->n - n - 1 };
	n = surrogate_span(list, ";");
	*rest = (struct slice){ list.p + n, list.n - n };
	if (rest->n != 0) { /* the semicolon */
		rest->p++;
		rest->n--;
	}
	list.n = n;
	return convert_group(
	    out, surrogate_trim(one), surrogate_trim(list), full);
}

enum err
surrogate_addresses(struct buf *out, struct slice list, bool full)
{
	enum err e = E_OK;

	while (list.n != 0 && e == E_OK) {
		e = convert_next(out, &list, full);
		list = surrogate_trim(list);
		if (list.n != 0 && list.p[0] == ',')
			list = surrogate_trim(
			    (struct slice){ list.p + 1, list.n - 1 });
		if (e == E_OK && list.n != 0)
			e = put(out, ",\n ");
	}
	return e;
}

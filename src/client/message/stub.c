#include "client/message/stub.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"
#include "client/message/fields.h"
#include "client/message/size.h"

enum {
	NAME_MAX_QUOTED = 4200,
	TEXT_MAX = 8 * 1024,
	ID_MAX = 400, /* octets of a Message-ID that is repeated */
};

/* Those that the stub has of its own, or must not have. */
static bool
is_left_out(struct slice line)
{
	static const char *const begins[] = { "Content-", "MIME-Version",
		"Message-ID", "In-Reply-To", "References", "Lines:", "From ",
		"Disposition-Notification-", "Return-Receipt-", "X-Malote-" };

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		size_t n = strlen(begins[i]);

		if (line.n >= n && strncasecmp(line.p, begins[i], n) == 0)
			return true;
	}
	return memchr(line.p, ':', line.n) == NULL;
}

/* Cuts off a line, without its end. */
static struct slice
line_take(struct slice *rest)
{
	const char *lf = memchr(rest->p, '\n', rest->n);
	struct slice line = { rest->p,
		lf != NULL ? (size_t)(lf - rest->p) : rest->n };
	size_t n = line.n + (lf != NULL);

	rest->p += n;
	rest->n -= n;
	while (line.n != 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static enum err
put_fields(struct buf *out, struct slice header)
{
	bool out_too = true; /* what the line continues is left out */
	enum err e = E_OK;

	while (header.n != 0 && e == E_OK) {
		struct slice line = line_take(&header);

		if (line.n == 0)
			break;
		if (*line.p != ' ' && *line.p != '\t')
			out_too = is_left_out(line);
		if (!out_too && (e = buf_put(out, line.p, line.n)) == E_OK)
			e = buf_put(out, "\n", 1);
	}
	return e;
}

/* "<...>" as it stands in the field; n is 0: there is none of that form, or it is
 * too long. */
static struct slice
message_id(struct slice header)
{
	struct slice value = { NULL, 0 }, none = { NULL, 0 };
	const char *begin, *end;

	if (!field_next(&header, "Message-ID", &value) ||
	    (begin = memchr(value.p, '<', value.n)) == NULL)
		return none;
	value.n -= (size_t)(begin - value.p);
	if ((end = memchr(begin, '>', value.n)) == NULL)
		return none;
	value = (struct slice){ begin, (size_t)(end + 1 - begin) };
	if (value.n > ID_MAX)
		return none;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] <= ' ' || value.p[i] > '~')
			return none;
	return value;
}

static enum err
put_own_fields(struct buf *out, const struct stub *s, struct slice header)
{
	struct slice id = message_id(header);
	char name[DIGEST_TEXT], key[DIGEST_TEXT];
	enum err e = buf_printf(out,
	    "Message-ID: <stub.%s.%s@malote.invalid>\n",
	    digest_text(name,
		digest_of((struct slice){ s->account, strlen(s->account) })),
	    digest_text(key, s->key));

	if (e == E_OK && id.n != 0)
		e = buf_printf(out, "In-Reply-To: %.*s\nReferences: %.*s\n",
		    (int)id.n, id.p, (int)id.n, id.p);
	if (e == E_OK)
		e = buf_printf(out,
		    "X-Malote-Size: %llu\nX-Malote-Number: %u\n"
		    "MIME-Version: 1.0\n"
		    "Content-Type: text/plain; charset=%s\n"
		    "Content-Transfer-Encoding: 8bit\n\n",
		    (unsigned long long)s->size, s->number,
		    nl_langinfo(CODESET));
	return e;
}

/* As a shell takes it for one word. */
static const char *
quote_name(char out[NAME_MAX_QUOTED], const char *name)
{
	size_t n = 0;

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+")] ==
	    '\0')
		return name;
	out[n++] = '\'';
	for (; *name != '\0' && n + 6 < NAME_MAX_QUOTED; name++) {
		if (*name == '\'') {
			memcpy(out + n, "'\\'", 3);
			n += 3;
		}
		out[n++] = *name;
	}
	out[n++] = '\'';
	out[n] = '\0';
	return out;
}

enum err
stub_make(struct buf *out, const struct stub *s, struct slice header)
{
	char size[REPORT_SIZE], name[NAME_MAX_QUOTED], text[TEXT_MAX];
	enum err e = put_fields(out, header);

	if (e == E_OK)
		e = put_own_fields(out, s, header);
	if (e == E_OK) {
		snprintf(text, sizeof(text),
		    _("This is only the header of a message of %s, as the "
		      "setting \"headers_above\"\nhas it. The whole message "
		      "stays on the server %s.\n\nThis collects it:\n\n"
		      "\tmalote fetch %s %u\n\nIt comes as a message of its "
		      "own; this one can be deleted.\n"),
		    report_size(size, s->size), s->server,
		    quote_name(name, s->account), s->number);
		e = buf_put(out, text, strlen(text));
	}
	return e;
}

/* ---- reading one ---- */

static bool
read_number(struct slice header, const char *name, uint64_t *v_r)
{
	struct slice value;

	if (!field_next(&header, name, &value))
		return false;
	while (value.n != 0 && strchr(" \t\r\n", value.p[value.n - 1]) != NULL)
		value.n--;
	while (value.n != 0 && (*value.p == ' ' || *value.p == '\t')) {
		value.p++;
		value.n--;
	}
	return str_to_u64(value, v_r);
}

/* "<stub.ACCOUNT.KEY@malote.invalid>" */
static bool
read_key(struct slice header, struct digest *key_r)
{
	static const char begins[] = "<stub.", ends[] = "@malote.invalid>";
	const size_t text = DIGEST_TEXT - 1, at = sizeof(begins) - 1 + text + 1;
	struct slice id = message_id(header);

	if (id.n != at + text + sizeof(ends) - 1 ||
	    memcmp(id.p, begins, sizeof(begins) - 1) != 0 ||
	    memcmp(id.p + at + text, ends, sizeof(ends) - 1) != 0)
		return false;
	return digest_parse((struct slice){ id.p + at, text }, key_r);
}

bool
stub_read(struct slice header, struct stub_said *s_r)
{
	uint64_t number;

	if (!read_key(header, &s_r->key) ||
	    !read_number(header, "X-Malote-Size", &s_r->size) ||
	    !read_number(header, "X-Malote-Number", &number) || number == 0 ||
	    number > UINT32_MAX)
		return false;
	s_r->number = (uint32_t)number;
	return true;
}

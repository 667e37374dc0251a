#include "pop3/server_envelope.h"

#include <string.h>

#include "base/str.h"
#include "pop3/word.h"

enum { HEADER_MAX = 256 * 1024 }; /* octets that are looked through */

void
pop3_envelope_init(struct pop3_envelope *e)
{
	memset(e, 0, sizeof(*e));
}

/* ---- an address ---- */

static struct slice
trimmed(struct slice s)
{
	while (s.n != 0 && pop3_is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n != 0 && pop3_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* A space may be part of a quoted name only. */
static bool
is_address(struct slice s)
{
	if (s.n > POP3_ADDRESS_MAX || !str_is_utf8(s.p, s.n))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ||
		    (s.p[i] == ' ' && s.p[0] != '"'))
			return false;
	return true;
}

/* What is no address is as if it were not known. */
static void
take_address(struct pop3_envelope *e)
{
	struct slice s = trimmed((struct slice){ e->value, e->n_value });

	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>') {
		s.p++;
		s.n -= 2;
	}
	if (e->value_bad || !is_address(s))
		return;
	memcpy(e->field, s.p, s.n);
	e->field[s.n] = '\0';
}

/* ---- lines ---- */

static void
field_end(struct pop3_envelope *e)
{
	if (e->field != NULL)
		take_address(e);
	e->field = NULL;
}

static void
field_add(struct pop3_envelope *e, struct slice s)
{
	e->value_bad |= e->line_long || s.n > sizeof(e->value) - e->n_value;
	if (e->value_bad)
		return;
	memcpy(e->value + e->n_value, s.p, s.n);
	e->n_value += s.n;
}

static bool
is_name(struct slice name, const char *of)
{
	return slice_caseeq(trimmed(name), of);
}

static void
field_begin(struct pop3_envelope *e, struct slice line)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct slice name = { line.p,
		colon != NULL ? (size_t)(colon - line.p) : 0 };

	if (!e->has_sender && is_name(name, "Return-Path")) {
		e->has_sender = true;
		e->field = e->sender;
	} else if (!e->has_recipient && (is_name(name, "Delivered-To") ||
					    is_name(name, "X-Original-To"))) {
		e->has_recipient = true;
		e->field = e->recipient;
	} else {
		return;
	}
	e->n_value = 0;
	e->value_bad = false;
	line.p += name.n + 1;
	line.n -= name.n + 1;
	field_add(e, line);
}

/* False: the header has ended. */
static bool
line_take(struct pop3_envelope *e)
{
	struct slice line = { e->line, e->n_line };

	if (line.n != 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n != 0 && pop3_is_blank(line.p[0])) {
		if (e->field != NULL)
			field_add(e, line);
		return true;
	}
	field_end(e);
	if (line.n != 0)
		field_begin(e, line);
	return line.n != 0 &&
	       (!e->has_sender || !e->has_recipient || e->field != NULL);
}

static void
line_add(struct pop3_envelope *e, const char *p, size_t n)
{
	size_t room = sizeof(e->line) - e->n_line;

	e->line_long |= n > room;
	if (n > room)
		n = room;
	memcpy(e->line + e->n_line, p, n);
	e->n_line += n;
}

/* False: no more are needed. */
static bool
line_end(struct pop3_envelope *e)
{
	bool more = line_take(e);

	e->n_line = 0;
	e->line_long = false;
	return more;
}

bool
pop3_envelope_add(struct pop3_envelope *e, const char *octets, size_t n)
{
	while (n != 0) {
		const char *lf = memchr(octets, '\n', n);
		size_t some = lf != NULL ? (size_t)(lf - octets) : n;

		line_add(e, octets, some);
		some += lf != NULL;
		e->octets += some;
		octets += some;
		n -= some;
		if (lf != NULL && !line_end(e))
			return true;
	}
	if (e->octets <= HEADER_MAX)
		return false;
	if (e->n_line != 0 && !pop3_is_blank(e->line[0]))
		field_end(e);
	e->n_line = 0; /* and a field that may go on is not known */
	e->field = NULL;
	return true;
}

void
pop3_envelope_end(struct pop3_envelope *e)
{
	if (e->n_line != 0)
		(void)line_end(e); /* the last line may have no end */
	field_end(e);
}

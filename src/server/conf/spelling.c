#include "server/conf/spelling.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "sasl/sasl.h"

/* What SASLprep leaves of the characters that show nothing, or turn the writing
 * around: it goes by Unicode 3.2, and leaves spaces.  A name with one of them
 * looks like the name without it. */
static const struct range {
	uint32_t first, last;
} unseen[] = {
	{ 0x0000, 0x0020 },   /* controls, space */
	{ 0x007f, 0x007f },   /* delete */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180e, 0x180f },   /* Mongolian separator and selector */
	{ 0x2064, 0x2069 },   /* invisible plus, isolates */
	{ 0x2800, 0x2800 },   /* braille blank */
	{ 0xfff0, 0xfff8 },   /* not assigned, to be ignored */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0xe0000, 0xe0fff }, /* tags, variation selectors */
};

/* The next character of text that is well-formed. */
static uint32_t
next(const unsigned char **p)
{
	unsigned char first = *(*p)++;
	uint32_t c = first;

	if (first < 0x80)
		return c;
	c = first & (first < 0xe0 ? 0x1f : first < 0xf0 ? 0x0f : 0x07);
	while ((**p & 0xc0) == 0x80)
		c = c << 6 | (*(*p)++ & 0x3f);
	return c;
}

static bool
is_unseen(uint32_t c)
{
	if (c > ' ' && c < 0x7f)
		return false;
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (c >= unseen[i].first && c <= unseen[i].last)
			return true;
	return false;
}

static bool
has_unseen(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p != '\0')
		if (is_unseen(next(&p)))
			return true;
	return false;
}

static bool
is_ascii(const char *text)
{
	while (*text != '\0' && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

/* Appends s prepared by SASLprep, with a NUL. */
static enum err
put_prepared(struct buf *out, struct slice s, struct errbuf *eb)
{
	struct errbuf why;
	enum err e = sasl_prep(out, s, SASL_PREP_NAME, &why);

	if (e == E_OK)
		e = buf_put(out, "", 1);
	switch (e) {
	case E_OK: return E_OK;
	case E_FORMAT:
		return err_set(
		    eb, E_FORMAT, "this cannot be a name: %s", why.text);
	case E_FULL:
		return err_set(
		    eb, E_FORMAT, "a name may have %d octets", NAME_MAX_OCTETS);
	default: return err_set(eb, E_NOMEM, "out of memory");
	}
}

/* What is prepared must stay as it is when it is prepared again, as it is when
 * it was written to the users file: with a few rows of marks it does not. */
static enum err
check_stays(struct slice prepared, struct errbuf *eb)
{
	struct errbuf why;
	struct buf again;
	enum err e;

	buf_init(&again, NAME_MAX_OCTETS + 1, false);
	e = put_prepared(&again, prepared, &why);
	if (e == E_NOMEM)
		e = err_set(eb, e, "out of memory");
	else if (e != E_OK || strcmp(buf_data(&again), prepared.p) != 0)
		e = err_set(eb, E_FORMAT,
		    "this cannot be a name: it has a row of marks in an order "
		    "that means nothing");
	buf_free(&again);
	return e;
}

/* ASCII is as it is. */
static enum err
prepare(char name[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	struct buf prepared;
	enum err e;

	if (is_ascii(name))
		return E_OK;
	buf_init(&prepared, NAME_MAX_OCTETS + 1, false);
	e = put_prepared(&prepared, (struct slice){ name, strlen(name) }, eb);
	if (e == E_OK)
		e = check_stays(
		    (struct slice){ buf_data(&prepared), prepared.len - 1 },
		    eb);
	if (e == E_OK)
		memcpy(name, buf_data(&prepared), prepared.len);
	buf_free(&prepared);
	return e;
}

enum err
text_name(struct slice in, char out[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	enum err e;

	if (in.n == 0)
		return err_set(eb, E_FORMAT, "the name is empty");
	if (in.n > NAME_MAX_OCTETS)
		return err_set(
		    eb, E_FORMAT, "a name may have %d octets", NAME_MAX_OCTETS);
	if (memchr(in.p, '\0', in.n) != NULL || !str_is_utf8(in.p, in.n))
		return err_set(eb, E_FORMAT, "the name is not UTF-8 text");
	memcpy(out, in.p, in.n);
	out[in.n] = '\0';
	if ((e = prepare(out, eb)) != E_OK)
		return e;
	if (has_unseen(out))
		return err_set(eb, E_FORMAT,
		    "the name has a space or a character that nobody sees");
	return E_OK;
}

enum err
text_password(struct slice in, struct errbuf *eb)
{
	if (in.n == 0)
		return err_set(eb, E_FORMAT, "the password is empty");
	if (in.n > PASSWORD_MAX)
		return err_set(eb, E_FORMAT, "a password may have %d octets",
		    PASSWORD_MAX);
	for (size_t i = 0; i < in.n; i++)
		if ((unsigned char)in.p[i] < ' ' || in.p[i] == 0x7f)
			return err_set(eb, E_FORMAT,
			    "the password has a control character");
	if (!str_is_utf8(in.p, in.n))
		return err_set(eb, E_FORMAT, "the password is not UTF-8 text");
	return E_OK;
}

bool
text_is_secret(struct slice in)
{
	return in.n <= PASSWORD_MAX && memchr(in.p, '\0', in.n) == NULL;
}

/* ---- parts of a name ---- */

static bool
is_permitted(unsigned char c, const char *more)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c >= 0x80 ||
	       (c != '\0' && c != '@' &&
		   (strchr(".-_+=&", c) != NULL || strchr(more, c) != NULL));
}

bool
text_is_part(const char *p, size_t n, const char *more)
{
	bool any_dots = strchr(more, '.') != NULL;

	if (n == 0 || p[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_permitted((unsigned char)p[i], more))
			return false;
		if (p[i] == '.' && i > 0 && p[i - 1] == '.' && !any_dots)
			return false;
	}
	return true;
}

bool
text_is_domain(const char *domain)
{
	char out[NAME_MAX_OCTETS + 1];

	return text_name((struct slice){ domain, strlen(domain) }, out, NULL) ==
		   E_OK &&
	       strcmp(out, domain) == 0 && text_is_part(out, strlen(out), "");
}

/* The first character that is not printable ASCII other than letters and
 * digits, or is one of `except`; 0: there is none. */
static unsigned char
first_odd(const char *marks, const char *except)
{
	for (; *marks != '\0'; marks++)
		if (!ispunct((unsigned char)*marks) ||
		    strchr(except, *marks) != NULL)
			return (unsigned char)*marks;
	return 0;
}

unsigned char
text_refuses_in_names(const char *marks)
{
	return first_odd(marks, "/:@");
}

unsigned char
text_refuses_as_separator(const char *marks)
{
	return first_odd(marks, "@.-");
}

bool
text_is_service(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n != 0 && n < SERVICE_MAX && name[n] == '\0';
}

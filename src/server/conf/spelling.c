#include "server/conf/spelling.h"

#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

/* Characters that show nothing, or that turn the writing around.  A name with
 * one of them looks like the name without it. */
static const struct range {
	uint32_t first, last;
} unseen[] = {
	{ 0x0000, 0x0020 },   /* controls, space */
	{ 0x007f, 0x00a0 },   /* controls, no-break space */
	{ 0x00ad, 0x00ad },   /* soft hyphen */
	{ 0x034f, 0x034f },   /* combining grapheme joiner */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x1680, 0x1680 },   /* Ogham space */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180b, 0x180f },   /* Mongolian selectors and separator */
	{ 0x2000, 0x200f },   /* spaces, joiners, marks of direction */
	{ 0x2028, 0x202f },   /* separators, embeddings, narrow space */
	{ 0x205f, 0x206f },   /* space, word joiner, isolates */
	{ 0x2800, 0x2800 },   /* braille blank */
	{ 0x3000, 0x3000 },   /* ideographic space */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
	{ 0xfff0, 0xffff },   /* annotations, replacement, no characters */
	{ 0xe0000, 0xe0fff }, /* tags, more variation selectors */
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
	while (*text > 0)
		text++;
	return *text == '\0';
}

/* Into the form NFKC, in place. */
static enum err
compose(char text[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	char *composed;
	size_t n;

	if (is_ascii(text))
		return E_OK;
	composed = stringprep_utf8_nfkc_normalize(text, -1);
	if (composed == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	n = strlen(composed);
	if (n <= NAME_MAX_OCTETS)
		memcpy(text, composed, n + 1);
	free(composed);
	return n <= NAME_MAX_OCTETS
		   ? E_OK
		   : err_set(eb, E_FORMAT, "a name may have %d octets",
			 NAME_MAX_OCTETS);
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
	/* Looked at before as well: NFKC makes a plain space of others. */
	if (has_unseen(out))
		return err_set(eb, E_FORMAT,
		    "the name has a space or a character that nobody sees");
	if ((e = compose(out, eb)) != E_OK)
		return e;
	if (has_unseen(out))
		return err_set(eb, E_FORMAT,
		    "the name has a character that stands for a space");
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
is_permitted(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c >= 0x80 ||
	       (c != '\0' && strchr(".-_@+=&", c) != NULL);
}

bool
text_is_part(const char *p, size_t n)
{
	if (n == 0 || p[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_permitted((unsigned char)p[i]) || p[i] == '@')
			return false;
		if (p[i] == '.' && i > 0 && p[i - 1] == '.')
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
	       strcmp(out, domain) == 0 && text_is_part(out, strlen(out));
}

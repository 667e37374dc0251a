#include "client/web/form.h"

#include <string.h>

static bool
is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || strchr("-._~", c) != NULL;
}

static enum err
put_octet(struct buf *form, char c)
{
	static const char hex[] = "0123456789ABCDEF";
	const char coded[] = { '%', hex[(unsigned char)c >> 4],
		hex[(unsigned char)c & 15] };

	return is_plain(c) ? buf_put(form, &c, 1) : buf_put(form, coded, 3);
}

enum err
form_put_text(struct buf *form, const char *text)
{
	enum err e = E_OK;

	for (; e == E_OK && *text != '\0'; text++)
		e = put_octet(form, *text);
	return e;
}

enum err
form_put(struct buf *form, const char *name, const char *value)
{
	enum err e = E_OK;

	if (value == NULL)
		return E_OK;
	if (form->len != 0 && buf_data(form)[form->len - 1] != '?')
		e = buf_put(form, "&", 1);
	if (e == E_OK)
		e = buf_put(form, name, strlen(name));
	if (e == E_OK)
		e = buf_put(form, "=", 1);
	return e == E_OK ? form_put_text(form, value) : e;
}

/* ---- reading ---- */

static int
digit(char c)
{
	c = str_lower1(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one octet off the value; -1: it is not well-formed. */
static int
take_octet(struct slice *value)
{
	size_t n = value->p[0] == '%' ? 3 : 1;
	int c = value->p[0] == '+' ? ' ' : (unsigned char)value->p[0];

	if (n > value->n ||
	    (n == 3 && (digit(value->p[1]) < 0 || digit(value->p[2]) < 0)))
		return -1;
	if (n == 3)
		c = digit(value->p[1]) << 4 | digit(value->p[2]);
	value->p += n;
	value->n -= n;
	return c < ' ' || c == 0x7f ? -1 : c;
}

static enum err
decode(struct slice coded, struct buf *value)
{
	enum err e = E_OK;

	while (e == E_OK && coded.n != 0) {
		int c = take_octet(&coded);
		char octet = (char)c;

		e = c < 0 ? E_FORMAT : buf_put(value, &octet, 1);
	}
	return e;
}

enum err
form_get(struct slice form, const char *name, struct buf *value)
{
	size_t n = strlen(name);

	while (form.n != 0) {
		const char *end = memchr(form.p, '&', form.n);
		size_t whole = end != NULL ? (size_t)(end - form.p) : form.n;

		if (whole > n && memcmp(form.p, name, n) == 0 &&
		    form.p[n] == '=')
			return decode(
			    (struct slice){ form.p + n + 1, whole - n - 1 },
			    value);
		whole += end != NULL;
		form.p += whole;
		form.n -= whole;
	}
	return E_NOENT;
}

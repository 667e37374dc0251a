#include "client/report/columns.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

/* The octets of the character at p, at least one; its width. */
static size_t
character(const char *p, int *width_r)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n = mbrtowc(&c, p, strlen(p), &state);
	int width = n != (size_t)-1 && n != (size_t)-2 ? wcwidth(c) : -1;

	*width_r = width >= 0 ? width : 1;
	return n == (size_t)-1 || n == (size_t)-2 || n == 0 ? 1 : n;
}

int
columns_of(const char *text)
{
	int all = 0, width;

	while (*text != '\0') {
		text += character(text, &width);
		all += width;
	}
	return all;
}

char *
columns_cut(char *out, size_t size, const char *text, int width)
{
	int room = columns_of(text) > width ? width - 1 : width, one;
	size_t n = 0, octets;

	while (text[n] != '\0') {
		octets = character(text + n, &one);
		if (one > room || n + octets + 2 > size)
			break;
		room -= one;
		n += octets;
	}
	memcpy(out, text, n);
	snprintf(
	    out + n, size - n, "%s", text[n] != '\0' && width > 0 ? "~" : "");
	return out;
}

/* Directions of writing can make a text look like another one. */
static bool
turns(wchar_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The code point at p, of UTF-8; *n_r octets. */
static wchar_t
point_at(const unsigned char *p, size_t *n_r)
{
	size_t more = p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	wchar_t c = more == 0 ? p[0] : p[0] & (0x3f >> more);

	for (*n_r = 1; *n_r <= more; ++*n_r) {
		if ((p[*n_r] & 0xc0) != 0x80)
			return L'?';
		c = c << 6 | (p[*n_r] & 0x3f);
	}
	return c;
}

static size_t
put_point(char *out, wchar_t c)
{
	mbstate_t state = { 0 };
	size_t n;

	if (c < 0x20 || c == 0x7f)
		return (size_t)snprintf(out, 5, "\\x%02x", (unsigned)c);
	n = turns(c) || !iswprint((wint_t)c) ? (size_t)-1
					     : wcrtomb(out, c, &state);
	if (n != (size_t)-1)
		return n;
	*out = '?';
	return 1;
}

char *
columns_safe(char *out, size_t size, const char *utf8)
{
	const unsigned char *p = (const unsigned char *)utf8;
	size_t n = 0, octets;

	while (*p != '\0' && n + MB_LEN_MAX < size) {
		n += put_point(out + n, point_at(p, &octets));
		p += octets;
	}
	out[n] = '\0';
	return out;
}

void
columns_print(const char *text, int width)
{
	int n = columns_of(text);

	printf("%s%*s", text, n < width ? width - n : 0, "");
}

int
columns_there(void)
{
	struct winsize w;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0)
		return 0;
	return w.ws_col;
}

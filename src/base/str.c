#include "base/str.h"

#include <string.h>

bool
slice_eq(struct slice s, const char *word)
{
	return strlen(word) == s.n && memcmp(s.p, word, s.n) == 0;
}

bool
slice_caseeq(struct slice s, const char *word)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (word[i] == '\0' ||
		    str_lower1(s.p[i]) != str_lower1(word[i]))
			return false;
	return word[i] == '\0';
}

bool
str_to_u64(struct slice s, uint64_t *v_r)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned char)s.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*v_r = v;
	return true;
}

bool
str_to_u32(struct slice s, uint32_t *v_r)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v > UINT32_MAX)
		return false;
	*v_r = (uint32_t)v;
	return true;
}

size_t
str_from_u64(char out[STR_U64_MAX], uint64_t v)
{
	char rev[STR_U64_MAX];
	size_t n = 0;

	do {
		rev[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	for (size_t i = 0; i < n; i++)
		out[i] = rev[n - 1 - i];
	return n;
}

static bool
is_plain(unsigned char c, const char *also)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' &&
	       strchr(also, c) == NULL;
}

static char *
escape(char *out, size_t size, const void *s, size_t n, const char *also)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = s;
	size_t whole = 0, o = 0, room;

	if (size == 0)
		return out;
	for (size_t i = 0; i < n; i++)
		whole += is_plain(p[i], also) ? 1 : 4;
	room = whole < size ? whole : size > 4 ? size - 4 : 0;
	for (size_t i = 0; i < n; i++) {
		bool plain = is_plain(p[i], also);

		if (o + (plain ? 1 : 4) > room)
			break;
		if (plain) {
			out[o++] = (char)p[i];
			continue;
		}
		out[o++] = '\\';
		out[o++] = 'x';
		out[o++] = hex[p[i] >> 4];
		out[o++] = hex[p[i] & 15];
	}
	if (whole >= size)
		while (o < room + 3 && o + 1 < size)
			out[o++] = '.';
	out[o] = '\0';
	return out;
}

char *
str_escape(char *out, size_t size, const void *s, size_t n)
{
	return escape(out, size, s, n, " =");
}

char *
str_quote(char *out, size_t size, const void *s, size_t n)
{
	return escape(out, size, s, n, "");
}

bool
str_is_utf8(const void *s, size_t n)
{
	const unsigned char *p = s, *end = p + n;

	while (p < end) {
		unsigned c = *p++;
		unsigned more, low = 0x80, high = 0xbf;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3;
		else
			return false;
		if (c == 0xe0)
			low = 0xa0; /* overlong */
		else if (c == 0xed)
			high = 0x9f; /* surrogates */
		else if (c == 0xf0)
			low = 0x90;
		else if (c == 0xf4)
			high = 0x8f;
		while (more-- > 0) {
			if (p == end || *p < low || *p > high)
				return false;
			p++;
			low = 0x80;
			high = 0xbf;
		}
	}
	return true;
}

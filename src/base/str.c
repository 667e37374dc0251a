#include "base/str.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

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
str_has_word(const char *words, const char *word)
{
	while (*(words += strspn(words, " ")) != '\0') {
		struct slice one = { words, strcspn(words, " ") };

		if (slice_caseeq(one, word))
			return true;
		words += one.n;
	}
	return false;
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

/* ---- escaping ---- */

/* How text is shown. */
struct shown {
	const char *also; /* printable ones that are escaped */
	bool utf8;        /* printable characters stay */
};

/* Octets of the character of UTF-8 at p if it takes room on a screen: what does
 * not may change how others are read (direction, joining), or hide.  Else 0. */
static size_t
visible(const unsigned char *p, size_t n)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t len = mbrtowc(&c, (const char *)p, n, &state);

	return len > 1 && len <= n && wcwidth(c) > 0 ? len : 0;
}

/* How many octets at p stay as they are; 0: the first one is escaped. */
static size_t
plain(const struct shown *how, const unsigned char *p, size_t n)
{
	if (*p >= 0x80)
		return how->utf8 ? visible(p, n) : 0;
	return *p >= 0x20 && *p < 0x7f && strchr(how->also, *p) == NULL;
}

/* Octets that n octets become. */
static size_t
shown_size(const struct shown *how, const unsigned char *p, size_t n)
{
	size_t whole = 0, len;

	for (size_t i = 0; i < n; i += len != 0 ? len : 1) {
		len = plain(how, p + i, n - i);
		whole += len != 0 ? len : 4;
	}
	return whole;
}

static char *
escape(char *out, size_t size, const void *s, size_t n, const struct shown *how)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = s, *end = p + n;
	size_t whole, o = 0, room, len;

	if (size == 0)
		return out;
	whole = shown_size(how, s, n);
	if (n != 0 && whole == n && n < size) { /* as it mostly is */
		memcpy(out, s, n);
		out[n] = '\0';
		return out;
	}
	room = whole < size ? whole : size > 4 ? size - 4 : 0;
	for (; p < end; p += len != 0 ? len : 1) {
		len = plain(how, p, (size_t)(end - p));
		if (o + (len != 0 ? len : 4) > room)
			break;
		if (len != 0) {
			memcpy(out + o, p, len);
			o += len;
			continue;
		}
		out[o++] = '\\';
		out[o++] = 'x';
		out[o++] = hex[*p >> 4];
		out[o++] = hex[*p & 15];
	}
	if (whole >= size)
		for (int i = 0; i < 3 && o + 1 < size; i++)
			out[o++] = '.';
	out[o] = '\0';
	return out;
}

char *
str_escape(char *out, size_t size, const void *s, size_t n)
{
	const struct shown how = { "\"\\ =", false };

	return escape(out, size, s, n, &how);
}

static bool
locale_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

char *
str_quote(char *out, size_t size, const void *s, size_t n)
{
	const struct shown how = { "\"\\", locale_is_utf8() };

	return escape(out, size, s, n, &how);
}

char *
str_quote_again(char *out, size_t size, const char *s)
{
	const struct shown how = { "", locale_is_utf8() };

	return escape(out, size, s, strlen(s), &how);
}

void
str_squeeze_slashes(char *path)
{
	char *to = path;

	for (const char *from = path; *from != '\0'; from++)
		if (*from != '/' || to == path || to[-1] != '/')
			*to++ = *from;
	if (to > path + 1 && to[-1] == '/')
		to--;
	*to = '\0';
}

const char *
str_shell_word(char *out, size_t size, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ@%+:,./_-";
	size_t n = 2;

	if (s[0] != '\0' && s[strspn(s, plain)] == '\0')
		return s;
	memcpy(out, "$'", n);
	for (; *s != '\0'; s++)
		if (strchr(plain, *s) != NULL)
			out[n++] = *s;
		else
			n += (size_t)snprintf(
			    out + n, size - n, "\\x%02x", (unsigned char)*s);
	memcpy(out + n, "'", 2);
	return out;
}

/* ---- secrets ---- */

void
str_wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* ---- UTF-8 ---- */

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

#include "base/b64.h"

#include <stdint.h>

void
b64_encode(char *out, const void *in, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = in;

	for (; n != 0; out += 4) {
		size_t k = n < 3 ? n : 3;
		uint32_t v = (uint32_t)p[0] << 16;

		if (k > 1)
			v |= (uint32_t)p[1] << 8;
		if (k > 2)
			v |= p[2];
		out[0] = digit[v >> 18];
		out[1] = digit[v >> 12 & 63];
		out[2] = k > 1 ? digit[v >> 6 & 63] : '=';
		out[3] = k > 2 ? digit[v & 63] : '=';
		p += k;
		n -= k;
	}
}

/* 0-63, or more for what is no digit. */
static uint32_t
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

enum err
b64_decode(char *out, struct slice in, size_t *n_r)
{
	size_t n = in.n, o = 0;

	if (in.n % 4 != 0)
		return E_FORMAT;
	while (n > 0 && in.n - n < 2 && in.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i += 4) {
		size_t k = n - i < 4 ? n - i : 4;
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			uint32_t d = j < k ? digit_value(in.p[i + j]) : 0;

			if (d > 63)
				return E_FORMAT;
			v = v << 6 | d;
		}
		/* The bits of the last digit that stand for nothing are
		 * zero. */
		if ((k == 2 && (v & 0xffff) != 0) ||
		    (k == 3 && (v & 0xff) != 0))
			return E_FORMAT;
		out[o++] = (char)(v >> 16);
		if (k > 2)
			out[o++] = (char)(v >> 8);
		if (k > 3)
			out[o++] = (char)v;
	}
	*n_r = o;
	return E_OK;
}

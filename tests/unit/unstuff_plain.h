/*
 * unstuff_plain.h - what pop3_unstuff() must make of a whole message, written
 * down in the plainest way: line by line.
 */
#ifndef TESTS_UNSTUFF_PLAIN_H
#define TESTS_UNSTUFF_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct unstuff_plain {
	size_t used, made;
	uint64_t octets;
	bool ended;
};

/* The LF that ends the line at `start`; n: there is none. */
static inline size_t
unstuff_plain_line(const char *in, size_t n, size_t start, bool bare_lf)
{
	for (size_t i = start; i < n; i++)
		if (in[i] == '\n' &&
		    (bare_lf || (i > start && in[i - 1] == '\r')))
			return i;
	return n;
}

/* Takes whole lines only. */
static inline struct unstuff_plain
unstuff_plain(const char *in, size_t n, char *out)
{
	const char *first = n != 0 ? memchr(in, '\n', n) : NULL;
	bool bare_lf = first != NULL && (first == in || first[-1] != '\r');
	struct unstuff_plain r = { 0 };

	while (r.used < n && !r.ended) {
		size_t start = r.used;
		size_t end = unstuff_plain_line(in, n, start, bare_lf);

		if (end == n)
			break;
		r.used = end + 1;
		if (end > start && in[end - 1] == '\r')
			end--;
		if (end - start == 1 && in[start] == '.') {
			r.ended = true;
			break;
		}
		if (end > start && in[start] == '.')
			start++;
		memcpy(out + r.made, in + start, end - start);
		r.made += end - start;
		out[r.made++] = '\n';
		r.octets += end - start + 2;
	}
	return r;
}

#endif

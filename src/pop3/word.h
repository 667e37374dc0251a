/*
 * word.h - the words of a line.
 */
#ifndef POP3_WORD_H
#define POP3_WORD_H

#include <stdbool.h>

#include "base/str.h"

static inline bool
pop3_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The first word of *rest, which is then what follows it; empty: there is
 * none. */
static inline struct slice
pop3_word_take(struct slice *rest)
{
	const char *p = rest->p, *end = p + rest->n;
	struct slice word;

	while (p < end && pop3_is_blank(*p))
		p++;
	word.p = p;
	while (p < end && !pop3_is_blank(*p))
		p++;
	word.n = (size_t)(p - word.p);
	*rest = (struct slice){ p, (size_t)(end - p) };
	return word;
}

#endif

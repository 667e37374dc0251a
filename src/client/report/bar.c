#include "client/report/bar.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "client/report/size.h"

enum {
	MARKS = 24,
	TAIL = 128,
	NAME_LEAST = 12, /* columns; else there are no marks */
};

static unsigned
percent(const struct bar *b)
{
	if (b->octets == 0)
		return 0;
	return b->seen >= b->octets
		   ? 100
		   : (unsigned)((double)b->seen * 100 / (double)b->octets);
}

/* What follows the name; returns its width. */
static size_t
tail_text(char out[TAIL], const struct bar *b, size_t columns)
{
	char marks[MARKS + 1], size[REPORT_SIZE];
	unsigned part = percent(b);
	size_t n;

	if (b->to_collect == 0)
		return (size_t)snprintf(out, TAIL, ": ...");
	for (unsigned k = 0; k < MARKS; k++)
		marks[k] = k < part * MARKS / 100 ? '#' : '.';
	marks[MARKS] = '\0';
	n = (size_t)snprintf(out, TAIL, " [%s] %3u%%  %u/%u  %s", marks, part,
	    b->stored, b->to_collect, report_size(size, b->seen));
	if (n + NAME_LEAST > columns)
		n = (size_t)snprintf(out, TAIL, " %3u%%", part);
	return n;
}

/* As much of the text as fits, no sign cut. */
static size_t
fit(char *out, size_t room, const char *text, size_t columns)
{
	size_t at = 0, left = strlen(text), used = 0, n;
	mbstate_t state;
	wchar_t c;
	int width;

	memset(&state, 0, sizeof(state));
	for (; left > 0; text += n, left -= n) {
		n = mbrtowc(&c, text, left, &state);
		if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
			memset(&state, 0, sizeof(state));
			c = L'?';
			n = 1;
			width = -1;
		} else {
			width = wcwidth(c);
		}
		if (used + (width < 0 ? 1 : (size_t)width) > columns ||
		    at + n >= room)
			break;
		used += width < 0 ? 1 : (size_t)width;
		if (width < 0)
			out[at++] = '?';
		else
			memcpy(out + at, text, n);
		at += width < 0 ? 0 : n;
	}
	out[at] = '\0';
	return at;
}

char *
bar_text(char out[BAR_LINE], const struct bar *b, size_t columns)
{
	char tail[TAIL];
	size_t n = tail_text(tail, b, columns);

	n = fit(out, BAR_LINE - TAIL, b->name, n < columns ? columns - n : 0);
	strcpy(out + n, tail);
	return out;
}

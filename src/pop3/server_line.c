#include "pop3/server_line.h"

#include <string.h>

enum pop3_line_result
pop3_line_next(struct pop3_line *l, const char *in, size_t n, size_t max,
    size_t *len_r, size_t *used_r)
{
	const char *lf = NULL;
	size_t end; /* of what is looked at: behind the LF if there is one */

	*len_r = *used_r = 0;
	if (n > l->seen)
		lf = memchr(in + l->seen, '\n', n - l->seen);
	end = lf != NULL ? (size_t)(lf - in) + 1 : n;
	l->seen = 0;

	if (l->dropped == 0 && lf == NULL && n < max) {
		l->seen = n;
		return POP3_LINE_MORE;
	}
	*used_r = end;
	if (l->dropped == 0 && lf != NULL && end <= max) {
		*len_r = end - 1;
		if (*len_r > 0 && in[*len_r - 1] == '\r')
			--*len_r;
		return POP3_LINE_OK;
	}

	/* Too long.  What is decided here must not depend on how the octets
	 * came, in one piece or in many. */
	l->dropped += end;
	if (l->dropped > POP3_LINE_DROP)
		return POP3_LINE_ENDLESS;
	if (lf == NULL)
		return POP3_LINE_MORE;
	l->dropped = 0;
	return POP3_LINE_LONG;
}

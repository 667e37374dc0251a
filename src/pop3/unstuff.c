#include "pop3/unstuff.h"

#include <string.h>

void
pop3_unstuff_init(struct pop3_unstuff *u)
{
	memset(u, 0, sizeof(*u));
}

enum dot { DOT_UNKNOWN, DOT_STUFFED, DOT_END };

/* What the "." is that begins the line; *len_r octets are its last line. */
static enum dot
dot_look(const struct pop3_unstuff *u, const char *in, size_t n, size_t *len_r)
{
	bool lf_ends = u->bare_lf || !u->first_line_seen;

	*len_r = 2;
	if (n < 2)
		return DOT_UNKNOWN;
	if (in[1] == '\n' && lf_ends)
		return DOT_END;
	if (in[1] != '\r')
		return DOT_STUFFED;
	*len_r = 3;
	if (n < 3)
		return DOT_UNKNOWN;
	return in[2] == '\n' ? DOT_END : DOT_STUFFED;
}

/* An LF has passed. */
static void
lf_passed(struct pop3_unstuff *u, bool after_cr)
{
	bool line_ends;

	if (!u->first_line_seen) {
		u->first_line_seen = true;
		u->bare_lf = !after_cr;
	}
	line_ends = after_cr || u->bare_lf;
	u->octets += line_ends ? 2 : 1;
	u->inside = !line_ends;
}

static size_t
text_copy(
    struct pop3_unstuff *u, char *out, size_t room, const char *in, size_t n)
{
	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	memmove(out, in, n);
	u->inside = true;
	u->octets += n;
	return n;
}

struct pop3_unstuff_step
pop3_unstuff(
    struct pop3_unstuff *u, const char *in, size_t n, char *out, size_t room)
{
	size_t i = 0, o = 0;

	while (i < n) {
		size_t len, copied, window = n - i;
		const char *lf;
		bool after_cr;

		if (!u->inside && in[i] == '.') {
			enum dot dot = dot_look(u, in + i, n - i, &len);

			if (dot == DOT_END)
				return (struct pop3_unstuff_step){ i + len, o,
					true };
			if (dot == DOT_UNKNOWN)
				break;
			u->inside = true;
			i++;
			continue;
		}

		/* No further than there is room, so that a long line is not
		 * searched again and again. */
		if (window > room - o)
			window = room - o + 1;
		lf = memchr(in + i, '\n', window);
		len = lf != NULL ? (size_t)(lf - (in + i)) : window;
		after_cr = len != 0 && in[i + len - 1] == '\r';
		len -= after_cr;
		copied = text_copy(u, out + o, room - o, in + i, len);
		i += copied;
		o += copied;
		if (copied < len || lf == NULL || o == room)
			break;
		out[o++] = '\n';
		i += (size_t)after_cr + 1;
		lf_passed(u, after_cr);
	}
	return (struct pop3_unstuff_step){ i, o, false };
}

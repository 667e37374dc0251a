#include "pop3/unstuff.h"

#include <string.h>

void
pop3_unstuff_init(struct pop3_unstuff *u)
{
	memset(u, 0, sizeof(*u));
}

enum dot { DOT_UNKNOWN, DOT_TEXT, DOT_STUFFED, DOT_END, DOT_ODD };

/* How long a line of one "." is with its end: 0: it is none; more than n: it is
 * not known yet. */
static size_t
dot_line(const char *in, size_t n)
{
	if (n < 2 || in[1] == '\n')
		return 2;
	if (in[1] != '\r')
		return 0;
	return n < 3 || in[2] == '\n' ? 3 : 0;
}

/* What the "." is behind an LF; *len_r octets are its line if it is alone. */
static enum dot
dot_look(struct pop3_unstuff *u, const char *in, size_t n, size_t *len_r)
{
	enum dot text = u->inside ? DOT_TEXT : DOT_STUFFED;
	bool lf_ends = u->bare_lf || !u->first_line_seen;

	*len_r = dot_line(in, n);
	if (*len_r == 0)
		return text;
	if (*len_r > n)
		return DOT_UNKNOWN;
	if (!u->inside && (*len_r == 3 || lf_ends))
		return DOT_END;
	if (*len_r == n)
		return DOT_ODD;
	u->odd_dot = true;
	return text;
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
	u->after_bare_lf = !line_ends;
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
	u->after_bare_lf = false;
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

		if (in[i] == '.' && (!u->inside || u->after_bare_lf)) {
			enum dot dot = dot_look(u, in + i, n - i, &len);

			if (dot == DOT_END)
				return (struct pop3_unstuff_step){ i + len, o,
					true, 0 };
			if (dot == DOT_ODD)
				return (struct pop3_unstuff_step){ i, o, false,
					len };
			if (dot == DOT_UNKNOWN)
				break;
			if (dot == DOT_STUFFED) {
				u->inside = true;
				i++;
				continue;
			}
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
	return (struct pop3_unstuff_step){ i, o, false, 0 };
}

#include "client/message/fields.h"

#include <string.h>
#include <strings.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts off the next line with its end. */
static struct slice
line_take(struct slice *rest)
{
	const char *lf = memchr(rest->p, '\n', rest->n);
	struct slice line = { rest->p,
		lf != NULL ? (size_t)(lf + 1 - rest->p) : rest->n };

	rest->p += line.n;
	rest->n -= line.n;
	return line;
}

static bool
is_empty(struct slice line)
{
	while (line.n != 0 &&
	       (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	return line.n == 0;
}

/* The length of "Name:" with the blanks behind; 0: another field's. */
static size_t
label_length(struct slice s, const char *name)
{
	size_t n = strlen(name);

	if (s.n < n || strncasecmp(s.p, name, n) != 0)
		return 0;
	while (n < s.n && is_blank(s.p[n])) /* RFC 5322 s4.5 */
		n++;
	if (n == s.n || s.p[n++] != ':')
		return 0;
	while (n < s.n && is_blank(s.p[n]))
		n++;
	return n;
}

bool
field_next(struct slice *rest, const char *name, struct slice *value_r)
{
	while (rest->n != 0) {
		struct slice s = line_take(rest);
		size_t label = label_length(s, name);

		if (is_empty(s)) {
			rest->n = 0;
			return false;
		}
		while (rest->n != 0 && is_blank(*rest->p))
			s.n += line_take(rest).n;
		if (label == 0)
			continue;
		*value_r = (struct slice){ s.p + label, s.n - label };
		return true;
	}
	return false;
}

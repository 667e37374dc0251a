#include "server/store/surrogate/mime_header.h"

#include <string.h>

#include "server/store/surrogate/words.h"

size_t
mime_line_len(const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);

	return lf != NULL ? (size_t)(lf - p) + 1 : n;
}

/* There may be spaces before the colon (RFC 5322 s4.5). */
size_t
mime_name_len(const char *p, size_t n)
{
	size_t len = 0, colon;

	while (len < n && p[len] > 0x20 && p[len] < 0x7f && p[len] != ':')
		len++;
	for (colon = len; colon < n && (p[colon] == ' ' || p[colon] == '\t');)
		colon++;
	return colon < n && p[colon] == ':' ? len : 0;
}

bool
mime_next(struct slice *header, struct mime_field *f_r)
{
	const char *p = header->p;
	size_t n = header->n, name = mime_name_len(p, n), colon, len;

	if (name == 0)
		return false;
	len = mime_line_len(p, n);
	while (len < n && (p[len] == ' ' || p[len] == '\t'))
		len += mime_line_len(p + len, n - len);
	colon = (size_t)((const char *)memchr(p, ':', len) - p) + 1;
	*f_r = (struct mime_field){ { p, len }, { p, name },
		surrogate_trim((struct slice){ p + colon, len - colon }) };
	*header = (struct slice){ p + len, n - len };
	return true;
}

bool
mime_find(struct slice header, const char *name, struct slice *body_r)
{
	struct mime_field f;

	while (mime_next(&header, &f))
		if (slice_caseeq(f.name, name)) {
			*body_r = f.body;
			return true;
		}
	return false;
}

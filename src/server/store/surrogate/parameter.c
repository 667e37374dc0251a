#include "server/store/surrogate/parameter.h"

#include <ctype.h>
#include <string.h>

#include "server/store/surrogate/words.h"

/* attribute-char of RFC 2231 s7, a little less. */
static bool
is_plain(unsigned char c)
{
	return c < 0x80 && (isalnum(c) || c == '-' || c == '.' || c == '_');
}

static enum err
put_extended(struct buf *out, struct slice value)
{
	static const char hex[] = "0123456789ABCDEF";
	enum err e = E_OK;

	for (size_t i = 0; i < value.n && e == E_OK; i++) {
		unsigned char c = (unsigned char)value.p[i];
		char code[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (c == '\r' || c == '\n')
			continue;
		e = is_plain(c) ? buf_put(out, &value.p[i], 1)
				: buf_put(out, code, 3);
	}
	return e;
}

/* name*=utf-8''value, RFC 2231 s4. */
static enum err
put_parameter(struct buf *out, struct slice name, struct slice value)
{
	struct buf plain;
	enum err e;

	buf_init(&plain, value.n + 1, false);
	if ((e = surrogate_unquote(&plain, value)) == E_OK &&
	    (e = buf_put(out, ";\n ", 3)) == E_OK &&
	    (e = buf_put(out, name.p, name.n)) == E_OK &&
	    (e = buf_put(out, "*=utf-8''", 9)) == E_OK && plain.len != 0)
		e = put_extended(
		    out, (struct slice){ buf_data(&plain), plain.len });
	buf_free(&plain);
	return e;
}

static enum err
convert(struct buf *out, struct slice parameter, bool full)
{
	const char *eq = memchr(parameter.p, '=', parameter.n);
	struct slice name, value;

	if (surrogate_is_ascii(parameter)) {
		enum err e = buf_put(out, "; ", 2);

		return e == E_OK ? buf_put(out, parameter.p, parameter.n) : e;
	}
	if (eq == NULL || !full)
		return E_OK;
	name = surrogate_trim(
	    (struct slice){ parameter.p, (size_t)(eq - parameter.p) });
	value = (struct slice){ eq + 1,
		(size_t)(parameter.p + parameter.n - eq - 1) };
	/* One that is extended already, or in parts, is not to be mended. */
	if (name.n == 0 || !surrogate_is_ascii(name) ||
	    memchr(name.p, '*', name.n) != NULL)
		return E_OK;
	return put_parameter(out, name, surrogate_trim(value));
}

enum err
surrogate_parameters(
    struct buf *out, struct slice body, bool full, bool *dropped_r)
{
	size_t n = surrogate_span(body, ";");
	struct slice value = surrogate_trim((struct slice){ body.p, n });
	enum err e = buf_put(out, value.p, value.n);

	*dropped_r = !surrogate_is_ascii(value);
	for (size_t at = n; at < body.n && e == E_OK; at += n) {
		struct slice rest = { body.p + at + 1, body.n - at - 1 };

		n = surrogate_span(rest, ";");
		rest.n = n;
		rest = surrogate_trim(rest);
		if (rest.n != 0)
			e = convert(out, rest, full);
		n++;
	}
	return e;
}

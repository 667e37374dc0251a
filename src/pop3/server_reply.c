#include "pop3/server_reply.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"

enum { REPLY_MAX = 512 }; /* with CRLF, RFC 1939 s3 */

void
pop3_server_forget_name(struct pop3_server *s)
{
	free(s->name);
	s->name = NULL;
}

void
pop3_server_finish(struct pop3_server *s, const char *why)
{
	s->wanted = POP3_WANT_CLOSE;
	if (s->why == NULL)
		s->why = why;
}

static enum err PRINTF(2, 0)
    line_put(struct buf *out, const char *fmt, va_list ap)
{
	char line[REPLY_MAX + 1];
	int n = format_v(line, REPLY_MAX - 1, fmt, ap);
	size_t len;

	if (n < 0)
		return E_FORMAT;
	len = n < REPLY_MAX - 2 ? (size_t)n : REPLY_MAX - 2;
	for (size_t i = 0; i < len; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			line[i] = '?';
	memcpy(line + len, "\r\n", 2);
	return buf_put(out, line, len + 2);
}

void
pop3_server_reply(struct pop3_server *s, struct buf *out, const char *fmt, ...)
{
	size_t before = out->len;
	va_list ap;

	va_start(ap, fmt);
	if (line_put(out, fmt, ap) != E_OK)
		pop3_server_finish(s, "out-of-memory");
	else if (s->policy != NULL && s->policy->trace != NULL)
		s->policy->trace(s, true,
		    (struct slice){
			buf_data(out) + before, out->len - before - 2 });
	va_end(ap);
}

#include "pop3/server_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"

enum {
	REPLY_MAX = 512,           /* with CRLF, RFC 1939 s3 */
	WORDS_MAX = REPLY_MAX - 2, /* without */
};

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

/* A line that was cut ends with a whole character. */
static size_t
utf8_whole(const char *line, size_t len)
{
	size_t end = len;

	while (end > 0 && len - end < 4 && !str_is_utf8(line, end))
		end--;
	return str_is_utf8(line, end) ? end : len;
}

/* Returns how long it is then. */
static size_t
line_clean(char *line, size_t len, bool utf8)
{
	if (utf8)
		len = utf8_whole(line, len);
	utf8 = utf8 && str_is_utf8(line, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f || (c > 0x7f && !utf8))
			line[i] = '?';
	}
	return len;
}

/* line has room for CRLF behind its len octets. */
static void
line_put(
    struct pop3_server *s, struct buf *out, char *line, size_t len, bool utf8)
{
	len = line_clean(line, len, utf8);
	memcpy(line + len, "\r\n", 2);
	if (buf_put(out, line, len + 2) != E_OK)
		pop3_server_finish(s, "out-of-memory");
	else if (s->trace != NULL)
		s->trace(s, true, (struct slice){ line, len });
}

void
pop3_server_say(struct pop3_server *s, struct buf *out, enum pop3_text t,
    const struct pop3_arg *arg)
{
	char line[REPLY_MAX];

	line_put(s, out, line,
	    pop3_text_write(line, WORDS_MAX, s->language, t, arg),
	    s->language != &pop3_english);
}

void
pop3_server_reply(struct pop3_server *s, struct buf *out, const char *fmt, ...)
{
	char line[REPLY_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_v(line, WORDS_MAX + 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		pop3_server_finish(s, "out-of-memory");
	else
		line_put(
		    s, out, line, n < WORDS_MAX ? (size_t)n : WORDS_MAX, false);
}

void
pop3_server_reply_language(
    struct pop3_server *s, struct buf *out, const struct pop3_language *l)
{
	char line[REPLY_MAX];
	int n = snprintf(line, WORDS_MAX + 1, "%s%s%s", l->tag,
	    l->itself[0] != '\0' ? " " : "", l->itself);

	line_put(s, out, line, n < WORDS_MAX ? (size_t)n : WORDS_MAX, true);
}

#include "pop3/client_reply.h"

#include <string.h>

#include "base/i18n.h"
#include "pop3/client.h"
#include "pop3/word.h"

enum { GREETING_MAX = 512 - 2 }; /* RFC 1939 s3, without CRLF */

/* Some servers have their text directly behind the indicator, or words of their
 * own for it: what begins like one is one. */
static const struct {
	const char *word;
	enum pop3_status status;
} indicators[] = {
	{ "+OK", POP3_STATUS_OK },
	{ "-ERROR", POP3_STATUS_ERR },
	{ "-ERR", POP3_STATUS_ERR },
	{ "+ERROR", POP3_STATUS_ERR },
	{ "+ERR", POP3_STATUS_ERR },
};

static struct slice
text_behind(struct slice line, size_t n)
{
	n += n < line.n && line.p[n] == ' ';
	return (struct slice){ line.p + n, line.n - n };
}

enum pop3_status
pop3_reply_status(struct slice line, struct slice *text_r)
{
	for (size_t i = 0; i < sizeof(indicators) / sizeof(indicators[0]);
	     i++) {
		struct slice head = { line.p, strlen(indicators[i].word) };

		if (line.n >= head.n &&
		    slice_caseeq(head, indicators[i].word)) {
			*text_r = text_behind(line, head.n);
			return indicators[i].status;
		}
	}
	if (line.n == 0 || line.p[0] != '+' || (line.n > 1 && line.p[1] != ' '))
		return POP3_STATUS_NONE;
	*text_r = text_behind(line, 1);
	return POP3_STATUS_CHALLENGE;
}

const char *
pop3_reply_stranger(struct slice line)
{
	static const struct {
		const char *begin, *why;
	} peers[] = {
		{ "* ", N_("it speaks IMAP: is that the right port?") },
		{ "220", N_("it speaks SMTP or FTP: is that the right port?") },
		{ "HTTP/", N_("it speaks HTTP: is that the right port?") },
		{ "SSH-", N_("it speaks SSH: is that the right port?") },
	};

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		size_t n = strlen(peers[i].begin);

		if (line.n >= n && memcmp(line.p, peers[i].begin, n) == 0)
			return peers[i].why;
	}
	return N_("what the server sent is no reply of POP3");
}

/* What stands before the next space, which is cut off too. */
static struct slice
field_take(struct slice *rest)
{
	const char *sp = rest->n != 0 ? memchr(rest->p, ' ', rest->n) : NULL;
	struct slice field = *rest;
	size_t used = rest->n;

	if (sp != NULL) {
		field.n = (size_t)(sp - rest->p);
		used = field.n + 1;
	}
	rest->p += used;
	rest->n -= used;
	return field;
}

bool
pop3_reply_stat(struct slice text, uint32_t *count_r, uint64_t *octets_r)
{
	struct slice count = field_take(&text);
	struct slice octets = field_take(&text);

	return str_to_u32(count, count_r) && *count_r <= POP3_MSGNO_MAX &&
	       str_to_u64(octets, octets_r);
}

uint32_t
pop3_reply_msgno(struct slice *line)
{
	uint32_t msgno;

	if (!str_to_u32(pop3_word_take(line), &msgno) || msgno > POP3_MSGNO_MAX)
		return 0;
	return msgno;
}

/* ---- the timestamp: RFC 822 s6.1 ---- */

typedef const char *skip_part(const char *p, const char *end);

static bool
is_printable(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* Each returns p when there is no such part. */
static const char *
atom_skip(const char *p, const char *end)
{
	while (p < end && is_printable(*p) &&
	       strchr(" ()<>@,;:\\\".[]", *p) == NULL)
		p++;
	return p;
}

/* From one mark to the other; neither brackets nor escapes within. */
static const char *
enclosed_skip(const char *p, const char *end, char close)
{
	const char *q = p + 1;

	while (q < end && is_printable(*q) && strchr("<>\\\"[]", *q) == NULL)
		q++;
	return q < end && *q == close ? q + 1 : p;
}

static const char *
word_skip(const char *p, const char *end)
{
	return p < end && *p == '"' ? enclosed_skip(p, end, '"')
				    : atom_skip(p, end);
}

static const char *
domain_skip(const char *p, const char *end)
{
	return p < end && *p == '[' ? enclosed_skip(p, end, ']')
				    : atom_skip(p, end);
}

/* Parts with "." between them; NULL if one is missing. */
static const char *
dotted_skip(const char *p, const char *end, skip_part *part)
{
	for (;;) {
		const char *next = part(p, end);

		if (next == p)
			return NULL;
		if (next == end || *next != '.')
			return next;
		p = next + 1;
	}
}

/* p is at a "<"; behind the ">", or NULL. */
static const char *
msgid_skip(const char *p, const char *end)
{
	p = dotted_skip(p + 1, end, word_skip);
	if (p == NULL || p == end || *p != '@')
		return NULL;
	p = dotted_skip(p + 1, end, domain_skip);
	return p != NULL && p < end && *p == '>' ? p + 1 : NULL;
}

static bool
has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

void
pop3_reply_timestamp(struct slice greeting, char *out, size_t size)
{
	const char *end = greeting.p + greeting.n;

	out[0] = '\0';
	if (greeting.n > GREETING_MAX || has_control(greeting))
		return;
	for (const char *p = greeting.p; p < end; p++) {
		const char *behind = *p == '<' ? msgid_skip(p, end) : NULL;
		size_t n = behind != NULL ? (size_t)(behind - p) : 0;

		if (n == 0)
			continue;
		if (n < size) {
			memcpy(out, p, n);
			out[n] = '\0';
		}
		return;
	}
}

#include "pop3/code.h"

#include <stdbool.h>
#include <string.h>

static const struct {
	const char *text;
	enum pop3_code code;
} codes[] = {
	{ "AUTH", POP3_CODE_AUTH },
	{ "IN-USE", POP3_CODE_IN_USE },
	{ "LOGIN-DELAY", POP3_CODE_LOGIN_DELAY },
	{ "SYS/TEMP", POP3_CODE_SYS_TEMP },
	{ "SYS/PERM", POP3_CODE_SYS_PERM },
	{ "UTF8", POP3_CODE_UTF8 },
};

/* Levels of printable octets with "/" between them. */
static bool
is_code(struct slice s)
{
	bool empty = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || (s.p[i] == '/' && empty))
			return false;
		empty = s.p[i] == '/';
	}
	return !empty;
}

static enum pop3_code
code_find(struct slice s)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct slice head = { s.p, strlen(codes[i].text) };

		if (s.n >= head.n && slice_caseeq(head, codes[i].text) &&
		    (s.n == head.n || s.p[head.n] == '/'))
			return codes[i].code;
	}
	return POP3_CODE_OTHER;
}

const char *
pop3_code_name(enum pop3_code code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].text;
	return NULL;
}

enum pop3_code
pop3_code_parse(struct slice *text)
{
	const char *end = NULL;
	struct slice code;

	if (text->n != 0 && text->p[0] == '[')
		end = memchr(text->p, ']', text->n);
	if (end == NULL)
		return POP3_NO_CODE;
	code = (struct slice){ text->p + 1, (size_t)(end - text->p) - 1 };
	if (!is_code(code))
		return POP3_NO_CODE;
	text->p += code.n + 2;
	text->n -= code.n + 2;
	if (text->n != 0 && text->p[0] == ' ') {
		text->p++;
		text->n--;
	}
	return code_find(code);
}

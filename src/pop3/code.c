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

/* ---- words without a code ---- */

/* In lower case; the first row that is in the text counts. */
static const struct {
	const char *words;
	enum pop3_code code;
} phrases[] = {
	/* Somebody has to do something about it first. */
	{ "password", POP3_CODE_SYS_PERM },
	{ "credential", POP3_CODE_SYS_PERM },
	{ "invalid", POP3_CODE_SYS_PERM },
	{ "incorrect", POP3_CODE_SYS_PERM },
	{ "denied", POP3_CODE_SYS_PERM },
	{ "not allowed", POP3_CODE_SYS_PERM },
	{ "attempts", POP3_CODE_SYS_PERM },
	{ "disabled", POP3_CODE_SYS_PERM },
	{ "blocked", POP3_CODE_SYS_PERM },
	{ "suspended", POP3_CODE_SYS_PERM },
	{ "expired", POP3_CODE_SYS_PERM },
	{ "account locked", POP3_CODE_SYS_PERM },
	{ "account is locked", POP3_CODE_SYS_PERM },
	{ "account has been locked", POP3_CODE_SYS_PERM },
	{ "locked out", POP3_CODE_SYS_PERM },

	{ "lock busy", POP3_CODE_IN_USE },
	{ "lock maildrop", POP3_CODE_IN_USE },
	{ "lock mailbox", POP3_CODE_IN_USE },
	{ "lock the mail", POP3_CODE_IN_USE },
	{ "lock your mail", POP3_CODE_IN_USE },
	{ "already locked", POP3_CODE_IN_USE },
	{ "maildrop locked", POP3_CODE_IN_USE },
	{ "mailbox locked", POP3_CODE_IN_USE },
	{ "is locked", POP3_CODE_IN_USE },
	{ "in use", POP3_CODE_IN_USE },
	{ "another session", POP3_CODE_IN_USE },
	{ "another pop", POP3_CODE_IN_USE },
	{ "already open", POP3_CODE_IN_USE },
	{ "already logged in", POP3_CODE_IN_USE },

	{ "allowed only every", POP3_CODE_LOGIN_DELAY },
	{ "minimum interval", POP3_CODE_LOGIN_DELAY },
	{ "too often", POP3_CODE_LOGIN_DELAY },
	{ "too frequent", POP3_CODE_LOGIN_DELAY },
	{ "please wait", POP3_CODE_LOGIN_DELAY },

	{ "number of connections", POP3_CODE_SYS_TEMP },
	{ "too many", POP3_CODE_SYS_TEMP },
	{ "temporar", POP3_CODE_SYS_TEMP },
	{ "try later", POP3_CODE_SYS_TEMP },
	{ "again later", POP3_CODE_SYS_TEMP },
	{ "busy", POP3_CODE_SYS_TEMP },
	{ "overload", POP3_CODE_SYS_TEMP },
	{ "unavailable", POP3_CODE_SYS_TEMP },
	{ "not available", POP3_CODE_SYS_TEMP },
	{ "shutting down", POP3_CODE_SYS_TEMP },
};

static bool
contains(struct slice text, const char *words)
{
	size_t n = strlen(words);

	for (size_t at = 0; at + n <= text.n; at++)
		if (slice_caseeq((struct slice){ text.p + at, n }, words))
			return true;
	return false;
}

enum pop3_code
pop3_code_guess(struct slice text)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (contains(text, phrases[i].words))
			return phrases[i].code;
	return POP3_NO_CODE;
}

/* ---- words for a command that is not known ---- */

static bool
contains_any(struct slice text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (contains(text, *words))
			return true;
	return false;
}

enum pop3_unknown
pop3_code_unknown(struct slice text)
{
	static const char *const others[] = { "password", "credential",
		"denied", "failed", "failure", "locked", "unknown user",
		"invalid user", "such user", "login", NULL };
	static const char *const unknown[] = { "unknown", "unrecogni",
		"not recogni", "unimplemented", "not implemented",
		"unsupported", "not supported", "not understood", "invalid",
		"illegal", "bad", "wrong", "no such", "too many", NULL };
	static const char *const mechanisms[] = { "mechanism",
		"authentication type", "authentication method",
		"authentication scheme", "auth type", "auth method", NULL };
	static const char *const commands[] = { "command", "verb", "keyword",
		"argument", "parameter", NULL };
	static const char *const alone[] = { "unimplemented", "not implemented",
		"syntax error", NULL };

	if (contains_any(text, others))
		return POP3_UNKNOWN_NOTHING;
	if (contains_any(text, unknown)) {
		if (contains_any(text, mechanisms))
			return POP3_UNKNOWN_MECHANISM;
		if (contains_any(text, commands))
			return POP3_UNKNOWN_COMMAND;
	}
	if (contains_any(text, alone) ||
	    (contains(text, "auth") && contains(text, "supported")))
		return POP3_UNKNOWN_COMMAND;
	return POP3_UNKNOWN_NOTHING;
}

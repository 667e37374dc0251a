/*
 * code.h - response codes: RFC 2449 s8, 3206, 6856 s5.
 */
#ifndef POP3_CODE_H
#define POP3_CODE_H

#include "base/str.h"

enum pop3_code {
	POP3_NO_CODE,
	POP3_CODE_AUTH,
	POP3_CODE_IN_USE,
	POP3_CODE_LOGIN_DELAY,
	POP3_CODE_SYS_TEMP,
	POP3_CODE_SYS_PERM,
	POP3_CODE_UTF8,
	POP3_CODE_OTHER, /* one that we do not know */
};

/* Cuts a response code and the space behind it off the front of *text.  Deeper
 * levels that are not known count as the level above (RFC 2449 s8). */
enum pop3_code pop3_code_parse(struct slice *text);

/* "SYS/TEMP"; NULL: no code, or one that we do not know. */
const char *pop3_code_name(enum pop3_code code);

/* What a refusal without a code means by its words: IN_USE, LOGIN_DELAY,
 * SYS_TEMP, all of which pass; SYS_PERM; POP3_NO_CODE: nothing that we know.
 * Words about the password or a block of the account are never taken for
 * something that passes: trying again could lock a person out. */
enum pop3_code pop3_code_guess(struct slice text);

/* What a refusal of AUTH without a code says by its words that the server does
 * not know: nothing; the mechanism; or the command itself, or the form in which
 * it was given.  Words that a refused password could be meant by say nothing. */
enum pop3_unknown {
	POP3_UNKNOWN_NOTHING,
	POP3_UNKNOWN_MECHANISM,
	POP3_UNKNOWN_COMMAND,
};
enum pop3_unknown pop3_code_unknown(struct slice text);

#endif

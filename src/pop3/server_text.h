/*
 * server_text.h - every reply of the server that has words, by number.
 *
 * A row is a reply: good or bad, its response code, its words.  Only the words
 * are for people, and may be another language's (RFC 6856 LANG: see
 * server_language.h); who gives an answer, in whichever process, names its
 * number.  %1 and %2 stand for what only the moment knows: a translation may
 * have them in its own order, twice or not at all, and what they are is never
 * taken for a format.  Programs read a %1 that comes first, so it comes first
 * in every language.
 *
 * Scripts of other people match these words: none changes without need.  The
 * translations are in po/server.
 */
#ifndef POP3_SERVER_TEXT_H
#define POP3_SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "pop3/code.h"

/* clang-format off */
#define POP3_TEXTS(GOOD, BAD) \
	/* the connection */ \
	GOOD(READY_APOP, "POP3 ready %1") /* the timestamp */ \
	GOOD(READY, "%1 POP3 ready") /* the server's name */ \
	GOOD(BEGIN_TLS, "begin TLS") \
	GOOD(BYE, "bye") \
	GOOD(BYE_REMOVED, "bye, %1 messages removed") \
	BAD(NOT_REMOVED, POP3_CODE_SYS_TEMP, "some messages may not have been removed") \
	BAD(NOT_POP3, POP3_NO_CODE, "this is POP3") \
	BAD(LINE_LONG, POP3_NO_CODE, "line too long") \
	BAD(BAD_COMMANDS, POP3_NO_CODE, "too many bad commands") \
	\
	/* any command */ \
	BAD(UNKNOWN, POP3_NO_CODE, "unknown command") \
	BAD(STATE, POP3_NO_CODE, "not in this state") \
	BAD(OCTET, POP3_NO_CODE, "that octet may not be in a command") \
	BAD(ARGUMENTS, POP3_NO_CODE, "wrong number of arguments") \
	BAD(MEMORY, POP3_CODE_SYS_TEMP, "out of memory") \
	\
	/* signing in */ \
	GOOD(CAPABILITIES, "capabilities follow") \
	GOOD(LANGUAGES, "languages follow") \
	GOOD(LANGUAGE, "%1 language chosen") /* its tag */ \
	BAD(NO_LANGUAGE, POP3_NO_CODE, "that language is not offered") \
	GOOD(MECHANISMS, "mechanisms follow") \
	GOOD(PASSWORD, "now the password") \
	BAD(TLS_ONLY, POP3_NO_CODE, "passwords are taken inside TLS only") \
	BAD(USER_FIRST, POP3_NO_CODE, "USER comes first") \
	BAD(PASS_EXPECTED, POP3_NO_CODE, "PASS was expected") \
	BAD(NO_APOP, POP3_NO_CODE, "APOP is not offered") \
	BAD(DIGEST, POP3_NO_CODE, "the digest must have 32 hexadecimal digits") \
	BAD(NO_MECHANISMS, POP3_NO_CODE, "no mechanism is offered here") \
	BAD(NO_MECHANISM, POP3_NO_CODE, "the mechanism is not offered") \
	BAD(NO_INITIAL, POP3_NO_CODE, "the mechanism takes no initial response") \
	BAD(BASE64, POP3_NO_CODE, "bad base64") \
	BAD(CANCELLED, POP3_NO_CODE, "cancelled") \
	GOOD(UTF8, "UTF-8 mode") \
	BAD(TLS_BEFORE_UTF8, POP3_NO_CODE, "STLS comes before UTF8") \
	BAD(TLS_ACTIVE, POP3_NO_CODE, "TLS is active") \
	BAD(NO_TLS, POP3_NO_CODE, "TLS is not offered") \
	\
	/* the maildrop */ \
	GOOD(MESSAGES, "%1 messages (%2 octets)") \
	GOOD(MESSAGES_DAYS, "%1 messages; days that mail stays here: %2") \
	GOOD(MESSAGES_ONCE, "%1 messages; mail stays here until it is retrieved") \
	GOOD(OCTETS, "%1 octets") \
	GOOD(TOP, "the top follows") \
	GOOD(ENVELOPE, "the envelope follows") \
	GOOD(DELETED, "message %1 deleted") \
	GOOD(NONE_DELETED, "no message is deleted") \
	GOOD(NOTHING, "nothing done") \
	BAD(NO_NUMBER, POP3_NO_CODE, "that is no message number") \
	BAD(NO_LINES, POP3_NO_CODE, "that is no number of lines") \
	BAD(NO_MESSAGE, POP3_NO_CODE, "no such message") \
	BAD(IS_DELETED, POP3_NO_CODE, "the message is deleted") \
	BAD(READ_ONLY, POP3_NO_CODE, "nothing can be removed from this maildrop") \
	\
	/* the world around a session */ \
	BAD(SAME_ADDRESS, POP3_CODE_SYS_TEMP, "too many connections from your address") \
	BAD(CONNECTIONS, POP3_CODE_SYS_TEMP, "too many connections") \
	BAD(LATER, POP3_CODE_SYS_TEMP, "try later") \
	BAD(SIGN_IN_WRONG, POP3_CODE_AUTH, "authentication failed") \
	BAD(SIGN_IN_OFF, POP3_CODE_AUTH, "this account may not sign in here") \
	BAD(SIGN_IN_TLS, POP3_CODE_AUTH, "this account signs in inside TLS only") \
	BAD(SIGN_IN_SOON, POP3_CODE_LOGIN_DELAY, "you sign in too often, wait %1 seconds") \
	BAD(SIGN_IN_LATER, POP3_CODE_SYS_TEMP, "not possible now, try again later") \
	BAD(SIGN_IN_DOWN, POP3_CODE_SYS_TEMP, "sign-in is not possible now") \
	BAD(SIGN_IN_CUT, POP3_CODE_SYS_TEMP, "sign-in was interrupted, try again") \
	BAD(SIGN_IN_FULL, POP3_CODE_SYS_TEMP, "too many sign-ins at once") \
	BAD(MALFORMED, POP3_NO_CODE, "malformed response") \
	BAD(POSTMASTER, POP3_CODE_SYS_PERM, "your maildrop needs the postmaster") \
	BAD(IN_USE, POP3_CODE_IN_USE, "open since %1 from %2") /* a time, an address */ \
	BAD(DROP_GONE, POP3_CODE_SYS_TEMP, "the maildrop is not there now") \
	BAD(DROP_UNREADABLE, POP3_CODE_SYS_TEMP, "the maildrop cannot be read now") \
	BAD(MESSAGE_GONE, POP3_CODE_SYS_TEMP, "this message has been removed by somebody else") \
	BAD(MESSAGE_UTF8, POP3_CODE_UTF8, "this message is for mail programs that know UTF8") \
	BAD(MESSAGE_UNREADABLE, POP3_CODE_SYS_TEMP, "this message cannot be read now")
/* clang-format on */

enum pop3_text {
	POP3_NO_TEXT,
#define POP3_TEXT_GOOD(name, words)      POP3_TEXT_##name,
#define POP3_TEXT_BAD(name, code, words) POP3_TEXT_##name,
	POP3_TEXTS(POP3_TEXT_GOOD, POP3_TEXT_BAD) POP3_TEXTS_END,
};

/* The words of every text in one language. */
struct pop3_language {
	const char *tag;    /* RFC 5646 */
	const char *itself; /* its name in the language itself; may be empty */
	const char *words[POP3_TEXTS_END];
};

extern const struct pop3_language pop3_english;

/* What %1 or %2 is: octets, or if text.p is NULL a number. */
struct pop3_arg {
	struct slice text;
	uint64_t number;
};

enum { POP3_TEXT_ARGS = 2 };

bool pop3_text_is_good(enum pop3_text t); /* +OK */
enum pop3_code pop3_text_code(enum pop3_text t);

/* The English words as they are in the table: for a log. */
const char *pop3_text_words(enum pop3_text t);

/* Writes the reply without CRLF, as much as fits into `room`; returns its
 * octets.  arg: POP3_TEXT_ARGS of them, or NULL for a reply without. */
size_t pop3_text_write(char *out, size_t room, const struct pop3_language *l,
    enum pop3_text t, const struct pop3_arg *arg);

#endif

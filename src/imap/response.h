/*
 * response.h - what an IMAP server says, taken apart (RFC 3501 s7, RFC 9051).
 * No I/O.
 *
 * A response is a line, and in the data of some of them a literal: "{5}" at the
 * end of a line says that five octets follow, and then the rest.  Slices point
 * into what was read.
 */
#ifndef IMAP_RESPONSE_H
#define IMAP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	IMAP_RESPONSE_MAX = 48 * 1024, /* octets of one, literals included */
};

enum imap_kind {
	IMAP_UNTAGGED,     /* "* ..." */
	IMAP_TAGGED,       /* "A7 OK ...": a command is over */
	IMAP_CONTINUATION, /* "+ ...": more of a command is awaited */
};

enum imap_status {
	IMAP_NO_STATUS, /* data */
	IMAP_OK,
	IMAP_NO,
	IMAP_BAD,
	IMAP_BYE,
	IMAP_PREAUTH,
};

/* What stands in brackets behind a status (RFC 5530, 4315, 7889).  Codes that
 * we do nothing with are IMAP_CODE_OTHER. */
enum imap_code {
	IMAP_NO_CODE,
	IMAP_CODE_OTHER,
	IMAP_CODE_APPENDUID,
	IMAP_CODE_AUTHENTICATIONFAILED,
	IMAP_CODE_AUTHORIZATIONFAILED,
	IMAP_CODE_CAPABILITY,
	IMAP_CODE_EXPIRED,
	IMAP_CODE_INUSE,
	IMAP_CODE_LIMIT,
	IMAP_CODE_NONEXISTENT,
	IMAP_CODE_OVERQUOTA,
	IMAP_CODE_SERVERBUG,
	IMAP_CODE_TRYCREATE,
	IMAP_CODE_UIDNEXT,
	IMAP_CODE_UIDVALIDITY,
	IMAP_CODE_UNAVAILABLE,
};

struct imap_response {
	enum imap_kind kind;
	uint32_t tag; /* TAGGED: the number in it */
	enum imap_status status;
	enum imap_code code;
	struct slice args;  /* what the code has behind its name */
	uint32_t number;    /* "* 5 EXISTS": 5 */
	struct slice name;  /* of data: "EXISTS", "FETCH", "CAPABILITY" */
	struct slice rest;  /* of data: what follows */
	struct slice words; /* for people, or of a continuation */
};

/* Takes the first response of n octets; *used_r of them are it.  E_AGAIN: it is
 * not complete; E_FULL: it is too long; E_FORMAT: it is none. */
enum err imap_response_read(
    const char *p, size_t n, struct imap_response *r, size_t *used_r) NODISCARD;

/* ---- data ---- */

/* The next number of "1 2 3" or the first of "5:7"; false: there is none. */
bool imap_number_take(struct slice *s, uint32_t *v_r);

/* Of "(TAG \"A5\") UID ALL 2,5:7", what ESEARCH says (RFC 9051 s7.3.4): calls for each
 * number, in their order as they stand, until that says false; `most` of them at most. */
void imap_esearch_read(struct slice rest, size_t most,
    bool (*each)(void *arg, uint32_t number), void *arg);

/* The next word, with spaces between them; false: there is none. */
bool imap_word_take(struct slice *s, struct slice *word_r);

/* Of "NAME (UIDVALIDITY 1 UIDNEXT 2)", what STATUS says.  What is not said is
 * 0. */
struct imap_mailbox {
	uint32_t uidvalidity, uidnext;
};
bool imap_status_read(struct slice rest, struct imap_mailbox *m_r);

/* Of what FETCH says. */
struct imap_fetch {
	uint32_t uid; /* 0: not said */
	bool has_size;
	uint64_t size; /* RFC822.SIZE */
	bool has_body;
	struct slice body; /* BODY[...]; NIL is empty */
};
bool imap_fetch_read(struct slice rest, struct imap_fetch *f_r);

/* Of what LIST says: "(\All \HasNoChildren) "/" NAME".  The name is as the
 * server writes it, without its quotation marks or the mark of a literal. */
struct imap_list {
	struct slice flags;
	struct slice name;
};
bool imap_list_read(struct slice rest, struct imap_list *l_r);

#endif

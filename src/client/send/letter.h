/*
 * letter.h - a message as a program hands it over to be sent, and as it is sent.
 * No I/O.
 *
 * Its lines end by LF (CRLF becomes LF), the last one too.  Bcc is left out, and
 * what only a server may write (Return-Path, Content-Length, a "From " line).
 * From, Date and Message-ID are added where they are missing, and a subject in
 * raw UTF-8 is encoded (RFC 2047).  Text that SMTP cannot carry, as it has lines
 * above 998 octets, a CR alone or a NUL, is encoded as quoted-printable; what is
 * of several parts, or encoded already, is refused then.
 */
#ifndef CLIENT_SEND_LETTER_H
#define CLIENT_SEND_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "client/send/address_list.h"

struct letter {
	struct slice header, body; /* borrowed */
	struct addresses from;     /* Resent-From, or From; or empty */
	/* Of To, Cc and Bcc, or of their Resent- forms if there are any. */
	struct addresses to;
	/* has_from may be made false: then it is written anew. */
	bool has_from, has_date, has_id, has_mime, has_type;
	bool is_text; /* of one part, and not encoded yet */
};

/* Takes the header apart; `with_recipients`: To and so on are read, and a mistake
 * in them counts.  E_FORMAT with words; letter_free() in any case. */
enum err letter_read(struct letter *l, struct slice raw, bool with_recipients,
    struct errbuf *eb) NODISCARD;
void letter_free(struct letter *l);

/* What is added where it is missing. */
struct letter_signature {
	const char *address, *name; /* name: or NULL */
	int64_t date;               /* Unix seconds */
	uint8_t random[12];         /* of the Message-ID */
};

struct letter_needs {
	bool eightbit;   /* octets above 0x7f in the body */
	bool utf8;       /* in the header, so that SMTPUTF8 is needed */
	uint64_t octets; /* with CRLF, as SIZE counts them */
};

/* Writes it.  E_FORMAT: it cannot be sent by SMTP; E_FULL: out's bound; E_NOMEM;
 * with words. */
enum err letter_write(struct buf *out, const struct letter *l,
    const struct letter_signature *s, struct letter_needs *needs,
    struct errbuf *eb) NODISCARD;

#endif

/*
 * mailbox.h - texts as IMAP commands write them.  No I/O.
 */
#ifndef IMAP_MAILBOX_H
#define IMAP_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* Appends it in quotation marks.  E_FORMAT: it holds a NUL, CR or LF, or,
 * unless `utf8`, octets above 127, which no quoted string may. */
enum err imap_put_quoted(struct buf *out, struct slice s, bool utf8) NODISCARD;

/* Appends the name of a mailbox, which is UTF-8, in quotation marks: in modified
 * UTF-7 (RFC 3501 s5.1.3), or as it is where the server was told UTF8=ACCEPT
 * (RFC 6855). */
enum err imap_put_mailbox(
    struct buf *out, struct slice name, bool utf8) NODISCARD;

enum { IMAP_DATE = 27 };
/* "02-Jan-2026 03:04:05 +0000" and a NUL.  Returns out. */
char *imap_date(char out[IMAP_DATE], int64_t unix_seconds);

#endif

/*
 * quoted_printable.h - text in lines that any server carries (RFC 2045 s6.7).
 */
#ifndef CLIENT_SEND_QUOTED_PRINTABLE_H
#define CLIENT_SEND_QUOTED_PRINTABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends text, whose lines end by LF or CRLF, encoded, with LF at the end of each
 * line, the last one too. */
enum err quoted_printable_put(struct buf *out, struct slice text) NODISCARD;

#endif

/*
 * header_field.h - the fields of a header, one after the other, and words of their
 * values as they are sent.
 */
#ifndef CLIENT_SEND_HEADER_FIELD_H
#define CLIENT_SEND_HEADER_FIELD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct header_field {
	struct slice name;
	struct slice value; /* as it is, with its folds and its end of line */
	struct slice whole; /* name, colon and value */
};

/* Takes the first field off; false: what is left is none, or nothing. */
bool header_field_next(struct slice *rest, struct header_field *f);

/* Writes UTF-8 as encoded words (RFC 2047), folded. */
enum err header_put_encoded(struct buf *out, struct slice text) NODISCARD;
/* Writes a person's name as it may stand before an address. */
enum err header_put_name(struct buf *out, const char *name) NODISCARD;
/* "Sun, 29 Nov 2026 19:00:00 +0100", in local time. */
enum err header_put_date(struct buf *out, int64_t unix_seconds) NODISCARD;

#endif

/*
 * mime_parts.h - where in a message's parts (MIME, RFC 2046) a line is.
 */
#ifndef SERVER_STORE_SURROGATE_MIME_PARTS_H
#define SERVER_STORE_SURROGATE_MIME_PARTS_H

#include <stdbool.h>

#include "base/str.h"

/* Multiparts in each other beyond these are taken as texts, and so is one whose
 * boundary is longer (RFC 2046: 70). */
enum { MIME_LEVELS_MAX = 32, MIME_BOUNDARY_MAX = 128 };
/* A line that is longer is no delimiter. */
enum { MIME_DELIMITER_MAX = MIME_BOUNDARY_MAX + 64 };

/* The multiparts that a line is within, the outermost first. */
struct mime_parts {
	unsigned n;
	struct mime_level {
		bool digest; /* its parts are messages, unless they say else */
		unsigned char boundary_n;
		char boundary[MIME_BOUNDARY_MAX];
	} v[MIME_LEVELS_MAX];
};

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

/* What is behind this header, which is now entered.  of_part: it is the header
 * of a part, and not of a message. */
enum mime_kind mime_enter(
    struct mime_parts *m, struct slice header, bool of_part);

/* Does the line separate parts?  What it ends is left then.  *last_r: the
 * multipart ends, else a part begins behind it. */
bool mime_leave(struct mime_parts *m, struct slice line, bool *last_r);

/* The same, without doing anything. */
bool mime_is_delimiter(const struct mime_parts *m, struct slice line);

/* Of the header of a message/global that is not encoded (RFC 6532): where the
 * last six letters of that stand.  0: it is another's. */
size_t mime_global(struct slice header);

#endif

/*
 * words.h - texts of a header as encoded words (RFC 2047).
 */
#ifndef SERVER_STORE_SURROGATE_WORDS_H
#define SERVER_STORE_SURROGATE_WORDS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

bool surrogate_is_ascii(struct slice s);

/* Without white space and ends of lines around it. */
struct slice surrogate_trim(struct slice s);

/* A text as encoded words, ends of lines in it taken out: at least one word,
 * each on a line of its own; those that it has already stay.  An empty text is
 * an empty one. */
enum err surrogate_words(struct buf *out, struct slice text) NODISCARD;

/* The same if the text is not ASCII; else the text. */
enum err surrogate_text(struct buf *out, struct slice text) NODISCARD;

/* What a quoted string says; octets of `out` may be fewer than those of s. */
enum err surrogate_unquote(struct buf *out, struct slice s) NODISCARD;

/* Up to the first of `stops` that is not within a quoted string, a comment, or
 * angle brackets; s.n if there is none. */
size_t surrogate_span(struct slice s, const char *stops);

#endif

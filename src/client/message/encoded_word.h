/*
 * encoded_word.h - words of headers in other character sets (RFC 2047, and what is
 * sent in place of it), as UTF-8.
 */
#ifndef CLIENT_MESSAGE_ENCODED_WORD_H
#define CLIENT_MESSAGE_ENCODED_WORD_H

#include <stddef.h>

/* The text of a field, unfolded: encoded words decoded, white space between two of
 * them dropped.  What is not UTF-8 then is taken for Latin-1.  A word that cannot
 * be decoded stays as it is.  Owned by the caller; NULL: memory.  Control
 * characters may be in it: it is to be made safe when it is shown. */
char *encoded_word_decode(const char *text, size_t n);

#endif

/*
 * format.h - vsnprintf(3), for lines that are written for every session.
 *
 * Same formats, same result, no look at the locale.  What is usual here (%s
 * with or without a precision, %c, %d, %u, %x, with l, ll, z) is done at once;
 * a format that has anything else is left to vsnprintf().
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

/* As many octets as there would be with enough room.  size is not 0. */
int format(char *out, size_t size, const char *fmt, ...) PRINTF(3, 4);
int format_v(char *out, size_t size, const char *fmt, va_list ap) PRINTF(3, 0);

/* For key="value": what a %s puts between quotation marks of the format has
 * none of its own, as those in it become '.  Only with the usual formats. */
int format_quoted_v(char *out, size_t size, const char *fmt, va_list ap)
    PRINTF(3, 0);

#endif

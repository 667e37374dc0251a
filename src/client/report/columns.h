/*
 * columns.h - texts side by side on a terminal.
 */
#ifndef CLIENT_REPORT_COLUMNS_H
#define CLIENT_REPORT_COLUMNS_H

#include <stddef.h>

/* The columns that a text takes on the screen; what cannot be printed counts as
 * one each. */
int columns_of(const char *text);

/* Copies as much of a text as fits into `width` columns and `size` octets; if that
 * is not all, the last column is "~".  Characters stay whole.  Returns out. */
char *columns_cut(char *out, size_t size, const char *text, int width);

/* Makes UTF-8 of a stranger fit for the screen: in the encoding of the locale, with
 * control characters, and those that turn the direction of writing, as \\xHH or
 * "?".  Returns out. */
char *columns_safe(char *out, size_t size, const char *utf8);

/* Prints the text and spaces up to the width. */
void columns_print(const char *text, int width);

/* Of the terminal on standard output; 0: there is none. */
int columns_there(void);

#endif

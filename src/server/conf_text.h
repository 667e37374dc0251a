/*
 * conf_text.h - the configuration file as text, and complaints about it.
 *
 * Complaints read `file:line: what is wrong; what would be right`.
 */
#ifndef SERVER_CONF_TEXT_H
#define SERVER_CONF_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Where complaints go. */
struct conf_report {
	/* One complaint without an end of line. */
	void (*say)(void *arg, const char *line);
	void *arg;
	unsigned errors, warnings;
};

struct conf_text {
	const char *file;
	struct conf_report *report;
};

/* line 0: about the file as a whole, or what it lacks. */
void conf_error(const struct conf_text *t, unsigned line, const char *fmt, ...)
    PRINTF(3, 4);
void conf_warn(const struct conf_text *t, unsigned line, const char *fmt, ...)
    PRINTF(3, 4);

/* Makes text ready for libconfuse, in place: comments become spaces, as
 * libconfuse 3.3 loses count of the lines after one.  Complains about what
 * libconfuse takes in silence: strings, comments and sections without an end,
 * and a ${NAME} that is not set (it would become nothing). */
void conf_text_prepare(const struct conf_text *t, char *text);

/* How many letters of a must be put, dropped or changed to make b
 * (Levenshtein); SIZE_MAX if one is long. */
size_t conf_distance(const char *a, const char *b);

#endif

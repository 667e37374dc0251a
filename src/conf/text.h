/*
 * text.h - the configuration file as text, and complaints about it.
 *
 * Complaints read `file:line: what is wrong; what would be right`.
 */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* Where complaints go. */
struct conf_report {
	/* One complaint without an end of line. */
	void (*say)(void *arg, const char *line);
	void *arg;
	unsigned errors, warnings;
};

/* A text may be made of several files: its lines from `first` on are those of
 * `file` from `line` on. */
struct conf_piece {
	unsigned first;
	const char *file;
	unsigned line;
};

struct conf_pieces {
	struct conf_piece *v; /* by `first` */
	size_t n, room;
};

struct conf_text {
	const char *file;
	struct conf_report *report;
	bool expand; /* ${NAME} is meant to be replaced; else it is an error */
	const struct conf_pieces *pieces; /* NULL: all is of that file */
};

/* line 0: about the file as a whole, or what it lacks. */
void conf_error(const struct conf_text *t, unsigned line, const char *fmt, ...)
    PRINTF(3, 4);
void conf_warn(const struct conf_text *t, unsigned line, const char *fmt, ...)
    PRINTF(3, 4);

/* For a complaint about the line `from`: "line 3", and of which file if that is
 * another one. */
enum { CONF_LINE_WORDS = 256 };
const char *conf_line_words(char out[CONF_LINE_WORDS],
    const struct conf_text *t, unsigned line, unsigned from);

/* The line that a setting stands in; 0: it is not in the file. */
struct conf_lines {
	struct conf_text text;
	unsigned (*line)(const struct conf_lines *l, const char *setting);
};

/* Complains about `setting` at its line. */
#define COMPLAIN(l, setting, ...) \
	conf_error(&(l)->text, (l)->line(l, setting), __VA_ARGS__)
#define WARN(l, setting, ...) \
	conf_warn(&(l)->text, (l)->line(l, setting), __VA_ARGS__)

/* Makes text ready for libconfuse, in place: comments become spaces, as
 * libconfuse 3.3 loses count of the lines after one, and so does a byte order
 * mark.  Complains about what libconfuse takes in silence: strings, comments and
 * sections without an end, a # where a value is, a NUL within a string, and a
 * ${NAME} that is not set (it would become nothing) or not wanted.  False: what
 * is behind such a place would be misread, so nothing more can be said. */
bool conf_text_prepare(const struct conf_text *t, char *text);

/* Complains about each line that is not in UTF-8.  In a text that was prepared
 * comments may be as they like. */
bool conf_text_is_utf8(const struct conf_text *t, const char *text);

/* Walks over the sections of a text that was prepared. */
struct conf_sections {
	const char *p; /* at first the text */
	unsigned line; /* at first 1 */
};
/* The line where the next one begins; 0: there is none. */
unsigned conf_sections_next(struct conf_sections *s);

/* Walks over the names that have a "=" behind them. */
struct conf_names {
	const char *p;     /* at first the text */
	unsigned depth;    /* of sections */
	struct slice name; /* in the text */
};
bool conf_names_next(struct conf_names *n); /* false: there is none */

/* How many letters of a must be put, dropped, changed, or swapped with their
 * neighbour to make b; SIZE_MAX if one is long. */
size_t conf_distance(const char *a, const char *b);

#endif

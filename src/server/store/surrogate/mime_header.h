/*
 * mime_header.h - the fields of a header: of a message, or of a part of one.
 */
#ifndef SERVER_STORE_SURROGATE_MIME_HEADER_H
#define SERVER_STORE_SURROGATE_MIME_HEADER_H

#include <stdbool.h>

#include "base/str.h"

/* The line at p with its LF; all of it if there is none. */
size_t mime_line_len(const char *p, size_t n);

/* Of the name before the colon; 0: no field begins here. */
size_t mime_name_len(const char *p, size_t n);

struct mime_field {
	struct slice whole; /* with the lines that continue it */
	struct slice name;
	struct slice body; /* without white space around it */
};

/* Takes the next field off *header; false if there is none. */
bool mime_next(struct slice *header, struct mime_field *f_r);

/* The body of the first field of that name. */
bool mime_find(struct slice header, const char *name, struct slice *body_r);

#endif

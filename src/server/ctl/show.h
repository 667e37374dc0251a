/*
 * show.h - others' words on a terminal, and in JSON.
 */
#ifndef SERVER_CTL_SHOW_H
#define SERVER_CTL_SHOW_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/* Without what a terminal would obey.  Returns out. */
char *show_clean(char *out, size_t size, const char *words);

/* A JSON string; what is not UTF-8 in it is escaped.  NULL: memory. */
json_t *show_text(const char *words);

/* Prints it on a line of its own, in ASCII. */
enum err show_json(const json_t *j, struct errbuf *eb) NODISCARD;

#endif

/*
 * form.h - names and values as the web sends them (application/
 * x-www-form-urlencoded), also behind the ? of a URL.
 */
#ifndef CLIENT_WEB_FORM_H
#define CLIENT_WEB_FORM_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* Adds "name=value" behind what is there, with "&" between them; the name is
 * written as it is.  value: NULL adds nothing. */
enum err form_put(
    struct buf *form, const char *name, const char *value) NODISCARD;

/* Adds a text as a value is coded; good for a part of a path, too. */
enum err form_put_text(struct buf *form, const char *text) NODISCARD;

/* The first value of that name, decoded.  E_NOENT: there is none; E_FORMAT: it
 * is not well-formed, or holds a control character; E_FULL, E_NOMEM. */
enum err form_get(
    struct slice form, const char *name, struct buf *value) NODISCARD;

#endif

/*
 * fields.h - the fields of a header, as they are in a message.
 */
#ifndef CLIENT_MESSAGE_FIELDS_H
#define CLIENT_MESSAGE_FIELDS_H

#include <stdbool.h>

#include "base/str.h"

/* Moves *rest, which begins at a line, behind the next field of that name,
 * whatever the case of its letters; *value_r is what stands in it, with its folds
 * and ends of lines, in the text.  False: there is no other one before the end of
 * the header, which is an empty line or the end of the text. */
bool field_next(struct slice *rest, const char *name, struct slice *value_r);

#endif

/*
 * parameter.h - a value of MIME with parameters, as in Content-Type.
 */
#ifndef SERVER_STORE_SURROGATE_PARAMETER_H
#define SERVER_STORE_SURROGATE_PARAMETER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* full: values beyond ASCII go by RFC 2231, else they are left out.  *dropped_r:
 * what the field says without parameters is not ASCII, so it is of no use. */
enum err surrogate_parameters(
    struct buf *out, struct slice body, bool full, bool *dropped_r) NODISCARD;

#endif

/*
 * downgrade.h - a header in UTF-8 made into one in ASCII.
 */
#ifndef SERVER_STORE_SURROGATE_DOWNGRADE_H
#define SERVER_STORE_SURROGATE_DOWNGRADE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* full: as RFC 6857 has it, else RFC 6858.  Fields in ASCII stay as they are. */
enum err downgrade_header(
    struct buf *out, struct slice header, bool full) NODISCARD;

#endif

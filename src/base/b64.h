/*
 * b64.h - base64 (RFC 4648 s4), strict: no white space, padding complete, no
 * stray bits.  RFC 5034 s4 makes anything else fail.
 */
#ifndef BASE_B64_H
#define BASE_B64_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define B64_ENCODED(n) (((n) + 2) / 3 * 4)

/* Writes B64_ENCODED(n) octets, no NUL. */
void b64_encode(char *out, const void *in, size_t n);

/* May decode in place (out == in.p).  E_FORMAT; *n_r octets otherwise. */
enum err b64_decode(char *out, struct slice in, size_t *n_r) NODISCARD;

#endif

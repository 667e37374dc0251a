/*
 * slurp.h - a small file, read whole.
 */
#ifndef BASE_SLURP_H
#define BASE_SLURP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

struct slurp {
	char *text; /* NUL behind it; the caller's, to be freed */
	size_t n;
	struct stat st;
};

/* Reads a regular file of at most max octets that may be empty; never waits
 * for a pipe or a device.  E_NOENT, E_DENIED, E_IO, E_FORMAT (not a regular
 * file, or it holds a NUL), E_FULL, E_NOMEM.  The words name the reason but
 * not the file. */
enum err slurp(const char *path, size_t max, struct slurp *out,
    struct errbuf *eb) NODISCARD;

/* Is it the same file, and has it not been written to between the two looks? */
bool slurp_is_same(const struct stat *a, const struct stat *b);

/* Opens a regular file for reading, with the words of slurp(). */
enum err slurp_open(
    const char *path, int *fd_r, struct stat *st, struct errbuf *eb) NODISCARD;

#endif

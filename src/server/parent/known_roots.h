/*
 * known_roots.h - which mail roots have had their marker: the parent's memory
 * of that, outside of the roots, as a root that is not mounted cannot tell.
 *
 * A text file, mail-roots, with one path a line, in the folder of
 * state_folder.h.
 */
#ifndef SERVER_PARENT_KNOWN_ROOTS_H
#define SERVER_PARENT_KNOWN_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* False also if nothing can be read. */
bool known_roots_has(const char *root);

/* Those strictly below that one, as they are called from there, each with a LF
 * behind it.  False: there are more than fit. */
bool known_roots_below(const char *root, char *out, size_t size);

/* Synced when this returns. */
enum err known_roots_add(const char *root, struct errbuf *eb) NODISCARD;

#endif

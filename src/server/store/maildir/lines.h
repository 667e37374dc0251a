/*
 * lines.h - a text file of somebody else's, line by line.
 */
#ifndef SERVER_STORE_MAILDIR_LINES_H
#define SERVER_STORE_MAILDIR_LINES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum { LINES_LONGEST = 4096 };

/* Hands over each line that has an end, without it; one over LINES_LONGEST
 * octets as an empty slice whose p is NULL.  *torn_r: octets without an end
 * stand behind the last line.  Returns what take() says if not E_OK, E_IO,
 * E_NOMEM, E_FULL for a file beyond reason. */
typedef enum err (*lines_take)(void *arg, struct slice line);
enum err lines_read(int fd, lines_take take, void *arg, bool *torn_r,
    struct errbuf *eb) NODISCARD;

/* Cuts the next word, up to the separator, off the front of *rest; false if
 * nothing is left. */
bool lines_word(struct slice *rest, char separator, struct slice *word_r);

#endif

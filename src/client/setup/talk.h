/*
 * talk.h - questions to the person at the terminal, one line each.
 */
#ifndef CLIENT_SETUP_TALK_H
#define CLIENT_SETUP_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Can somebody read a question and answer it? */
bool talk_is_possible(void);

/* Prints `question` and reads a line into `out`, without white space around it;
 * Enter alone leaves what `out` holds.  False: there is no more input, as the
 * person wants to leave. */
bool talk_ask(char *out, size_t size, const char *question) NODISCARD;

enum talk_answer { TALK_LEFT, TALK_NO, TALK_YES };

/* A question of yes or no, without the marks for these behind it; Enter is `usual`,
 * and what is neither is asked again. */
enum talk_answer talk_confirm(bool usual, const char *fmt, ...)
    PRINTF(2, 3) NODISCARD;

/* Nothing is said any more: what is on standard output is for a program. */
void talk_be_quiet(void);

/* Says something as it is. */
void talk_print(const char *fmt, ...) PRINTF(1, 2);

/* Says something in a paragraph of its own lines, broken at the width of the
 * terminal; `first` stands before the first line. */
void talk_say(const char *first, const char *fmt, ...) PRINTF(2, 3);

#endif

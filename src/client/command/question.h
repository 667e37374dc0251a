/*
 * question.h - a person at the terminal is asked yes or no.
 */
#ifndef CLIENT_COMMAND_QUESTION_H
#define CLIENT_COMMAND_QUESTION_H

#include <stdbool.h>

#include "base/err.h"

/* Can somebody read a question and answer it? */
bool question_is_possible(void);

/* Asks on standard output; the words end by "? ".  Only a word that begins as yes
 * does in the person's language is one. */
bool question_yes(const char *fmt, ...) PRINTF(1, 2);

#endif

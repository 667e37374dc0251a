/*
 * failure.h - what a command says when it cannot be done, or is.
 */
#ifndef CLIENT_COMMAND_FAILURE_H
#define CLIENT_COMMAND_FAILURE_H

#include <jansson.h>

#include "base/err.h"
#include "client/command/options.h"

void say_error(const char *words); /* on standard error */

/* Says what was done, as far as it is not to be quiet or to be JSON; EX_OK. */
int done(const struct options *o, const char *fmt, ...) PRINTF(2, 3);

/* These return `code`.  With --json they print an object all the same, as what
 * they say is said before there is a report. */

/* What was said already, as an array of texts.  Takes errors. */
int failed(const struct options *o, int code, json_t *errors);
int failed_by(const struct options *o, int code, const char *fmt, ...)
    PRINTF(3, 4);
/* Of the command line.  What is wrong stays on the screen, which all of the
 * help would push away. */
int mistyped(const struct options *o, const char *fmt, ...) PRINTF(2, 3);

#endif

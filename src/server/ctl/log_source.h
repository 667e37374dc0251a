/*
 * log_source.h - the server's log, from its oldest line to its newest: the
 * journal's, or that of a file and of those that logrotate(8) made of it.
 */
#ifndef SERVER_CTL_LOG_SOURCE_H
#define SERVER_CTL_LOG_SOURCE_H

#include <stdint.h>

#include "base/err.h"

enum { LOG_SOURCE_LINE = 8 * 1024 }; /* longer ones are cut */

/* when: seconds since 1970, or 0 if the line does not say.  rest: from the name of
 * its process on ("worker.0 ev=..."), borrowed for the call. */
typedef void log_source_take(void *arg, int64_t when, const char *rest);

/* file: NULL: the journal of the unit maloted.  Lines before `since' may be left
 * out. */
enum err log_source_read(const char *file, int64_t since, log_source_take *take,
    void *arg, struct errbuf *eb) NODISCARD;

/* For tests: when a line was written, and where its process is named; NULL: it is
 * none of ours.  now: for a form without a year. */
const char *log_source_line(const char *line, int64_t now, int64_t *when_r);

#endif

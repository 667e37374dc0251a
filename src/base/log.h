/*
 * log.h - one line per event, `ev=word key=value ...`.
 *
 * A role process collects its lines and writes them to the pipe of the parent
 * at the end of a turn of its loop: whole lines, never waiting.  When the pipe
 * is full for long, lines are dropped and counted, and the count is logged.
 * What a peer said is escaped by the caller (str_escape) before it gets here.
 * A value that the format puts between quotation marks has none within.
 * Threads may log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_DEBUGGING, LOG_EVENT, LOG_WARNING, LOG_FAULT };

/* As it was given to log_open(), or empty. */
const char *log_role(void);

/* fd: where lines go.  role: word at the head of each line, static, or NULL.
 * Until this is called lines go to standard error at once. */
void log_open(int fd, const char *role);

/* One line without its end.  Over 2 KiB it is cut. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

/* Writes what was collected. */
void log_flush(void);

/* Writes a line at once and ends the process.  Only for what is a fault of this
 * program, and for what fails before a role has begun to serve. */
void fatal(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

#endif

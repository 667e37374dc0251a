/*
 * report.h - what a person, or a program, is told of a run.
 *
 * On a terminal each account has a bar while it is collected; otherwise it has
 * a line when it is over.  The daemon says only what has changed.  Failures go
 * to standard error.  JSON is one object at
 * the end (malote(1), "JSON").
 */
#ifndef CLIENT_REPORT_REPORT_H
#define CLIENT_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conf/client_conf.h"
#include "client/session/progress.h"
#include "client/session/visit.h"

struct report;

enum report_kind {
	REPORT_QUIET,   /* only what failed */
	REPORT_CHANGES, /* only report_change(): for runs again and again */
	REPORT_LINES,
	REPORT_BARS,
	REPORT_JSON,
};

/* Borrows names.  NULL: memory. */
struct report *report_new(
    enum report_kind kind, const struct client_conf *conf);
void report_free(struct report *r);

/* i is the account's index in the configuration. */
void report_began(struct report *r, size_t i);
/* Is there something on the screen that moves?  Then report_progress() is to be
 * called for each account that is busy, and report_draw() after them, a few
 * times a second. */
bool report_is_live(const struct report *r);
void report_progress(
    struct report *r, size_t i, const struct visit_progress *p);
void report_draw(struct report *r);
void report_waits(
    struct report *r, size_t i, const char *why, unsigned seconds);
/* Something to know that is no failure. */
void report_notice(struct report *r, size_t i, const char *words);
/* What has failed, though the run has not: whatever the kind. */
void report_warning(struct report *r, size_t i, const char *words);
/* It was told to end, and does as soon as it can. */
void report_ends(struct report *r);
void report_trace(struct report *r, size_t i, bool received, const char *line);
void report_over(struct report *r, size_t i, const struct visit_result *result);

/* Of runs again and again: an account fails that did not before, or otherwise than
 * before; or it works again.  With the time. */
void report_change(
    struct report *r, size_t i, const struct visit_result *result);

/* No bars while somebody is asked something on the terminal. */
void report_hold(struct report *r, bool hold);

/* The end of a run; prints the JSON.  Returns the exit code. */
int report_end(struct report *r);

struct json_t;
/* Text as JSON, whatever octets it has; the caller's. */
struct json_t *report_json_text(const char *text);

#endif

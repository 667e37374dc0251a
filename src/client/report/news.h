/*
 * news.h - who is told that new mail has come: a command of the person's
 * (`on_new`), and the desktop (`notify`, by notify-send).
 *
 * They are told once for a run, when all of it is on the disk and on record: what
 * they fail by loses nothing.  Each is given the account's timeout, and ended
 * then.
 */
#ifndef CLIENT_REPORT_NEWS_H
#define CLIENT_REPORT_NEWS_H

#include <stdbool.h>

#include "client/session/arrivals.h"

struct account;
struct ev_loop;
struct news;

/* Somebody has failed, in words for people.  Called from the loop. */
typedef void news_failed(void *arg, const char *words);
/* All were told.  Called from the loop; news_free() is permitted within. */
typedef void news_over(void *arg);

struct news_hooks {
	news_failed *failed;
	news_over *over;
	void *arg;
};

/* Is somebody to be told? */
bool news_is_wanted(const struct account *a);

/* Tells of n messages.  Borrows the account until it is freed, the rest for the
 * call.  NULL: memory. */
struct news *news_start(struct ev_loop *loop, const struct account *a,
    unsigned n, const struct arrivals *arrivals,
    const struct news_hooks *hooks);
void news_free(struct news *w); /* not before `over` */

#endif

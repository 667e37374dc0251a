/*
 * errand.h - work on a thread of its own that nobody waits for longer than
 * they want: for libraries that wait for others inside, and cannot be told to
 * stop.
 */
#ifndef BASE_ERRAND_H
#define BASE_ERRAND_H

#include <stdbool.h>

#include "base/err.h"

struct errand;
struct ev_loop;

struct errand_question {
	struct ev_loop *loop;
	double timeout; /* seconds */
	/* The work belongs to the thread until `done`, and for ever if nobody
	 * waits for it any more: then `drop` is called there. */
	void *work;
	void (*run)(void *work);
	void (*drop)(void *work);
	/* Called once, from the loop, unless errand_leave() was.  in_time: the
	 * work is the caller's again.  The errand is gone. */
	void (*done)(void *arg, bool in_time);
	void *arg;
};

/* E_NOMEM, E_IO: there is no thread; the work is still the caller's. */
enum err errand_start(struct errand **e_r, const struct errand_question *q,
    struct errbuf *eb) NODISCARD;

/* Nobody waits any more; the work is dropped when it has been run. */
void errand_leave(struct errand *e);

#endif

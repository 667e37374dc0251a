/*
 * burst.h - log lines about what strangers can bring about as often as they
 * like: the first event has a line of its own, those that follow are counted,
 * and their number is logged every ten seconds until no more come.
 */
#ifndef BASE_BURST_H
#define BASE_BURST_H

#include <ev.h>
#include <stdbool.h>

struct burst {
	/* Of the line with the number, which is put behind it: "ev=word more";
	 * static. */
	const char *words;
	/* burst.c's, zero at first. */
	unsigned more;
	ev_timer timer;
};

/* An event.  True: log it; false: it is counted. */
bool burst_is_first(struct burst *b, struct ev_loop *loop);

#endif

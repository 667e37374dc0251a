/*
 * pace.h - how fast an account goes on.  Times are monotonic milliseconds.
 */
#ifndef CLIENT_REPORT_PACE_H
#define CLIENT_REPORT_PACE_H

#include "client/session/progress.h"

struct pace {
	struct visit_progress progress;
	uint64_t moved_at; /* when it was another progress */
	uint64_t sampled_at, sample;
	double rate; /* octets a second in PHASE_COLLECT, else messages; 0: not
	              * known */
};

void pace_init(struct pace *pace, uint64_t now);
/* It is so far now.  The rate is that of the last few seconds. */
void pace_note(struct pace *pace, const struct visit_progress *p, uint64_t now);

#endif

#include "client/report/pace.h"

enum { SAMPLE_MS = 1000 };
#define NEWEST 0.3 /* what the last sample counts beside those before it */

/* What the rate is of. */
static uint64_t
amount(const struct visit_progress *p)
{
	return p->phase == PHASE_COLLECT ? p->octets : p->done;
}

static void
begin(struct pace *pace, const struct visit_progress *p, uint64_t now)
{
	*pace = (struct pace){
		.progress = *p,
		.moved_at = now,
		.sampled_at = now,
		.sample = amount(p),
	};
}

void
pace_init(struct pace *pace, uint64_t now)
{
	begin(pace, &(struct visit_progress){ .phase = PHASE_START }, now);
}

static void
take_sample(struct pace *pace, uint64_t now)
{
	uint64_t n = amount(&pace->progress);
	double rate = (double)(n - pace->sample) * 1000 /
		      (double)(now - pace->sampled_at);

	pace->rate =
	    pace->rate == 0 ? rate : pace->rate * (1 - NEWEST) + rate * NEWEST;
	pace->sampled_at = now;
	pace->sample = n;
}

void
pace_note(struct pace *pace, const struct visit_progress *p, uint64_t now)
{
	const struct visit_progress *before = &pace->progress;

	/* Another session begins at nothing again. */
	if (p->phase != before->phase || amount(p) < amount(before)) {
		begin(pace, p, now);
		return;
	}
	if (amount(p) != amount(before) || p->done != before->done)
		pace->moved_at = now;
	pace->progress = *p;
	if (now - pace->sampled_at >= SAMPLE_MS)
		take_sample(pace, now);
}

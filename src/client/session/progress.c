#include "client/session/progress.h"

#include "client/session/steps.h"

static struct visit_progress
collecting(const struct visit *v)
{
	return (struct visit_progress){
		.phase = PHASE_COLLECT,
		.done = v->result.tally.collected + v->n_here,
		.total = v->n_wanted,
		.octets = v->octets_seen,
		.octets_total = v->octets_wanted,
	};
}

static struct visit_progress
deleting(const struct visit *v)
{
	size_t n = v->items.n_delete + v->items.n_unsaved;

	return (struct visit_progress){
		.phase = n != 0 ? PHASE_DELETE : PHASE_END,
		.done = v->n_deleted,
		.total = (uint32_t)n,
	};
}

/* LIST and UIDL have a row for each message. */
static struct visit_progress
listing(const struct visit *v)
{
	return (struct visit_progress){
		.phase = PHASE_LIST,
		.done = (uint32_t)(listing_rows(v) / 2),
		.total = v->stat_count,
	};
}

struct visit_progress
visit_progress(const struct visit *v)
{
	switch (v->step) {
	case STEP_SECRET:
		return (struct visit_progress){ .phase = PHASE_START };
	case STEP_LANGUAGE:
	case STEP_SIGN_IN:
		return (struct visit_progress){ .phase = PHASE_SIGN_IN };
	case STEP_RECAPA:
	case STEP_LISTING: return listing(v);
	case STEP_HEADERS:
	case STEP_VERIFY:
		return (struct visit_progress){ .phase = PHASE_CHECK,
			.done = v->n_checked,
			.total = v->n_to_check };
	case STEP_ENVELOPE:
	case STEP_RETRIEVE: return collecting(v);
	case STEP_DELETE: return deleting(v);
	case STEP_QUIT:
	case STEP_SAVE:
	case STEP_OVER: return (struct visit_progress){ .phase = PHASE_END };
	default: return (struct visit_progress){ .phase = PHASE_CONNECT };
	}
}

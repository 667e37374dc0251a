#include "client/session/batch.h"

#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "client/session/destination.h"
#include "client/session/fence.h"

enum {
	BATCH = 64,
	BATCH_OCTETS = 4 << 20,
	BACKLOG = 1024, /* messages that wait to be stored */
	BACKLOG_OCTETS = 64 << 20,
};
#define BATCH_AGE 0.5 /* seconds */

struct batch {
	/* Complete, to be stored. */
	struct parcel **v;
	size_t n, room;
	uint64_t octets;
	double since;
	/* What the thread is storing. */
	struct storer_job job;
	bool storing;
	uint64_t stored_octets;
};

/* ---- what has been stored ---- */

/* The destination takes nothing: what is complete would not be taken either. */
static void
drop_complete(struct session *s)
{
	struct batch *b = s->batch;

	session_drop_held(s);
	for (size_t k = 0; k < b->n; k++) {
		s->items.v[b->v[k]->item].progress = ITEM_DONE;
		parcel_drop(s->conf.delivery, b->v[k]);
	}
	b->n = 0;
	b->octets = 0;
}

static void
count_stored(struct session *s, const struct parcel *p)
{
	struct tally *t = &s->result.tally;
	struct state_account *a = &s->record->account;

	t->collected++;
	t->collected_octets += p->octets;
	a->collected++;
	a->collected_octets += p->octets;
}

static void
one_stored(struct session *s, const struct parcel *p)
{
	struct item *item = &s->items.v[p->item];
	struct record *r = s->record;

	item->progress = ITEM_DONE;
	if (p->result == E_CLOSED)
		return;
	if (p->result != E_OK) {
		destination_refused(s, p);
		return;
	}
	destination_took(s);
	count_stored(s, p);
	session_trouble_clear(s, p->item);
	item->is_fresh = true;
	item->message = r->n_fresh;
	r->fresh[r->n_fresh++] = (struct message){
		.id = p->message,
		.has_uid = p->has_uid,
		.uid = p->uid,
		.size = p->size,
		.identity = p->identity,
		.has_identity = true,
		.where = p->to_delete ? MESSAGE_DELETING : MESSAGE_THERE,
		.stored_at = time(NULL),
	};
	if (p->to_delete)
		items_delete(&s->items, p->item);
}

static void
stored(struct storer_job *job)
{
	struct session *s = job->arg;

	s->batch->storing = false;
	s->batch->stored_octets = 0;
	for (size_t k = 0; k < job->n_parcels; k++) {
		if (job->err == E_OK)
			one_stored(s, job->parcels[k]);
		parcel_free(job->parcels[k]);
	}
	free(job->parcels);
	if (job->err != E_OK) {
		session_fail(s, OUTCOME_DISK, "%s", job->eb.text);
		s->enough = s->result.unrecorded = true;
	} else if (job->failed != E_OK) {
		drop_complete(s);
		destination_failed(s, job->failed, job->eb.text);
	}
	s->conf.hooks->progress(
	    s->conf.arg, s->octets_seen, s->result.tally.collected);
	session_go_on(s);
}

/* ---- storing ---- */

void
session_store(struct session *s)
{
	struct batch *b = s->batch;

	if (b->storing || b->n == 0)
		return;
	b->job = (struct storer_job){
		.kind = STORER_BATCH,
		.done = stored,
		.arg = s,
		.parcels = b->v,
		.n_parcels = b->n,
	};
	b->v = NULL;
	b->n = b->room = 0;
	b->stored_octets = b->octets;
	b->octets = 0;
	b->storing = true;
	storer_do(s->conf.storer, &b->job);
}

bool
session_store_add(struct session *s, struct parcel *p)
{
	struct batch *b = s->batch;
	struct parcel **v =
	    array_room(b->v, b->n, &b->room, sizeof(struct parcel *));

	if (v == NULL)
		return false;
	b->v = v;
	if (b->n == 0)
		b->since = ev_now(s->conf.loop);
	b->v[b->n++] = p;
	b->octets += p->octets;
	return true;
}

bool
session_store_is_due(const struct session *s)
{
	const struct batch *b = s->batch;

	return b->n >= BATCH || b->octets >= BATCH_OCTETS || s->n_asked == 0 ||
	       (b->n != 0 && ev_now(s->conf.loop) - b->since > BATCH_AGE);
}

bool
session_store_is_long(const struct session *s)
{
	const struct batch *b = s->batch;

	return b->n >= BACKLOG ||
	       b->octets + b->stored_octets >= BACKLOG_OCTETS;
}

bool
session_is_storing(const struct session *s)
{
	return s->batch != NULL && s->batch->storing;
}

bool
session_has_unstored(const struct session *s)
{
	return s->batch->n != 0 || s->batch->storing;
}

/* ---- life ---- */

bool
session_batch_new(struct session *s)
{
	s->batch = calloc(1, sizeof(*s->batch));
	return s->batch != NULL;
}

void
session_batch_free(struct session *s)
{
	if (s->batch != NULL)
		free(s->batch->v);
	free(s->batch);
}

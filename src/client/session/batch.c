#include "client/session/batch.h"

#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "client/session/arrivals.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/sorting.h"
#include "client/session/stubs.h"

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
	ev_timer age; /* of the oldest of them; it ends the batch */
	/* What the thread is storing. */
	struct storer_job job;
	bool storing;
	uint64_t stored_octets;
};

/* ---- what has been stored ---- */

/* The destination takes nothing: what is complete would not be taken either. */
static void
drop_complete(struct visit *v)
{
	struct batch *b = v->batch;

	fence_drop(v);
	for (size_t k = 0; k < b->n; k++) {
		v->items.v[b->v[k]->item].progress = ITEM_DONE;
		parcel_drop(b->v[k]);
	}
	b->n = 0;
	b->octets = 0;
	ev_timer_stop(v->conf.loop, &b->age);
}

static void
count_stored(struct visit *v, const struct parcel *p)
{
	struct tally *t = &v->result.tally;
	struct state_account *a = &v->record->account;

	t->collected++;
	t->collected_octets += p->octets;
	a->collected++;
	a->collected_octets += p->octets;
}

/* It is another run's, or the destination refuses it. */
static void
one_refused(struct visit *v, const struct parcel *p)
{
	if (!sorting_is_apart(v, p))
		destination_refused(v, p);
	else if (p->result == E_AGAIN)
		sorting_failed(v, p->item, p, p->why);
	else
		trouble_note(v, p->item, TROUBLE_REFUSED, p->why);
}

static void
one_stored(struct visit *v, const struct parcel *p)
{
	struct item *item = &v->items.v[p->item];
	struct record *r = v->record;

	item->progress = ITEM_DONE;
	/* The next run asks before it collects it again. */
	if (p->in_doubt)
		v->enough = v->result.unrecorded = true;
	if (p->result == E_CLOSED)
		return;
	if (p->result != E_OK) {
		one_refused(v, p);
		return;
	}
	if (!sorting_is_apart(v, p))
		destination_took(v);
	count_stored(v, p);
	arrivals_stored(v, p->item);
	trouble_clear(v, p->item);
	if (p->number != 0) {
		stubs_stored(v, p);
		return;
	}
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
		items_delete(&v->items, p->item);
}

static void
stored(struct storer_job *job)
{
	struct visit *v = job->arg;

	v->batch->storing = false;
	v->batch->stored_octets = 0;
	for (size_t k = 0; k < job->n_parcels; k++) {
		if (job->err == E_OK)
			one_stored(v, job->parcels[k]);
		parcel_free(job->parcels[k]);
	}
	free(job->parcels);
	if (job->n_untold != 0)
		outcome_untold_words(
		    v->result.notice, sizeof(v->result.notice), job->n_untold);
	if (job->err != E_OK) {
		visit_fail(v, OUTCOME_DISK, "%s", job->eb.text);
		v->enough = v->result.unrecorded = true;
	} else if (job->failed != E_OK) {
		drop_complete(v);
		destination_failed(v, job->failed, job->eb.text);
	}
	if (batch_is_due(v))
		batch_store(v);
	visit_go_on(v);
}

/* ---- storing ---- */

void
batch_store(struct visit *v)
{
	struct batch *b = v->batch;

	if (b->storing || b->n == 0)
		return;
	ev_timer_stop(v->conf.loop, &b->age);
	b->job = (struct storer_job){
		.kind = STORER_BATCH,
		.done = stored,
		.arg = v,
		.parcels = b->v,
		.n_parcels = b->n,
	};
	b->v = NULL;
	b->n = b->room = 0;
	b->stored_octets = b->octets;
	b->octets = 0;
	b->storing = true;
	storer_do(v->conf.storer, &b->job);
}

bool
batch_add(struct visit *v, struct parcel *p)
{
	struct batch *b = v->batch;
	struct parcel **more =
	    array_room(b->v, b->n, &b->room, sizeof(struct parcel *));

	if (more == NULL)
		return false;
	b->v = more;
	if (b->n == 0)
		ev_timer_start(v->conf.loop, &b->age);
	b->v[b->n++] = p;
	b->octets += p->octets;
	return true;
}

bool
batch_is_due(const struct visit *v)
{
	const struct batch *b = v->batch;

	return b->n >= BATCH || b->octets >= BATCH_OCTETS || v->n_asked == 0 ||
	       (b->n != 0 && !ev_is_active(&b->age));
}

bool
batch_is_long(const struct visit *v)
{
	const struct batch *b = v->batch;

	return b->n >= BACKLOG ||
	       b->octets + b->stored_octets >= BACKLOG_OCTETS;
}

bool
batch_is_busy(const struct visit *v)
{
	return v->batch != NULL && v->batch->storing;
}

bool
batch_has_some(const struct visit *v)
{
	return v->batch->n != 0 || v->batch->storing;
}

/* ---- life ---- */

/* A server that has fallen silent holds up nothing that is complete. */
static void
batch_on_age(struct ev_loop *loop, ev_timer *w, int revents)
{
	batch_store(w->data);
}

bool
batch_new(struct visit *v)
{
	struct batch *b = calloc(1, sizeof(*b));

	v->batch = b;
	if (b == NULL)
		return false;
	ev_timer_init(&b->age, batch_on_age, BATCH_AGE, 0.);
	b->age.data = v;
	return true;
}

void
batch_free(struct visit *v)
{
	if (v->batch == NULL)
		return;
	ev_timer_stop(v->conf.loop, &v->batch->age);
	free(v->batch->v);
	free(v->batch);
}

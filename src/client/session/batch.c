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
	FLIGHTS_MAX = 8,
};
#define BATCH_AGE 0.5 /* seconds */

/* A batch that is being stored. */
struct flight {
	struct storer_job job; /* first; no parcels: it is free */
	uint64_t octets;
	bool given; /* see struct storer_job */
};

struct batch {
	/* Complete, to be stored. */
	struct parcel **v;
	size_t n, room;
	uint64_t octets;
	ev_timer age; /* of the oldest of them; it ends the batch */
	/* What is being stored; all but one were given. */
	struct flight flights[FLIGHTS_MAX];
	unsigned n_flights;
	uint64_t flying_octets;
	bool storing; /* that one: the next batch grows meanwhile */
	bool failed;  /* the destination takes nothing, and that was said */
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
destination_has_failed(struct visit *v, const struct storer_job *job)
{
	drop_complete(v);
	if (!v->batch->failed)
		destination_failed(v, job->failed, job->eb.text);
	v->batch->failed = true;
}

static void
given(struct storer_job *job)
{
	struct visit *v = job->arg;

	((struct flight *)job)->given = true;
	v->batch->storing = false;
	if (batch_is_due(v))
		batch_store(v);
}

static void
take_down(struct batch *b, struct flight *f)
{
	b->n_flights--;
	b->flying_octets -= f->octets;
	if (!f->given)
		b->storing = false;
	free(f->job.parcels);
	f->job.parcels = NULL;
}

static void
stored(struct storer_job *job)
{
	struct visit *v = job->arg;

	for (size_t k = 0; k < job->n_parcels; k++) {
		if (job->err == E_OK)
			one_stored(v, job->parcels[k]);
		parcel_free(job->parcels[k]);
	}
	take_down(v->batch, (struct flight *)job);
	if (job->n_untold != 0)
		outcome_untold_words(
		    v->result.notice, sizeof(v->result.notice), job->n_untold);
	if (job->err != E_OK) {
		visit_fail(v, OUTCOME_DISK, "%s", job->eb.text);
		v->enough = v->result.unrecorded = true;
	} else if (job->failed != E_OK) {
		destination_has_failed(v, job);
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
	struct flight *f = b->flights;

	if (b->storing || b->n == 0 || b->n_flights == FLIGHTS_MAX)
		return;
	while (f->job.parcels != NULL)
		f++;
	ev_timer_stop(v->conf.loop, &b->age);
	f->job = (struct storer_job){
		.kind = STORER_BATCH,
		.done = stored,
		.given = given,
		.arg = v,
		.parcels = b->v,
		.n_parcels = b->n,
	};
	f->octets = b->octets;
	f->given = false;
	b->v = NULL;
	b->n = b->room = 0;
	b->octets = 0;
	b->n_flights++;
	b->flying_octets += f->octets;
	b->storing = true;
	storer_do(v->conf.storer, &f->job);
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
	       b->octets + b->flying_octets >= BACKLOG_OCTETS;
}

bool
batch_is_busy(const struct visit *v)
{
	return v->batch != NULL && v->batch->n_flights != 0;
}

bool
batch_has_some(const struct visit *v)
{
	return v->batch->n != 0 || v->batch->n_flights != 0;
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

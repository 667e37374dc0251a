#include "client/session/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/session/fence.h"

enum {
	BATCH = 64,
	BATCH_OCTETS = 4 << 20,
	BACKLOG = 1024, /* messages that wait to be stored */
	BACKLOG_OCTETS = 64 << 20,
	REFUSALS_MAX = 5, /* in a row, and no others are downloaded */
};
#define BATCH_AGE 0.5 /* seconds */

struct batch {
	/* Complete, to be stored. */
	struct parcel **v;
	size_t n, room;
	uint64_t octets;
	double since;
	/* What the thread is doing. */
	struct storer_job store, try;
	bool storing, trying;
	uint64_t stored_octets; /* that are being stored */
	/* What is known of the destination. */
	bool scouting;     /* one message at a time: will it take any? */
	unsigned refusals; /* in a row, that are new */
};

/* ---- the destination ---- */

/* Is a message awaited that would come for nothing? */
static bool
is_message_awaited(const struct session *s)
{
	return s->n_asked > session_n_held(s);
}

void
session_destination_failed(struct session *s, enum err e, const char *why)
{
	enum outcome o = outcome_of_destination(e), before = s->result.outcome;
	uint32_t n = s->n_wanted - s->result.tally.collected;

	if (before != OUTCOME_OK)
		snprintf(s->result.notice, sizeof(s->result.notice), "%s", why);
	else if (o == OUTCOME_DESTINATION)
		session_fail(s, o,
		    ngettext(
			"%s; mend that, or \"deliver\" of account %s: until "
			"then %u message waits on the server",
			"%s; mend that, or \"deliver\" of account %s: until "
			"then %u messages wait on the server",
			n),
		    why, s->conf.account->name, n);
	else
		session_fail(s, o, "%s", why);
	s->enough = true;
	if (is_message_awaited(s))
		session_finish(s);
}

static void
tried(struct storer_job *job)
{
	struct session *s = job->arg;

	s->batch->trying = false;
	if (job->err != E_OK)
		session_destination_failed(s, job->err, job->eb.text);
	session_go_on(s);
}

/* What a program does with a message cannot be tried: there one message goes
 * ahead of the others. */
void
session_try(struct session *s)
{
	enum dest_kind kind = s->conf.account->dest.kind;
	struct batch *b = s->batch;

	b->scouting = kind == DEST_COMMAND || kind == DEST_LMTP;
	b->try = (struct storer_job){
		.kind = STORER_TRY,
		.done = tried,
		.arg = s,
	};
	b->trying = true;
	storer_do(s->conf.storer, &b->try);
}

bool
session_awaits_destination(const struct session *s)
{
	const struct batch *b = s->batch;

	return b->trying ||
	       (b->scouting && (s->n_asked != 0 || session_has_unstored(s)));
}

/* What is complete would not be taken either. */
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

/* ---- what has been stored ---- */

/* A message that has been refused all along says nothing about the others. */
static void
not_stored(struct session *s, const struct parcel *p)
{
	struct batch *b = s->batch;

	if (!session_trouble(s, p->item,
		p->result == E_AGAIN ? TROUBLE_LATER : TROUBLE_REFUSED,
		p->why) ||
	    ++b->refusals != REFUSALS_MAX)
		return;
	s->enough = true;
	snprintf(s->result.notice, sizeof(s->result.notice),
	    _("%u messages in a row could not be delivered; no others are "
	      "tried in this run"),
	    b->refusals);
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
		not_stored(s, p);
		return;
	}
	s->batch->scouting = false;
	s->batch->refusals = 0;
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
		session_destination_failed(s, job->failed, job->eb.text);
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
	b->store = (struct storer_job){
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
	storer_do(s->conf.storer, &b->store);
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
	return s->batch != NULL && (s->batch->storing || s->batch->trying);
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

/* Batches, what is put on record, the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/session_impl.h"

enum {
	BATCH = 64,
	BATCH_OCTETS = 4 << 20,
	BACKLOG = 1024, /* messages that wait to be stored */
	BACKLOG_OCTETS = 64 << 20,
	REFUSALS_MAX = 5, /* in a row, and no others are downloaded */
};
#define BATCH_AGE 0.5 /* seconds */

/* ---- saving ---- */

static void saved(struct storer_job *job);

static size_t
count_changed(const struct session *s, bool finally)
{
	const struct plan *p = s->plan;
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < p->n_known; i++)
		n += p->dirty[i];
	for (size_t i = 0; finally && i < s->record->n_fresh; i++)
		n += s->record->fresh[i].where == MESSAGE_GONE;
	return n;
}

/* Writes what has changed; the thread gets copies.  False: nothing to do. */
bool
session_save(struct session *s, bool finally)
{
	const struct plan *p = s->plan;
	struct message *v;
	size_t n = count_changed(s, finally);

	s->n_saving = s->n_unsaved;
	if (n == 0 && !finally)
		return false;
	if ((v = calloc(n + 1, sizeof(*v))) == NULL) {
		session_memory(s);
		s->n_saving = s->n_unsaved = 0; /* another run deletes them */
		return false;
	}
	n = 0;
	for (size_t i = 0; p != NULL && i < p->n_known; i++)
		if (p->dirty[i]) {
			v[n++] = p->known[i];
			p->dirty[i] = false;
		}
	for (size_t i = 0; finally && i < s->record->n_fresh; i++)
		if (s->record->fresh[i].where == MESSAGE_GONE)
			v[n++] = s->record->fresh[i];
	s->save = (struct storer_job){
		.kind = STORER_SAVE,
		.done = saved,
		.arg = s,
		.account = s->record->account,
		.messages = v,
		.n_messages = n,
	};
	if (s->record->n_troubles != 0 &&
	    (s->save.troubles = calloc(
		 s->record->n_troubles, sizeof(struct trouble))) != NULL) {
		s->save.n_troubles = s->record->n_troubles;
		memcpy(s->save.troubles, s->record->troubles,
		    s->save.n_troubles * sizeof(struct trouble));
	}
	s->saving = true;
	storer_do(s->conf.storer, &s->save);
	return true;
}

/* ---- deleting ---- */

static void
delete_due(struct session *s, size_t i)
{
	s->items[i].progress = ITEM_DELETE;
	s->delete[s->n_delete++] = i;
}

void
session_delete_unsaved(struct session *s)
{
	for (size_t i = 0; i < s->n_saving; i++)
		delete_due(s, s->unsaved[i]);
	s->n_unsaved -= s->n_saving;
	if (s->n_unsaved != 0)
		memmove(s->unsaved, s->unsaved + s->n_saving,
		    s->n_unsaved * sizeof(*s->unsaved));
	s->n_saving = 0;
}

static void
saved(struct storer_job *job)
{
	struct session *s = job->arg;

	s->saving = false;
	free(job->messages);
	free(job->troubles);
	if (job->err != E_OK) {
		session_fail(s, OUTCOME_DISK, "%s", job->eb.text);
		s->result.unrecorded = true;
	}
	if (s->step == STEP_SAVE) {
		session_enter(s, s->last_save ? STEP_OVER : STEP_SAVE);
		return;
	}
	if (job->err != E_OK)
		session_finish(s);
	else
		session_delete_unsaved(s);
	session_look(s);
}

/* ---- the destination ---- */

/* What is complete would not be taken either. */
static void
drop_complete(struct session *s)
{
	session_drop_held(s);
	for (size_t k = 0; k < s->n_batch; k++) {
		s->items[s->batch_item[k]].progress = ITEM_DONE;
		parcel_drop(s->conf.delivery, s->batch[k]);
	}
	free(s->batch);
	free(s->batch_item);
	s->batch = NULL;
	s->batch_item = NULL;
	s->n_batch = s->batch_room = 0;
	s->batch_octets = 0;
}

/* Is a message awaited that would come for nothing?  (What is held has come.) */
static bool
is_message_awaited(const struct session *s)
{
	uint32_t n = s->n_asked;

	for (size_t k = 0; k < s->n_held; k++)
		n -= s->held[k].kind == HELD_MESSAGE;
	return n != 0;
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

	s->trying = false;
	if (job->err != E_OK)
		session_destination_failed(s, job->err, job->eb.text);
	session_go_on(s);
}

/* To be tried tells nothing of what a program does with a message: there one
 * goes ahead. */
void
session_try(struct session *s)
{
	enum dest_kind kind = s->conf.account->dest.kind;

	s->scouting = kind == DEST_COMMAND || kind == DEST_LMTP;
	s->try = (struct storer_job){
		.kind = STORER_TRY,
		.done = tried,
		.arg = s,
	};
	s->trying = true;
	storer_do(s->conf.storer, &s->try);
}

/* ---- storing ---- */

static void stored(struct storer_job *job);

void
session_store(struct session *s)
{
	if (s->storing || s->n_batch == 0)
		return;
	s->store = (struct storer_job){
		.kind = STORER_BATCH,
		.done = stored,
		.arg = s,
		.parcels = s->batch,
		.n_parcels = s->n_batch,
	};
	s->store_item = s->batch_item;
	s->batch = NULL;
	s->batch_item = NULL;
	s->n_batch = s->batch_room = 0;
	s->stored_octets = s->batch_octets;
	s->batch_octets = 0;
	s->storing = true;
	storer_do(s->conf.storer, &s->store);
}

bool
session_store_is_due(const struct session *s)
{
	return s->n_batch >= BATCH || s->batch_octets >= BATCH_OCTETS ||
	       s->n_asked == 0 ||
	       (s->n_batch != 0 &&
		   ev_now(s->conf.loop) - s->batch_since > BATCH_AGE);
}

bool
session_store_add(struct session *s, size_t i, struct parcel *p)
{
	size_t room = s->batch_room != 0 ? 2 * s->batch_room : BATCH;
	struct parcel **v;
	size_t *w;

	if (s->n_batch == s->batch_room) {
		v = reallocarray(s->batch, room, sizeof(struct parcel *));
		if (v != NULL)
			s->batch = v;
		w = reallocarray(s->batch_item, room, sizeof(*w));
		if (w != NULL)
			s->batch_item = w;
		if (v == NULL || w == NULL)
			return false;
		s->batch_room = room;
	}
	if (s->n_batch == 0)
		s->batch_since = ev_now(s->conf.loop);
	s->batch[s->n_batch] = p;
	s->batch_item[s->n_batch++] = i;
	s->batch_octets += p->octets;
	return true;
}

/* One that has been refused all along says nothing about the others. */
static void
not_stored(struct session *s, size_t i, const struct parcel *p)
{
	s->refused |= p->result != E_AGAIN;
	if (!session_trouble(s, i, false, p->why) ||
	    ++s->refusals != REFUSALS_MAX)
		return;
	s->enough = true;
	snprintf(s->result.notice, sizeof(s->result.notice),
	    _("%u messages in a row could not be delivered; no others are "
	      "tried in this run"),
	    s->refusals);
}

static void
one_stored(struct session *s, size_t i, const struct parcel *p)
{
	struct tally *t = &s->result.tally;
	struct item *item = &s->items[i];

	item->progress = ITEM_DONE;
	if (p->result == E_CLOSED)
		return;
	if (p->result != E_OK) {
		not_stored(s, i, p);
		return;
	}
	s->scouting = false;
	s->refusals = 0;
	t->collected++;
	t->collected_octets += p->octets;
	session_trouble_clear(s, i);
	item->is_fresh = true;
	item->message = s->record->n_fresh;
	s->record->fresh[s->record->n_fresh++] = (struct message){
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
		delete_due(s, i);
}

static void
stored(struct storer_job *job)
{
	struct session *s = job->arg;
	struct state_account *a = &s->record->account;

	s->storing = false;
	for (size_t k = 0; k < job->n_parcels; k++) {
		struct parcel *p = job->parcels[k];

		if (job->err == E_OK) {
			one_stored(s, s->store_item[k], p);
			if (p->result == E_OK) {
				a->collected++;
				a->collected_octets += p->octets;
			}
		}
		parcel_free(p);
	}
	free(job->parcels);
	free(s->store_item);
	s->store_item = NULL;
	s->stored_octets = 0;
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

bool
session_store_is_long(const struct session *s)
{
	return s->n_batch >= BACKLOG ||
	       s->batch_octets + s->stored_octets >= BACKLOG_OCTETS;
}

/* ---- the end ---- */

/* The line went away while a message or its header was awaited; or, if none was,
 * by what came behind the last one.  In a session for such messages that is what
 * is to be said. */
static void
note_broken(struct session *s)
{
	size_t last = s->n_held != 0 ? s->held[s->n_held - 1].item : s->plan->n;

	if (s->broken[0] == '\0')
		return;
	for (size_t i = 0; i < s->plan->n; i++)
		if (s->items[i].progress == ITEM_TOP ||
		    s->items[i].progress == ITEM_RETR) {
			last = i;
			break;
		}
	if (last == s->plan->n)
		return;
	session_trouble(s, last, true, s->broken);
	if (s->conf.earlier != NULL)
		s->result.outcome = OUTCOME_OK;
}

/* DELE counts only once QUIT was answered. */
static void
count_deleted(struct session *s)
{
	struct state_account *a = &s->record->account;
	struct tally *t = &s->result.tally;
	int64_t now = time(NULL);

	t->left = (uint32_t)s->plan->n;
	for (size_t i = 0; i < s->plan->n; i++) {
		const struct item *item = &s->items[i];
		struct message *m;

		t->left_octets += s->plan->v[i].listed.size;
		if (!item->dele_ok || !s->quit_ok)
			continue;
		m = item->is_fresh ? &s->record->fresh[item->message]
				   : &s->plan->known[item->message];
		m->where = MESSAGE_GONE;
		m->gone_at = now;
		if (!item->is_fresh)
			s->plan->dirty[item->message] = true;
		t->deleted++;
		t->freed_octets += s->plan->v[i].listed.size;
		t->left--;
		t->left_octets -= s->plan->v[i].listed.size;
	}
	a->left = t->left;
	a->left_octets = t->left_octets;
	a->deleted += t->deleted;
	a->freed_octets += t->freed_octets;
}

static void
save_account(struct session *s)
{
	const struct session_result *r = &s->result;
	struct state_account *a = &s->record->account;

	if (s->conf.earlier != NULL &&
	    outcome_stands(s->conf.earlier->outcome, &s->conf.earlier->tally))
		r = s->conf.earlier;
	a->tried_at = time(NULL);
	if (s->quit_ok && r->outcome != OUTCOME_DESTINATION)
		a->collected_at = a->tried_at;
	a->exit_code = outcome_exit_code(r->outcome);
	snprintf(a->error, sizeof(a->error), "%s", r->words);
	snprintf(a->notice, sizeof(a->notice), "%s", s->result.notice);
	if (s->result.outcome == OUTCOME_BUSY && s->result.retry != 0)
		a->not_before = a->tried_at + s->result.retry;
}

/* Entered until nothing is under way any more. */
void
save_enter(struct session *s)
{
	session_store(s);
	if (s->storing || s->saving || s->trying)
		return;
	if (s->plan != NULL) {
		note_broken(s);
		session_drop_held(s);
		count_deleted(s);
		session_troubles_report(s);
	}
	save_account(s);
	s->last_save = true;
	if (!session_save(s, true))
		session_enter(s, STEP_OVER);
}

/* ---- room ---- */

bool
session_items_new(struct session *s)
{
	size_t n = s->n_listed + 1;

	s->delete = calloc(n, sizeof(*s->delete));
	s->alone = calloc(n, sizeof(*s->alone));
	s->unsaved = calloc(n, sizeof(*s->unsaved));
	if (record_make_room(s->record, n) == E_OK && s->delete != NULL &&
	    s->alone != NULL && s->unsaved != NULL)
		s->items = calloc(n, sizeof(*s->items));
	return s->items != NULL;
}

void
session_items_free(struct session *s)
{
	free(s->items);
	free(s->delete);
	free(s->alone);
	free(s->unsaved);
}

#include "client/session/save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/batch.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/steps.h"

struct saving {
	struct storer_job job;
	bool busy;
	bool last; /* nothing more will change */
};

/* ---- what has changed ---- */

static size_t
count_changed(const struct session *s, bool finally)
{
	const struct plan *p = s->plan;
	const struct record *r = s->record;
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < p->n_known; i++)
		n += p->dirty[i];
	for (size_t i = 0; finally && i < r->n_fresh; i++)
		n += r->fresh[i].where == MESSAGE_GONE;
	return n;
}

static void
copy_changed(struct session *s, bool finally, struct message *v)
{
	const struct plan *p = s->plan;
	const struct record *r = s->record;

	for (size_t i = 0; p != NULL && i < p->n_known; i++)
		if (p->dirty[i]) {
			*v++ = p->known[i];
			p->dirty[i] = false;
		}
	for (size_t i = 0; finally && i < r->n_fresh; i++)
		if (r->fresh[i].where == MESSAGE_GONE)
			*v++ = r->fresh[i];
}

/* ---- saving ---- */

bool
session_is_saving(const struct session *s)
{
	return s->saving != NULL && s->saving->busy;
}

static void
saved(struct storer_job *job)
{
	struct session *s = job->arg;

	s->saving->busy = false;
	free(job->messages);
	free(job->troubles);
	if (job->err != E_OK) {
		session_fail(s, OUTCOME_DISK, "%s", job->eb.text);
		s->result.unrecorded = true;
	}
	if (s->step == STEP_SAVE) {
		session_enter(s, s->saving->last ? STEP_OVER : STEP_SAVE);
		return;
	}
	if (job->err != E_OK)
		session_finish(s);
	else
		items_delete_saved(&s->items);
	session_look(s);
}

/* The thread gets copies of it all.  E_NOMEM. */
static enum err
prepare(struct session *s, bool finally, size_t n)
{
	const struct record *r = s->record;
	struct message *v = calloc(n + 1, sizeof(*v));
	struct trouble *t = calloc(r->n_troubles + 1, sizeof(*t));

	if (s->saving == NULL)
		s->saving = calloc(1, sizeof(*s->saving));
	if (v == NULL || t == NULL || s->saving == NULL) {
		free(v);
		free(t);
		return E_NOMEM;
	}
	copy_changed(s, finally, v);
	if (r->n_troubles != 0)
		memcpy(t, r->troubles, r->n_troubles * sizeof(*t));
	s->saving->job = (struct storer_job){
		.kind = STORER_SAVE,
		.done = saved,
		.arg = s,
		.account = r->account,
		.messages = v,
		.n_messages = n,
		.troubles = t,
		.n_troubles = r->n_troubles,
	};
	return E_OK;
}

bool
session_save(struct session *s, bool finally)
{
	struct items *t = &s->items;
	size_t n = count_changed(s, finally);

	t->n_saving = t->n_unsaved;
	if (n == 0 && !finally)
		return false;
	if (prepare(s, finally, n) != E_OK) {
		session_fail(s, OUTCOME_INTERNAL, "%s", _("out of memory"));
		t->n_saving = t->n_unsaved = 0; /* another run deletes them */
		return false;
	}
	s->saving->busy = true;
	storer_do(s->conf.storer, &s->saving->job);
	return true;
}

/* ---- the end ---- */

/* The line was lost: by the first message that was awaited, or its header; if none
 * was, by what came behind the last one.  A session for such messages is to say
 * that, and not that the line was lost. */
static void
note_broken(struct session *s)
{
	size_t last = session_last_held(s);

	if (s->broken[0] == '\0')
		return;
	for (size_t i = 0; i < s->plan->n; i++)
		if (s->items.v[i].progress == ITEM_TOP ||
		    s->items.v[i].progress == ITEM_RETR) {
			last = i;
			break;
		}
	if (last == SIZE_MAX)
		return;
	session_trouble(s, last, TROUBLE_LINE, s->broken);
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
		const struct item *item = &s->items.v[i];
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

void
save_enter(struct session *s)
{
	if (s->plan != NULL)
		session_store(s);
	if (session_is_storing(s) || session_is_saving(s) ||
	    destination_is_tried(s))
		return;
	if (s->plan != NULL) {
		note_broken(s);
		session_drop_held(s);
		count_deleted(s);
		session_troubles_report(s);
	}
	save_account(s);
	if (session_save(s, true))
		s->saving->last = true;
	else
		session_enter(s, STEP_OVER);
}

void
session_saving_free(struct session *s)
{
	free(s->saving);
}

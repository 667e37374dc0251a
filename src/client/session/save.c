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
count_changed(const struct visit *v, bool finally)
{
	const struct plan *p = v->plan;
	const struct record *r = v->record;
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < p->n_known; i++)
		n += p->dirty[i];
	for (size_t i = 0; finally && i < r->n_fresh; i++)
		n += r->fresh[i].where == MESSAGE_GONE;
	return n;
}

static void
copy_changed(struct visit *v, bool finally, struct message *to)
{
	const struct plan *p = v->plan;
	const struct record *r = v->record;

	for (size_t i = 0; p != NULL && i < p->n_known; i++)
		if (p->dirty[i]) {
			*to++ = p->known[i];
			p->dirty[i] = false;
		}
	for (size_t i = 0; finally && i < r->n_fresh; i++)
		if (r->fresh[i].where == MESSAGE_GONE)
			*to++ = r->fresh[i];
}

/* ---- saving ---- */

bool
save_is_busy(const struct visit *v)
{
	return v->saving != NULL && v->saving->busy;
}

static void
saved(struct storer_job *job)
{
	struct visit *v = job->arg;

	v->saving->busy = false;
	free(job->messages);
	free(job->troubles);
	if (job->err != E_OK) {
		visit_fail(v, OUTCOME_DISK, "%s", job->eb.text);
		v->result.unrecorded = true;
	}
	if (v->step == STEP_SAVE) {
		visit_enter(v, v->saving->last ? STEP_OVER : STEP_SAVE);
		return;
	}
	if (job->err != E_OK)
		visit_finish(v);
	else
		items_delete_saved(&v->items);
	visit_look(v);
}

/* The thread gets copies of it all.  E_NOMEM. */
static enum err
prepare(struct visit *v, bool finally, size_t n)
{
	const struct record *r = v->record;
	struct message *copy = calloc(n + 1, sizeof(*copy));
	struct trouble *t = calloc(r->n_troubles + 1, sizeof(*t));

	if (v->saving == NULL)
		v->saving = calloc(1, sizeof(*v->saving));
	if (copy == NULL || t == NULL || v->saving == NULL) {
		free(copy);
		free(t);
		return E_NOMEM;
	}
	copy_changed(v, finally, copy);
	if (r->n_troubles != 0)
		memcpy(t, r->troubles, r->n_troubles * sizeof(*t));
	v->saving->job = (struct storer_job){
		.kind = STORER_SAVE,
		.listed = v->plan != NULL,
		.done = saved,
		.arg = v,
		.account = r->account,
		.messages = copy,
		.n_messages = n,
		.troubles = t,
		.n_troubles = r->n_troubles,
	};
	return E_OK;
}

void
save_brake(struct visit *v)
{
	struct state_account *a = &v->record->account;

	v->brake_unsaved |= a->braked != v->plan->braked;
	a->braked = v->plan->braked;
}

bool
save_changes(struct visit *v, bool finally)
{
	struct items *t = &v->items;
	size_t n = count_changed(v, finally);

	t->n_saving = t->n_unsaved;
	if (n == 0 && !finally && !v->brake_unsaved)
		return false;
	if (prepare(v, finally, n) != E_OK) {
		visit_fail(v, OUTCOME_INTERNAL, "%s", _("out of memory"));
		t->n_saving = t->n_unsaved = 0; /* another run deletes them */
		return false;
	}
	v->brake_unsaved = false;
	v->saving->busy = true;
	storer_do(v->conf.storer, &v->saving->job);
	return true;
}

/* ---- the end ---- */

/* The line was lost: by the first message whose RETR, TOP or DELE was awaited; if
 * none was, by what came behind the last one.  A session for such messages is
 * to say that, and not that the line was lost. */
static void
note_broken(struct visit *v)
{
	size_t last = fence_last_held(v);

	if (v->broken[0] == '\0')
		return;
	for (size_t i = 0; i < v->plan->n; i++)
		if (v->items.v[i].progress == ITEM_TOP ||
		    v->items.v[i].progress == ITEM_RETR ||
		    v->items.v[i].progress == ITEM_DELE) {
			last = i;
			break;
		}
	if (v->budget.met) {
		trouble_forgive(v);
		return;
	}
	if (last == SIZE_MAX)
		return;
	trouble_note(v, last, TROUBLE_LINE, v->broken);
	if (v->conf.earlier != NULL)
		v->result.outcome = OUTCOME_OK;
}

/* DELE counts only once QUIT was answered. */
static void
count_deleted(struct visit *v)
{
	struct state_account *a = &v->record->account;
	struct tally *t = &v->result.tally;
	int64_t now = time(NULL);

	t->left = (uint32_t)(v->plan->n - v->n_absent);
	for (size_t i = 0; i < v->plan->n; i++) {
		const struct item *item = &v->items.v[i];
		struct message *m;

		t->left_octets += v->plan->v[i].listed.size;
		if (!item->dele_ok || !v->quit_ok)
			continue;
		m = item->is_fresh ? &v->record->fresh[item->message]
				   : &v->plan->known[item->message];
		m->where = MESSAGE_GONE;
		m->gone_at = now;
		if (!item->is_fresh)
			v->plan->dirty[item->message] = true;
		t->deleted++;
		t->freed_octets += v->plan->v[i].listed.size;
		t->left--;
		t->left_octets -= v->plan->v[i].listed.size;
	}
	a->left = t->left;
	a->left_octets = t->left_octets;
	a->deleted += t->deleted;
	a->freed_octets += t->freed_octets;
}

/* It is a failure only where something would have been deleted. */
static void
end_brake(struct visit *v)
{
	char words[OUTCOME_BRAKE_WORDS];

	plan_end(v->plan);
	save_brake(v);
	if (plan_n_held(v->plan) != 0)
		visit_fail(v, OUTCOME_HELD, "%s",
		    outcome_brake_words(words, v->conf.account));
}

static void
report_mine(struct visit *v)
{
	size_t n = v->n_mine_held;
	const struct account *a = v->conf.account;

	if (n != 0)
		visit_fail(v, OUTCOME_HELD,
		    ngettext("%zu message was deleted here, more than half of "
			     "those on %s: it is not deleted there until you "
			     "say that this is right: malote collect --accept "
			     "%s",
			"%zu messages were deleted here, more than half of "
			"those on %s: they are not deleted there until you "
			"say that this is right: malote collect --accept %s",
			n),
		    n, a->server, a->name);
}

static void
notice_brake(struct visit *v)
{
	if (v->plan->braked != 0 && v->result.outcome != OUTCOME_HELD)
		outcome_brake_words(v->result.notice, v->conf.account);
}

static void
save_account(struct visit *v)
{
	const struct visit_result *r = &v->result;
	struct state_account *a = &v->record->account;

	if (v->conf.earlier != NULL &&
	    outcome_stands(v->conf.earlier->outcome, &v->conf.earlier->tally))
		r = v->conf.earlier;
	if (v->result.sign_in[0] != '\0')
		v->result.login_delay = v->pop3.capa.login_delay_s;
	a->tried_at = time(NULL);
	if (v->quit_ok && r->outcome != OUTCOME_DESTINATION &&
	    r->outcome != OUTCOME_CONFIG)
		a->collected_at = a->tried_at;
	a->exit_code = outcome_exit_code(r->outcome);
	snprintf(a->error, sizeof(a->error), "%s", r->words);
	snprintf(a->notice, sizeof(a->notice), "%s", v->result.notice);
	if (v->result.outcome == OUTCOME_BUSY && v->result.retry != 0)
		a->not_before = a->tried_at + v->result.retry;
}

/* What has come is here, and the next run goes on behind it. */
static void
judge_overdue(struct visit *v)
{
	struct visit_result *r = &v->result;

	if (!v->overdue || r->outcome != OUTCOME_CONNECT ||
	    r->tally.collected == 0)
		return;
	r->outcome = OUTCOME_LEFT;
	snprintf(r->words, sizeof(r->words),
	    _("the session took longer than %u s (session_timeout); the next "
	      "run goes on where it ended"),
	    v->conf.account->session_timeout);
}

void
save_enter(struct visit *v)
{
	if (v->plan != NULL)
		batch_store(v);
	if (batch_is_busy(v) || save_is_busy(v) || destination_is_busy(v))
		return;
	if (v->plan != NULL) {
		note_broken(v);
		plan_remember(v->plan);
		fence_drop(v);
		count_deleted(v);
		end_brake(v);
		report_mine(v);
		trouble_report(v);
		notice_brake(v);
	}
	if (v->quit_ok && !v->enough)
		v->result.later = v->budget.later;
	/* One that had asked for one message only cannot be shorter. */
	v->result.cut &= v->budget.messages > 1 || v->budget.found != 0 ||
			 v->result.tally.collected != 0;
	judge_overdue(v);
	save_account(v);
	if (save_changes(v, true))
		v->saving->last = true;
	else
		visit_enter(v, STEP_OVER);
}

void
save_free(struct visit *v)
{
	free(v->saving);
}

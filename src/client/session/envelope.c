/*
 * *ENV: whom each message that is wanted is for, of an account with sdps.
 *
 * Only what a fence has told apart counts, so that no message is sorted by the
 * envelope of another.  A message whose envelope is not known is not asked for.
 */
#include <stdio.h>

#include "base/i18n.h"
#include "client/session/ask.h"
#include "client/session/fence.h"
#include "client/session/steps.h"

enum {
	COMMANDS_MAX = 4096, /* octets of commands that await answers */
	RECIPIENT = 4,       /* the line that has it, behind the first one */
};

/* False: not now. */
static bool
send_env(struct visit *v, size_t i)
{
	const struct listed *l = &v->plan->v[i].listed;

	if (v->pop3.n_pending != 0 &&
	    (!v->pipelining || v->pop3.pending_octets > COMMANDS_MAX))
		return false;
	if (fence_is_due(v, i) && (!fence_send(v, i) || !v->pipelining))
		return false;
	if (!visit_sent(v, pop3_client_message(
			       &v->pop3, &v->line.out, POP3_CMD_ENV, l->msgno)))
		return false;
	v->items.v[i].progress = ITEM_TOP;
	budget_take(v, 1, 0);
	fence_asked(v, i);
	return true;
}

static void
leave_out(struct visit *v, size_t i)
{
	v->items.v[i].progress = ITEM_DONE;
	v->n_wanted--;
	v->octets_wanted -= v->plan->v[i].listed.size;
}

static bool
is_wanted(const struct visit *v, size_t i)
{
	enum plan_action action = v->plan->v[i].action;

	return v->items.v[i].progress == ITEM_IDLE &&
	       (action == PLAN_COLLECT || action == PLAN_IDENTIFY);
}

static void
send_envs(struct visit *v)
{
	struct items *t = &v->items;

	v->enough |= v->stopping;
	for (; t->next < v->plan->n && !v->enough; t->next++) {
		if (!is_wanted(v, t->next))
			continue;
		if (v->budget.used &&
		    (budget_is_half_gone(v) || !budget_has(v, 1, 0))) {
			leave_out(v, t->next);
			v->budget.later++;
		} else if (!send_env(v, t->next)) {
			return;
		}
	}
	if (fence_send_last(v) && v->pop3.n_pending == 0)
		visit_enter(v, STEP_RETRIEVE);
}

void
envelope_enter(struct visit *v)
{
	ask_decide(v);
	v->items.next = 0;
	if (v->conf.account->sdps)
		send_envs(v);
	else
		visit_enter(v, STEP_RETRIEVE);
}

void
envelope_writable(struct visit *v)
{
	send_envs(v);
}

/* Where none was answered, the server does not know the command at all. */
static void
env_refused(struct visit *v, size_t i, const struct pop3_event *ev)
{
	char why[STATE_WORDS];

	if (!v->env_works && visit_code(ev) == POP3_NO_CODE) {
		visit_end(v, OUTCOME_CONFIG,
		    _("%s does not say whom mail is for (*ENV: \"%s\"): it has "
		      "no SDPS; take sdps out of account %s, and folders; "
		      "nothing was collected"),
		    v->conf.account->server, visit_quote(ev->text),
		    v->conf.account->name);
		return;
	}
	fence_hold(v, &(struct held){ HELD_REFUSAL, .item = i });
	leave_out(v, i);
	snprintf(why, sizeof(why),
	    _("the server does not say whom it is for: \"%s\""),
	    visit_quote(ev->text));
	trouble_note(v, i, TROUBLE_SERVER, why);
}

static void
env_answered(struct visit *v, const struct pop3_event *ev)
{
	size_t i = visit_find(v, ev->msgno);

	switch (ev->type) {
	case POP3_EV_OK:
		v->env_folder = NULL;
		fence_coming(v, i);
		return;
	case POP3_EV_ENTRY:
		if (ev->count == RECIPIENT)
			v->env_folder =
			    account_folder(v->conf.account, ev->data);
		return;
	case POP3_EV_END:
		v->env_works = true;
		fence_hold(v, &(struct held){ HELD_ENVELOPE, .item = i,
				  .folder = v->env_folder });
		break;
	default: env_refused(v, i, ev); break;
	}
	v->budget.answered++;
}

static void
envelopes_told(struct visit *v)
{
	struct held held;

	while (fence_told(v, &held))
		if (held.kind == HELD_ENVELOPE) {
			v->items.v[held.item].progress = ITEM_IDLE;
			v->items.v[held.item].folder = held.folder;
		}
}

void
envelope_take(struct visit *v, const struct pop3_event *ev)
{
	if (fence_take(v, ev))
		envelopes_told(v);
	else if (ev->cmd == POP3_CMD_ENV)
		env_answered(v, ev);
}

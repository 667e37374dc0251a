/* DELE: only once all that is new is here, as a server may end the session at
 * it. */
#include <stdio.h>

#include "base/i18n.h"
#include "client/session/ask.h"
#include "client/session/save.h"
#include "client/session/steps.h"

static void
notice_unsure(struct visit *v)
{
	uint32_t n = v->plan->n_unsure - v->n_shunned;

	if (n == 0)
		return;
	snprintf(v->result.notice, sizeof(v->result.notice),
	    ngettext("%u message that was due for deletion stays on the "
		     "server: it has no way to show that it is the one "
		     "that was collected",
		"%u messages that were due for deletion stay on the "
		"server: it has no way to show that they are the ones "
		"that were collected",
		n),
	    n);
}

static bool
send_dele(struct visit *v)
{
	size_t i = v->items.delete[v->items.next_delete];

	if (!ask_has_room(v, 0) ||
	    !visit_sent(v, pop3_client_message(&v->pop3, &v->line.out,
			       POP3_CMD_DELE, v->plan->v[i].listed.msgno)))
		return false;
	v->was_pipelined |= v->pop3.n_pending > 1;
	v->items.v[i].progress = ITEM_DELE;
	v->items.next_delete++;
	return true;
}

/* Where a unique-id has proved to be another message's, another session asks
 * for all headers before it deletes anything. */
static void
send_deles(struct visit *v)
{
	struct items *t = &v->items;

	if (v->plan->misnamed) {
		v->result.again = true;
		visit_enter(v, STEP_QUIT);
		return;
	}
	if (t->n_unsaved != 0 && !save_is_busy(v) && !save_changes(v, false))
		items_delete_saved(t);
	while (t->next_delete < t->n_delete)
		if (!send_dele(v))
			return;
	if (v->pop3.n_pending == 0 && t->n_unsaved == 0 && !save_is_busy(v))
		visit_enter(v, STEP_QUIT);
}

void
delete_enter(struct visit *v)
{
	notice_unsure(v);
	send_deles(v);
}

void
delete_writable(struct visit *v)
{
	send_deles(v);
}

void
delete_take(struct visit *v, const struct pop3_event *ev)
{
	char command[32];
	size_t i;

	if (ev->cmd != POP3_CMD_DELE)
		return;
	i = visit_find(v, ev->msgno);
	v->budget.answered++;
	v->n_deleted++;
	v->items.v[i].progress = ITEM_DONE;
	v->items.v[i].dele_ok = ev->type == POP3_EV_OK;
	snprintf(command, sizeof(command), "DELE %u", ev->msgno);
	if (ev->type == POP3_EV_ERR)
		visit_refused(v, ev, command);
	else
		trouble_clear(v, i);
}

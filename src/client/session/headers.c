/*
 * TOP: the headers that tell what the listing leaves in doubt, and those of
 * messages that are to be deleted.
 */
#include "base/i18n.h"
#include "client/session/fence.h"
#include "client/session/hand.h"
#include "client/session/steps.h"

enum {
	COMMANDS_MAX = 4096,  /* octets of commands that await answers */
	HEADER_MAX = 1 << 20, /* octets; some send the whole message behind */
	HEADER_USUAL = 4096,  /* octets */
};

/* Some servers name TOP in none of their lists, or only in the one after the
 * sign-in, and have it all the same.  It is tried once, with nothing else
 * outstanding. */
static bool
is_announced(const struct visit *v)
{
	return !v->pop3.capa.known || v->pop3.capa.top;
}

static bool
has_top(const struct visit *v)
{
	return (v->conf.accept ||
		   !visit_does_without(v->record->account.no_top_until)) &&
	       (is_announced(v) || v->unannounced_top != TOP_FAILS);
}

static bool
is_being_tried(const struct visit *v)
{
	return !is_announced(v) && v->unannounced_top == TOP_UNTRIED;
}

bool
headers_has_top(const struct visit *v)
{
	return has_top(v) && !is_being_tried(v);
}

/* As far as one can tell before it comes. */
static uint64_t
header_size(const struct listed *l)
{
	return l->size < HEADER_USUAL ? l->size : HEADER_USUAL;
}

/* False: not now. */
static bool
send_top(struct visit *v, size_t i)
{
	const struct listed *l = &v->plan->v[i].listed;

	if (v->pop3.n_pending != 0 &&
	    (!v->pipelining || is_being_tried(v) ||
		v->pop3.pending_octets > COMMANDS_MAX))
		return false;
	if (fence_is_due(v, i) && (!fence_send(v, i) || !v->pipelining))
		return false;
	if (!visit_sent(v, pop3_client_message(
			       &v->pop3, &v->line.out, POP3_CMD_TOP, l->msgno)))
		return false;
	v->items.v[i].progress = ITEM_TOP;
	budget_take(v, v->step == STEP_HEADERS ? 1 : 2, header_size(l));
	fence_asked(v, i);
	return true;
}

/* id: what TOP has told; NULL: nothing. */
static void
header_known(struct visit *v, size_t i, const struct identity *id)
{
	struct plan *p = v->plan;

	if (v->step == STEP_HEADERS) {
		plan_header(p, i, id);
		return;
	}
	if (v->step == STEP_SHOW) {
		hand_header(v, i, id);
		return;
	}
	plan_verified(p, i, id);
	if (p->v[i].action != PLAN_DELETE)
		return;
	v->items.v[i].message = (size_t)p->v[i].message;
	items_delete_later(&v->items, i);
}

static bool
is_wanted(struct visit *v, const struct plan_item *it)
{
	if (v->step == STEP_HEADERS)
		return it->ask;
	if (v->step == STEP_SHOW)
		return hand_wants(v, (size_t)(it - v->plan->v));
	/* A session for messages that broke an earlier one deletes those. */
	return it->action == PLAN_VERIFY &&
	       (v->conf.earlier == NULL || trouble_is_known(v, &it->listed));
}

/* What only a header tells from other messages is asked for in any case: a part
 * of these headers would say what is wrong. */
static bool
is_for_later(struct visit *v, const struct plan_item *it)
{
	if (v->step == STEP_HEADERS)
		return !it->sure &&
		       (budget_is_half_gone(v) ||
			   !budget_has(v, 1, header_size(&it->listed)));
	/* DELE, too */
	return v->stopping || !budget_has(v, 2, header_size(&it->listed));
}

/* Where headers would be all that a session has, messages tell who they are. */
static bool
may_have_top(const struct visit *v)
{
	return has_top(v) && (v->step != STEP_HEADERS || !budget_is_tiny(v));
}

static void
leave_for_later(struct visit *v, size_t i)
{
	v->items.v[i].progress = ITEM_DONE;
	v->budget.later++;
}

static void
pass_over(struct visit *v, size_t i)
{
	header_known(v, i, NULL);
	v->n_checked++;
}

static enum step
next_step(struct visit *v)
{
	if (v->step == STEP_SHOW)
		return hand_next(v);
	return v->step == STEP_HEADERS ? STEP_ENVELOPE : STEP_DELETE;
}

static void
send_tops(struct visit *v)
{
	struct items *t = &v->items;
	struct plan *p = v->plan;

	for (; t->next < p->n; t->next++) {
		const struct plan_item *it = &p->v[t->next];

		if (!is_wanted(v, it))
			continue;
		if (!may_have_top(v)) {
			pass_over(v, t->next);
		} else if (trouble_is_shunned(v, &it->listed)) {
			v->n_shunned += v->step == STEP_VERIFY;
			pass_over(v, t->next);
		} else if (is_for_later(v, it)) {
			leave_for_later(v, t->next);
		} else if (!send_top(v, t->next)) {
			return;
		}
	}
	if (fence_send_last(v) && v->pop3.n_pending == 0)
		visit_enter(v, next_step(v));
}

void
headers_enter(struct visit *v)
{
	v->items.next = 0;
	send_tops(v);
}

void
verify_enter(struct visit *v)
{
	v->budget.used = v->budget.messages != 0;
	v->n_checked = v->n_to_check = 0;
	for (size_t i = 0; i < v->plan->n; i++)
		v->n_to_check += is_wanted(v, &v->plan->v[i]);
	headers_enter(v);
}

void
headers_writable(struct visit *v)
{
	send_tops(v);
	fence_watch(v);
}

static void
header_data(struct visit *v, size_t i, struct slice data)
{
	v->came += data.n;
	v->budget.came += data.n;
	if (v->step == STEP_SHOW)
		hand_data(v, data);
	if (v->came <= HEADER_MAX + v->plan->v[i].listed.size)
		identity_reader_add(v->identity, data.p, data.n);
	else
		visit_break(v, OUTCOME_PROTOCOL,
		    _("%s sends a header without end"),
		    v->conf.account->server);
}

static void
headers_told(struct visit *v)
{
	struct held held;

	while (fence_told(v, &held))
		if (held.kind == HELD_HEADER) {
			v->items.v[held.item].progress = ITEM_IDLE;
			header_known(v, held.item, &held.identity);
		}
}

static void
top_answered(struct visit *v, const struct pop3_event *ev)
{
	struct held held = { HELD_HEADER, .item = visit_find(v, ev->msgno) };

	switch (ev->type) {
	case POP3_EV_OK:
		v->unannounced_top = TOP_WORKS;
		fence_coming(v, held.item);
		identity_reader_reset(v->identity);
		return;
	case POP3_EV_DATA: header_data(v, held.item, ev->data); return;
	case POP3_EV_END:
		held.identity = identity_reader_end(v->identity);
		if (v->step == STEP_SHOW)
			hand_header_ends(v, held.item);
		fence_hold(v, &held);
		break;
	default:
		held.kind = HELD_REFUSAL;
		fence_hold(v, &held);
		if (is_being_tried(v))
			v->unannounced_top = TOP_FAILS;
		v->top_refused |= v->pop3.capa.known && v->pop3.capa.top;
		header_known(v, held.item, NULL);
		v->items.v[held.item].progress = ITEM_IDLE;
		break;
	}
	v->came = 0;
	v->n_checked++;
	v->budget.answered++;
}

void
headers_take(struct visit *v, const struct pop3_event *ev)
{
	if (fence_take(v, ev))
		headers_told(v);
	else if (ev->cmd == POP3_CMD_TOP)
		top_answered(v, ev);
}

void
verify_take(struct visit *v, const struct pop3_event *ev)
{
	headers_take(v, ev);
	v->record->misnamed |= v->plan->misnamed;
}

/* The line was lost at a TOP that was not announced: no message is to blame,
 * and another connection does without.  One that was announced is to be lost
 * twice, and at different messages. */
static void
learn_no_top(struct visit *v)
{
	int64_t *until = &v->record->account.no_top_until;

	if (is_announced(v)) {
		visit_lost_at(v, until, false);
		return;
	}
	for (size_t i = 0; i < v->plan->n; i++)
		if (v->items.v[i].progress == ITEM_TOP) {
			v->items.v[i].progress = ITEM_IDLE;
			visit_lost_at(v, until, true);
		}
}

void
headers_leave(struct visit *v, enum step next)
{
	if (v->broken[0] != '\0' && v->unannounced_top == TOP_UNTRIED &&
	    v->conf.earlier == NULL)
		learn_no_top(v);
	fence_leave(v, next);
}

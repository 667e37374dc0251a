/* TOP: the headers that tell what the listing leaves in doubt. */
#include "base/i18n.h"
#include "client/session/fence.h"
#include "client/session/steps.h"

enum {
	COMMANDS_MAX = 4096,  /* octets of commands that await answers */
	HEADER_MAX = 1 << 20, /* octets; some send the whole message behind */
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
	return is_announced(v) ||
	       (v->unannounced_top != TOP_FAILS &&
		   !visit_does_without(v->record->account.no_top_until));
}

static bool
is_being_tried(const struct visit *v)
{
	return !is_announced(v) && v->unannounced_top == TOP_UNTRIED;
}

/* False: not now. */
static bool
send_top(struct visit *v, size_t i)
{
	uint32_t msgno = v->plan->v[i].listed.msgno;

	if (v->pop3.n_pending != 0 &&
	    (!v->pipelining || is_being_tried(v) ||
		v->pop3.pending_octets > COMMANDS_MAX))
		return false;
	if (fence_is_due(v, i) && (!fence_send(v, i) || !v->pipelining))
		return false;
	if (!visit_sent(v, pop3_client_message(
			       &v->pop3, &v->line.out, POP3_CMD_TOP, msgno)))
		return false;
	v->items.v[i].progress = ITEM_TOP;
	fence_asked(v, i);
	return true;
}

static void
send_tops(struct visit *v)
{
	struct items *t = &v->items;
	struct plan *p = v->plan;

	for (; t->next < p->n; t->next++) {
		const struct plan_item *it = &p->v[t->next];

		if (!it->ask)
			continue;
		if (!has_top(v) || trouble_is_shunned(v, &it->listed)) {
			plan_header(p, t->next, NULL);
			v->n_checked++;
		} else if (!send_top(v, t->next)) {
			return;
		}
	}
	if (fence_send_last(v) && v->pop3.n_pending == 0)
		visit_enter(v, STEP_RETRIEVE);
}

void
headers_enter(struct visit *v)
{
	v->items.next = 0;
	send_tops(v);
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
			plan_header(v->plan, held.item, &held.identity);
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
		fence_hold(v, &held);
		break;
	default:
		held.kind = HELD_REFUSAL;
		fence_hold(v, &held);
		if (is_being_tried(v))
			v->unannounced_top = TOP_FAILS;
		v->top_refused |= v->pop3.capa.known && v->pop3.capa.top;
		plan_header(v->plan, held.item, NULL);
		v->items.v[held.item].progress = ITEM_IDLE;
		break;
	}
	v->came = 0;
	v->n_checked++;
}

void
headers_take(struct visit *v, const struct pop3_event *ev)
{
	if (fence_take(v, ev))
		headers_told(v);
	else if (ev->cmd == POP3_CMD_TOP)
		top_answered(v, ev);
}

/* The line was lost at a TOP that was not announced: no message is to blame,
 * and another connection does without. */
static void
learn_no_top(struct visit *v)
{
	for (size_t i = 0; i < v->plan->n; i++)
		if (v->items.v[i].progress == ITEM_TOP) {
			v->items.v[i].progress = ITEM_IDLE;
			visit_lost_at(
			    v, &v->record->account.no_top_until, true);
		}
}

void
headers_leave(struct visit *v, enum step next)
{
	if (v->broken[0] != '\0' && is_being_tried(v))
		learn_no_top(v);
	fence_leave(v, next);
}

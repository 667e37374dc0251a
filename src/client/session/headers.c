/* TOP: the headers that tell what the listing leaves in doubt. */
#include "base/i18n.h"
#include "client/session/fence.h"
#include "client/session/steps.h"

enum {
	COMMANDS_MAX = 4096,  /* octets of commands that await answers */
	HEADER_MAX = 1 << 20, /* octets; some send the whole message behind */
};

/* False: not now. */
static bool
send_top(struct session *s, size_t i)
{
	uint32_t msgno = s->plan->v[i].listed.msgno;

	if (s->pop3.n_pending != 0 &&
	    (!s->pipelining || s->pop3.pending_octets > COMMANDS_MAX))
		return false;
	if (session_fence_is_due(s, i) &&
	    (!session_fence(s, i) || !s->pipelining))
		return false;
	if (!session_sent(s, pop3_client_message(
				 &s->pop3, &s->line.out, POP3_CMD_TOP, msgno)))
		return false;
	s->items.v[i].progress = ITEM_TOP;
	session_asked(s, i);
	return true;
}

static void
send_tops(struct session *s)
{
	struct items *t = &s->items;
	struct plan *p = s->plan;
	bool has_top = !s->pop3.capa.known || s->pop3.capa.top;

	for (; t->next < p->n; t->next++) {
		const struct plan_item *it = &p->v[t->next];

		if (!it->ask)
			continue;
		if (!has_top || session_is_shunned(s, &it->listed))
			plan_header(p, t->next, NULL);
		else if (!send_top(s, t->next))
			return;
	}
	if (session_fence_last(s) && s->pop3.n_pending == 0)
		session_enter(s, STEP_RETRIEVE);
}

void
headers_enter(struct session *s)
{
	s->items.next = 0;
	send_tops(s);
}

void
headers_writable(struct session *s)
{
	send_tops(s);
	session_doubt(s);
}

static void
header_data(struct session *s, size_t i, struct slice data)
{
	s->came += data.n;
	if (s->came <= HEADER_MAX + s->plan->v[i].listed.size)
		identity_reader_add(s->identity, data.p, data.n);
	else
		session_break(s, OUTCOME_PROTOCOL,
		    _("%s sends a header without end"),
		    s->conf.account->server);
}

static void
headers_told(struct session *s)
{
	struct held held;

	while (session_told(s, &held))
		if (held.kind == HELD_HEADER) {
			s->items.v[held.item].progress = ITEM_IDLE;
			plan_header(s->plan, held.item, &held.identity);
		}
}

static void
top_answered(struct session *s, const struct pop3_event *ev)
{
	struct held held = { HELD_HEADER, .item = session_find(s, ev->msgno) };

	switch (ev->type) {
	case POP3_EV_OK:
		session_coming(s, held.item);
		identity_reader_reset(s->identity);
		return;
	case POP3_EV_DATA: header_data(s, held.item, ev->data); return;
	case POP3_EV_END:
		held.identity = identity_reader_end(s->identity);
		session_hold(s, &held);
		break;
	default:
		held.kind = HELD_REFUSAL;
		session_hold(s, &held);
		s->top_refused |= s->pop3.capa.known && s->pop3.capa.top;
		plan_header(s->plan, held.item, NULL);
		s->items.v[held.item].progress = ITEM_IDLE;
		break;
	}
	s->came = 0;
}

void
headers_take(struct session *s, const struct pop3_event *ev)
{
	if (session_take_fence(s, ev))
		headers_told(s);
	else if (ev->cmd == POP3_CMD_TOP)
		top_answered(s, ev);
}

#include "client/session/ask.h"

#include <stdio.h>

#include "base/i18n.h"
#include "client/message/size.h"
#include "client/session/batch.h"
#include "client/session/choice.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/save.h"
#include "client/session/steps.h"
#include "client/session/stubs.h"

enum {
	COMMANDS_MAX = 4096,     /* octets of commands that await answers */
	IN_FLIGHT_MAX = 8 << 20, /* octets asked for: a long fat line's worth */
	SPACE_LEFT = 64 * 1024,  /* for names and the record */
	DAY = 24 * 3600,
	HEADER_USUAL = 4096, /* octets */
};

/* ---- sending ---- */

bool
ask_deletes_now(const struct visit *v)
{
	return v->conf.account->keep == 0 && v->plan->braked == 0 &&
	       !choice_is_made(v);
}

bool
ask_has_space(struct visit *v, uint64_t octets)
{
	char all[REPORT_SIZE], left[REPORT_SIZE];
	struct errbuf eb;
	uint64_t space, needed;

	if (delivery_space(v->conf.delivery, &space, &eb) != E_OK)
		return true; /* writing will tell */
	needed = v->in_flight + octets / 10 + SPACE_LEFT;
	if (octets <= space && needed <= space - octets)
		return true;
	needed = needed < UINT64_MAX - octets ? needed + octets : UINT64_MAX;
	visit_fail(v, OUTCOME_DISK,
	    _("no space at %s: a message, with what is under way, needs %s, "
	      "and %s are left"),
	    v->conf.account->dest.text, report_size(all, needed),
	    report_size(left, space));
	return false;
}

bool
ask_has_room(const struct visit *v, uint64_t octets)
{
	if (v->pop3.n_pending == 0)
		return true;
	return v->pipelining && v->pop3.pending_octets < COMMANDS_MAX &&
	       v->in_flight + octets <= IN_FLIGHT_MAX;
}

/* How many commands a new message costs: RETR, DELE. */
static uint32_t
cost(const struct visit *v, size_t i)
{
	return ask_deletes_now(v) && !v->items.v[i].stub ? 2 : 1;
}

uint64_t
ask_size(const struct visit *v, size_t i)
{
	uint64_t size = v->plan->v[i].listed.size;

	return v->items.v[i].stub && size > HEADER_USUAL ? HEADER_USUAL : size;
}

static bool
is_one_for_alone(const struct visit *v)
{
	return v->items.next_alone < v->items.n_alone && !v->enough;
}

/* The next message to be asked for; SIZE_MAX: none. */
static size_t
next_wanted(struct visit *v)
{
	struct plan *p = v->plan;
	struct plan_item *it;

	if (v->stopping)
		return SIZE_MAX;
	/* First those that are asked for again: they show whether the others
	 * would be downloaded for nothing. */
	if (is_one_for_alone(v))
		return v->items.alone[v->items.next_alone];
	/* Once for those that are new and have made no trouble so far, once for
	 * the rest. */
	for (; v->items.next < 2 * p->n && !v->enough; v->items.next++) {
		size_t i = v->items.next % p->n;

		it = &p->v[i];
		if ((it->action != PLAN_COLLECT &&
			it->action != PLAN_IDENTIFY) ||
		    v->items.v[i].progress != ITEM_IDLE ||
		    v->items.v[i].last != (v->items.next >= p->n))
			continue;
		if (!budget_has(v, cost(v, i), ask_size(v, i))) {
			v->items.v[i].progress = ITEM_DONE;
			v->budget.later++;
			continue;
		}
		if (ask_has_space(v, ask_size(v, i)))
			return i;
		v->items.v[i].progress = ITEM_DONE;
		v->result.tally.skipped++;
	}
	return SIZE_MAX;
}

/* Is a message under way that the destination has not taken yet? */
static bool
is_scout_out(const struct visit *v)
{
	return v->n_asked != 0 || batch_has_some(v);
}

static bool
send_retr(struct visit *v, size_t i)
{
	struct item *item = &v->items.v[i];
	uint32_t msgno = v->plan->v[i].listed.msgno;
	uint64_t size = ask_size(v, i);

	if (destination_is_tried(v) ||
	    (destination_is_scouted(v) && is_scout_out(v)))
		return false;
	if (item->alone ? v->pop3.n_pending != 0
			: !ask_has_room(v, size) || batch_is_long(v))
		return false;
	if (v->pop3.n_pending != 0 && fence_is_alone(v))
		return false;
	if (fence_is_due(v, i) &&
	    (!fence_send(v, i) || !v->pipelining || item->alone))
		return false;
	item->pipelined = v->pop3.n_pending != 0;
	if (!visit_sent(
		v, pop3_client_message(&v->pop3, &v->line.out,
		       item->stub ? POP3_CMD_TOP : POP3_CMD_RETR, msgno)))
		return false;
	item->progress = ITEM_RETR;
	if (item->alone)
		v->items.next_alone++;
	else
		v->items.next++;
	v->in_flight += size;
	v->n_asked++;
	budget_take(v, cost(v, i), size);
	fence_asked(v, i);
	return true;
}

/* Is the thread at something that may give more to be asked for? */
static bool
is_busy(const struct visit *v)
{
	return destination_is_tried(v) || batch_has_some(v) || save_is_busy(v);
}

/* Where nothing is ever deleted, QUIT decides nothing: it need not wait until
 * all has come, which saves a turn. */
static bool
may_quit_ahead(const struct visit *v)
{
	return v->conf.account->keep == KEEP_ALWAYS &&
	       !v->conf.account->delete_mine && v->pipelining &&
	       v->pop3.n_pending != 0 && !fence_is_owed(v) &&
	       v->conf.earlier == NULL && !v->record->no_quit_ahead;
}

static void
quit_ahead(struct visit *v)
{
	v->quit_ahead = visit_sent(
	    v, pop3_client_send(&v->pop3, &v->line.out, POP3_CMD_QUIT));
}

/* What is to be asked for alone is left to another session of the run. */
void
ask_quits(struct visit *v)
{
	if (!v->quit_ahead || !line_is_open(&v->line))
		return;
	if (v->n_asked == 0)
		batch_store(v);
	if (v->pop3.n_pending > 1)
		return;
	if (is_one_for_alone(v))
		v->result.again = v->record->no_quit_ahead = true;
	visit_enter(v, STEP_QUIT);
}

static void
send_more(struct visit *v)
{
	size_t i;

	if (v->quit_ahead) {
		ask_quits(v);
		return;
	}
	while ((i = next_wanted(v)) != SIZE_MAX)
		if (!send_retr(v, i))
			break;
	if (!line_is_open(&v->line) || !fence_send_last(v))
		return;
	if (v->n_asked == 0)
		batch_store(v);
	if (i == SIZE_MAX && v->pop3.n_pending == 0 && !is_busy(v))
		visit_enter(v, STEP_VERIFY);
	else if (i == SIZE_MAX && may_quit_ahead(v))
		quit_ahead(v);
}

void
retrieve_writable(struct visit *v)
{
	send_more(v);
	fence_watch(v);
}

/* ---- from the plan ---- */

static void
notice_expire(struct visit *v)
{
	const struct pop3_capa *capa = &v->pop3.capa;
	int64_t keep = v->conf.account->keep;

	if (!capa->expire || keep <= (int64_t)capa->expire_days * DAY)
		return;
	snprintf(v->result.notice, sizeof(v->result.notice),
	    ngettext("the server removes mail by itself after %u day (EXPIRE), "
		     "whatever \"keep\" says",
		"the server removes mail by itself after %u days (EXPIRE), "
		"whatever \"keep\" says",
		capa->expire_days),
	    capa->expire_days);
}

/* The first one is told of; another notice matters more.  Its number in this session
 * is none that malote fetch knows. */
static void
notice_large(struct visit *v, const struct listed *l, enum stub_wish wish)
{
	struct visit_result *r = &v->result;
	char size[REPORT_SIZE];
	bool first = true;

	if (wish == STUB_NONE) {
		r->tally.skipped++;
		first = r->tally.large++ == 0;
	}
	if (first && r->notice[0] == '\0')
		snprintf(r->notice, sizeof(r->notice),
		    wish == STUB_NONE
			? _("a message (%s) is larger than max_size and stays "
			    "on the server; malote list %s shows it, malote "
			    "fetch %s NUMBER collects it")
			: _("a message (%s) is larger than headers_above and "
			    "stays on the server, which does not give its "
			    "header alone; malote list %s shows it, malote "
			    "fetch %s NUMBER collects it"),
		    report_size(size, l->size), v->conf.account->name,
		    v->conf.account->name);
}

/* A message that is wanted, but for its size.  False: it stays on the server. */
static bool
is_small_enough(struct visit *v, size_t i)
{
	const struct listed *l = &v->plan->v[i].listed;
	enum stub_wish wish = stubs_wish(v, i);

	v->items.v[i].stub = wish == STUB_MAKE;
	if (wish == STUB_IMPOSSIBLE ||
	    (wish == STUB_NONE && l->size > v->conf.account->max_size &&
		!choice_is_made(v))) {
		notice_large(v, l, wish);
		return false;
	}
	return wish != STUB_HERE && wish != STUB_LATER;
}

static void
begin_delete(struct visit *v, size_t i)
{
	struct item *item = &v->items.v[i];

	if (!budget_has(v, 1, 0)) {
		item->progress = ITEM_DONE;
		v->budget.later++;
		return;
	}
	budget_take(v, 1, 0);
	item->message = (size_t)v->plan->v[i].message;
	items_delete_later(&v->items, i);
}

/* What the plan wants of a message; too large ones stay. */
static void
begin_item(struct visit *v, size_t i, uint32_t *n, uint64_t *octets)
{
	struct plan_item *it = &v->plan->v[i];
	struct item *item = &v->items.v[i];
	bool known = it->action == PLAN_LEAVE || it->action == PLAN_DELETE;

	if (item->progress == ITEM_DONE) /* it is left to another session */
		return;
	if (choice_is_made(v) &&
	    (known || !choice_has(v, i) || it->action == PLAN_VERIFY)) {
		it->action = PLAN_LEAVE;
		item->progress = ITEM_DONE;
		return;
	}
	/* It was thought to break sessions, but its header has come. */
	if (known && v->conf.earlier != NULL &&
	    !trouble_is_shunned(v, &it->listed))
		trouble_clear(v, i);
	switch (it->action) {
	case PLAN_DELETE: begin_delete(v, i); break;
	case PLAN_COLLECT:
	case PLAN_IDENTIFY:
		if (!is_small_enough(v, i) ||
		    !trouble_is_for_now(v, &it->listed)) {
			item->progress = ITEM_DONE;
		} else {
			/* What may be here already is asked for behind what is
			 * new, so that a short session has some of that. */
			item->last = trouble_is_known(v, &it->listed) ||
				     it->action == PLAN_IDENTIFY;
			++*n;
			*octets += ask_size(v, i);
		}
		break;
	case PLAN_VERIFY: break;
	default: item->progress = ITEM_DONE; break;
	}
}

void
ask_decide(struct visit *v)
{
	uint64_t octets = 0;
	uint32_t n = 0;

	plan_decide(v->plan);
	save_brake(v);
	notice_expire(v);
	for (size_t i = 0; i < v->plan->n; i++)
		begin_item(v, i, &n, &octets);
	choice_notice(v);
	v->budget.used = false;
	v->n_wanted = n;
	v->octets_wanted = octets;
	if (n != 0)
		destination_try(v);
	save_changes(v, false);
}

void
retrieve_enter(struct visit *v)
{
	v->items.next = 0;
	v->budget.used = false;
	send_more(v);
}

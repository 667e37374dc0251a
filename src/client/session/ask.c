#include "client/session/ask.h"

#include <stdio.h>

#include "base/i18n.h"
#include "client/session/batch.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/save.h"
#include "client/session/steps.h"

enum {
	COMMANDS_MAX = 4096,     /* octets of commands that await answers */
	IN_FLIGHT_MAX = 8 << 20, /* octets asked for: a long fat line's worth */
	SPACE_LEFT = 64 * 1024,  /* for names and the record */
	DAY = 24 * 3600,
};

/* ---- sending ---- */

bool
session_has_space(struct session *s, uint64_t octets)
{
	struct errbuf eb;
	uint64_t space;

	if (delivery_space(s->conf.delivery, &space, &eb) != E_OK)
		return true; /* writing will tell */
	if (octets <= space &&
	    s->in_flight + octets + octets / 10 + SPACE_LEFT <= space)
		return true;
	session_fail(s, OUTCOME_DISK,
	    _("no space for a message of %llu octets: only %llu left at %s"),
	    (unsigned long long)octets, (unsigned long long)space,
	    s->conf.account->dest.text);
	return false;
}

/* May one more command be sent that asks for so many octets? */
static bool
has_room(const struct session *s, uint64_t octets)
{
	if (s->pop3.n_pending == 0)
		return true;
	return s->pipelining && s->pop3.pending_octets < COMMANDS_MAX &&
	       s->in_flight + octets <= IN_FLIGHT_MAX;
}

/* The next message to be asked for; SIZE_MAX: none. */
static size_t
next_wanted(struct session *s)
{
	struct plan *p = s->plan;
	struct plan_item *it;

	/* First those that are asked for again: they show whether the others
	 * would be downloaded for nothing. */
	if (s->items.next_alone < s->items.n_alone && !s->enough)
		return s->items.alone[s->items.next_alone];
	/* Once for those that have made no trouble so far, once for the rest. */
	for (; s->items.next < 2 * p->n && !s->enough; s->items.next++) {
		size_t i = s->items.next % p->n;

		it = &p->v[i];
		if ((it->action != PLAN_COLLECT &&
			it->action != PLAN_IDENTIFY) ||
		    s->items.v[i].progress != ITEM_IDLE ||
		    s->items.v[i].last != (s->items.next >= p->n))
			continue;
		if (session_has_space(s, it->listed.size))
			return i;
		s->items.v[i].progress = ITEM_DONE;
		s->result.tally.skipped++;
	}
	return SIZE_MAX;
}

/* Is a message under way that the destination has not taken yet? */
static bool
is_scout_out(const struct session *s)
{
	return s->n_asked != 0 || session_has_unstored(s);
}

static bool
send_retr(struct session *s, size_t i)
{
	struct item *item = &s->items.v[i];
	const struct listed *l = &s->plan->v[i].listed;

	if (destination_is_tried(s) ||
	    (destination_is_scouted(s) && is_scout_out(s)))
		return false;
	if (item->alone ? s->pop3.n_pending != 0
			: !has_room(s, l->size) || session_store_is_long(s))
		return false;
	if (s->pop3.n_pending != 0 && session_is_alone(s))
		return false;
	if (session_fence_is_due(s, i) &&
	    (!session_fence(s, i) || !s->pipelining || item->alone))
		return false;
	item->pipelined = s->pop3.n_pending != 0;
	if (!session_sent(s, pop3_client_message(&s->pop3, &s->line.out,
				 POP3_CMD_RETR, l->msgno)))
		return false;
	item->progress = ITEM_RETR;
	if (item->alone)
		s->items.next_alone++;
	else
		s->items.next++;
	s->in_flight += l->size;
	s->n_asked++;
	session_asked(s, i);
	return true;
}

static bool
send_dele(struct session *s)
{
	size_t i = s->items.delete[s->items.next_delete];

	if (!has_room(s, 0) ||
	    !session_sent(s, pop3_client_message(&s->pop3, &s->line.out,
				 POP3_CMD_DELE, s->plan->v[i].listed.msgno)))
		return false;
	s->was_pipelined |= s->pop3.n_pending > 1;
	s->items.v[i].progress = ITEM_DELE;
	s->items.next_delete++;
	return true;
}

/* Is the thread at something that may give more to be asked for? */
static bool
is_busy(const struct session *s)
{
	return destination_is_tried(s) || session_has_unstored(s) ||
	       session_is_saving(s);
}

static void
send_more(struct session *s)
{
	size_t i;

	s->enough |= s->stopping;
	if (s->items.n_unsaved != 0 && !session_is_saving(s) &&
	    !session_save(s, false))
		items_delete_saved(&s->items);
	while (s->items.next_delete < s->items.n_delete)
		if (!send_dele(s))
			return;
	while ((i = next_wanted(s)) != SIZE_MAX)
		if (!send_retr(s, i))
			break;
	if (!line_is_open(&s->line) || !session_fence_last(s))
		return;
	if (s->n_asked == 0)
		session_store(s);
	if (i == SIZE_MAX && s->pop3.n_pending == 0 && !is_busy(s) &&
	    s->items.next_delete == s->items.n_delete)
		session_enter(s, STEP_QUIT);
}

void
retrieve_writable(struct session *s)
{
	send_more(s);
	session_doubt(s);
}

/* ---- from the plan ---- */

static void
notice_expire(struct session *s)
{
	const struct pop3_capa *capa = &s->pop3.capa;
	int64_t keep = s->conf.account->keep;

	if (!capa->expire || keep <= (int64_t)capa->expire_days * DAY)
		return;
	snprintf(s->result.notice, sizeof(s->result.notice),
	    ngettext("the server removes mail by itself after %u day (EXPIRE), "
		     "whatever \"keep\" says",
		"the server removes mail by itself after %u days (EXPIRE), "
		"whatever \"keep\" says",
		capa->expire_days),
	    capa->expire_days);
}

static void
notice_plan(struct session *s)
{
	const struct plan *p = s->plan;

	notice_expire(s);
	if (p->n_unsure != 0)
		snprintf(s->result.notice, sizeof(s->result.notice),
		    ngettext(
			"%u message that was due for deletion stays on the "
			"server: it has no way to show that it is the one "
			"that was collected",
			"%u messages that were due for deletion stay on the "
			"server: it has no way to show that they are the ones "
			"that were collected",
			p->n_unsure),
		    p->n_unsure);
	s->record->account.braked |= p->brake;
	if (!s->record->account.braked)
		return;
	session_fail(s, OUTCOME_HELD,
	    _("most of what was collected is not in the maildrop of %s any "
	      "more, and much else is: nothing is deleted there until you "
	      "run: malote collect --accept %s"),
	    s->conf.account->server, s->conf.account->name);
}

/* What the plan wants of a message; too large ones stay. */
static void
begin_item(struct session *s, size_t i, uint32_t *n, uint64_t *octets)
{
	struct plan_item *it = &s->plan->v[i];
	struct item *item = &s->items.v[i];
	bool known = it->action == PLAN_LEAVE || it->action == PLAN_DELETE;

	/* It was thought to break sessions, but its header has come. */
	if (known && s->conf.earlier != NULL &&
	    !session_is_shunned(s, &it->listed))
		session_trouble_clear(s, i);
	switch (it->action) {
	case PLAN_DELETE:
		item->message = (size_t)it->message;
		items_delete_later(&s->items, i);
		break;
	case PLAN_COLLECT:
	case PLAN_IDENTIFY:
		if (it->listed.size > s->conf.account->max_size) {
			item->progress = ITEM_DONE;
			s->result.tally.skipped++;
		} else if (!session_is_for_now(s, &it->listed)) {
			item->progress = ITEM_DONE;
		} else {
			item->last = session_is_troubled(s, &it->listed);
			++*n;
			*octets += it->listed.size;
		}
		break;
	default: item->progress = ITEM_DONE; break;
	}
}

void
retrieve_enter(struct session *s)
{
	uint64_t octets = 0;
	uint32_t n = 0;

	plan_decide(s->plan);
	notice_plan(s);
	session_troubles_prune(s);
	s->items.next = 0;
	for (size_t i = 0; i < s->plan->n; i++)
		begin_item(s, i, &n, &octets);
	s->conf.hooks->listed(s->conf.arg, n, octets);
	s->n_wanted = n;
	if (n != 0)
		destination_try(s);
	session_save(s, false);
	send_more(s);
}

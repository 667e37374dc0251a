/* RETR, DELE: what comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/ask.h"
#include "client/session/batch.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/steps.h"

enum {
	SPACE_EACH = 1 << 20, /* is looked at each so many octets */
	GROWTH = 64 << 20,    /* octets: sizes that are listed are not exact */
};

/* ---- retrieving ---- */

static bool
deletes_now(const struct session *s)
{
	return s->conf.account->keep == 0 && !s->plan->brake &&
	       !s->plan->rules.held;
}

static void
message_begins(struct session *s)
{
	struct errbuf eb;
	enum err e;

	identity_reader_reset(s->identity);
	if (s->enough)
		return;
	e = parcel_begin(s->conf.delivery, &s->parcel, &eb);
	if (e == E_OK)
		return;
	s->parcel = NULL;
	destination_failed(s, e, eb.text);
}

/* Octets of the message that is coming. */
static uint64_t
awaited(const struct session *s, const struct listed *l)
{
	return l->size > s->came ? l->size - s->came : 0;
}

/* More comes than was listed.  False: too much; the session is over. */
static bool
may_grow(struct session *s, const struct listed *l, size_t n)
{
	const struct account *a = s->conf.account;
	bool far = l->has_size && s->came > 2 * l->size + GROWTH;

	if (s->came > a->max_size || far) {
		session_break(s, OUTCOME_PROTOCOL,
		    _("%s sends much more of a message than it has said, or "
		      "than max_size"),
		    a->server);
		return false;
	}
	if (s->came <= l->size || s->came % SPACE_EACH >= n ||
	    session_has_space(s, SPACE_EACH))
		return true;
	session_break(s, OUTCOME_DISK, "%s", s->result.words);
	return false;
}

static void
message_data(struct session *s, size_t i, struct slice data)
{
	const struct listed *l = &s->plan->v[i].listed;
	uint64_t left = awaited(s, l);
	struct errbuf eb;
	enum err e;

	for (size_t k = 0; k < data.n && s->came + k < sizeof(s->first); k++)
		s->first[s->came + k] = data.p[k];
	s->in_flight -= data.n < left ? data.n : left;
	s->came += data.n;
	if (!may_grow(s, l, data.n))
		return;
	s->octets_seen += data.n;
	s->conf.hooks->progress(
	    s->conf.arg, s->octets_seen, s->result.tally.collected);
	if (s->parcel == NULL)
		return;
	identity_reader_add(s->identity, data.p, data.n);
	if ((e = parcel_add(s->parcel, data.p, data.n, &eb)) == E_OK)
		return;
	parcel_drop(s->conf.delivery, s->parcel);
	s->parcel = NULL;
	destination_failed(s, e, eb.text);
}

/* An answer that belongs to another command shows in its size.  But many servers
 * list other sizes than they send: asking again, with nothing else outstanding,
 * tells which it is. */
static bool
is_doubtful(struct session *s, size_t i, uint64_t octets, bool apart)
{
	struct item *item = &s->items.v[i];
	const struct listed *l = &s->plan->v[i].listed;
	struct state_account *a = &s->record->account;

	bool fits =
	    !l->has_size || l->size == octets || (a->sizes_lie && apart);

	if (!s->was_pipelined)
		return false;
	if (!item->alone) {
		item->octets = octets;
		return !fits;
	}
	if (!item->refused && item->octets == octets) {
		a->sizes_lie = true;
		return false;
	}
	session_distrust(s);
	return !fits;
}

/* It was asked for only to see whether it is here already: it is. */
static void
is_here(struct session *s, size_t i, struct parcel *p)
{
	const struct plan_item *it = &s->plan->v[i];

	parcel_drop(s->conf.delivery, p);
	s->items.v[i].progress = ITEM_DONE;
	session_trouble_clear(s, i);
	if (it->action != PLAN_DELETE)
		return;
	s->items.v[i].message = (size_t)it->message;
	items_delete_later(&s->items, i);
}

static void
message_ends(struct session *s, size_t i, uint64_t octets)
{
	const struct plan_item *it = &s->plan->v[i];
	struct parcel *p = s->parcel;
	struct errbuf eb;
	enum err e;

	s->parcel = NULL;
	if (p == NULL) {
		s->items.v[i].progress = ITEM_DONE;
		s->n_asked--;
		return;
	}
	p->item = i;
	p->has_uid = it->listed.has_uid;
	p->uid = it->listed.uid;
	p->size = it->listed.has_size ? it->listed.size : octets;
	p->identity = identity_reader_end(s->identity);
	p->to_delete = deletes_now(s);
	if ((e = parcel_end(s->conf.delivery, p, &eb)) != E_OK) {
		parcel_drop(s->conf.delivery, p);
		s->items.v[i].progress = ITEM_DONE;
		s->n_asked--;
		destination_failed(s, e, eb.text);
		return;
	}
	session_hold(s, &(struct held){ HELD_MESSAGE, .item = i, .parcel = p,
			    .octets = octets });
}

/* It was told apart from its neighbours: only now it counts. */
static void
message_told(struct session *s, const struct held *h)
{
	struct parcel *p = h->parcel;
	size_t i = h->item;

	s->n_asked--;
	if (is_doubtful(s, i, h->octets, h->apart)) {
		parcel_drop(s->conf.delivery, p);
		if (s->items.v[i].alone)
			session_out_of_step(s, NULL);
		else
			items_ask_alone(&s->items, i);
	} else if (s->plan->v[i].action == PLAN_IDENTIFY &&
		   plan_retrieved(s->plan, i, &p->identity)) {
		is_here(s, i, p);
	} else if (!session_store_add(s, p)) {
		parcel_drop(s->conf.delivery, p);
		session_fail(s, OUTCOME_INTERNAL, "%s", _("out of memory"));
		s->enough = true;
	} else {
		s->items.v[i].progress = ITEM_WAITS;
	}
}

static void
retr_refused(struct session *s, size_t i, const struct pop3_event *ev)
{
	struct item *item = &s->items.v[i];
	char why[STATE_WORDS];

	s->n_asked--;
	session_hold(s, &(struct held){ HELD_REFUSAL, .item = i });
	if (item->pipelined && !item->alone && !s->enough) {
		item->refused = true;
		items_ask_alone(&s->items, i);
		return;
	}
	item->progress = ITEM_DONE;
	snprintf(why, sizeof(why), _("the server says \"%s\""),
	    session_quote(ev->text));
	session_trouble(s, i, TROUBLE_SERVER, why);
}

static void
dele_answered(struct session *s, size_t i, const struct pop3_event *ev)
{
	char command[32];

	s->items.v[i].progress = ITEM_DONE;
	s->items.v[i].dele_ok = ev->type == POP3_EV_OK;
	snprintf(command, sizeof(command), "DELE %u", ev->msgno);
	if (ev->type == POP3_EV_ERR)
		session_refused(s, ev, command);
}

/* A message that does so is none: what was taken for the reply before it belonged
 * to an earlier command, and this is the reply. */
static bool
begins_like_reply(const struct session *s)
{
	return s->came >= sizeof(s->first) &&
	       (memcmp(s->first, "+OK", 3) == 0 ||
		   memcmp(s->first, "-ERR", 4) == 0);
}

static void
retr_answered(struct session *s, size_t i, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_DATA) {
		message_data(s, i, ev->data);
	} else if (ev->type == POP3_EV_OK) {
		session_coming(s, i);
		message_begins(s);
	} else {
		s->in_flight -= awaited(s, &s->plan->v[i].listed);
		if (ev->type == POP3_EV_ERR)
			retr_refused(s, i, ev);
		else if (begins_like_reply(s) && !session_is_distrusted(s))
			session_out_of_step(s, NULL);
		else
			message_ends(s, i, ev->octets);
		s->came = 0;
	}
}

static void
messages_told(struct session *s)
{
	struct held held;

	while (session_told(s, &held))
		if (held.kind == HELD_MESSAGE)
			message_told(s, &held);
}

void
retrieve_take(struct session *s, const struct pop3_event *ev)
{
	size_t i = session_find(s, ev->msgno);

	if (ev->cmd == POP3_CMD_DELE)
		dele_answered(s, i, ev);
	else if (ev->cmd == POP3_CMD_RETR)
		retr_answered(s, i, ev);
	else if (session_take_fence(s, ev))
		messages_told(s);
	else
		return;
	if (session_store_is_due(s))
		session_store(s);
}

void
retrieve_leave(struct session *s, enum step next)
{
	parcel_drop(s->conf.delivery, s->parcel);
	s->parcel = NULL;
	fence_leave(s, next);
}

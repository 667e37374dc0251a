/* RETR: what comes. */
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/session/arrivals.h"
#include "client/session/ask.h"
#include "client/session/batch.h"
#include "client/session/choice.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/sorting.h"
#include "client/session/steps.h"
#include "client/session/stubs.h"

enum {
	SPACE_EACH = 1 << 20, /* is looked at each so many octets */
	GROWTH = 64 << 20,    /* octets: sizes that are listed are not exact */
};

/* ---- retrieving ---- */

static void
message_begins(struct visit *v)
{
	struct errbuf eb;
	enum err e;

	identity_reader_reset(v->identity);
	arrivals_begin(v);
	if (v->enough)
		return;
	if (v->sorting != NULL) {
		sorting_begin(v);
		return;
	}
	e = parcel_begin(v->conf.delivery, &v->parcel, &eb);
	if (e == E_OK)
		return;
	v->parcel = NULL;
	destination_failed(v, e, eb.text);
}

/* It is not stored: a place that a rule names has not taken it, or the
 * destination takes nothing. */
static void
not_written(
    struct visit *v, size_t i, struct parcel *p, enum err e, const char *why)
{
	bool apart = sorting_is_apart(v, p);

	if (apart)
		sorting_failed(v, i, p, why);
	parcel_drop(p);
	if (!apart)
		destination_failed(v, e, why);
}

/* Octets of the message that is coming. */
static uint64_t
awaited(const struct visit *v, size_t i)
{
	uint64_t size = ask_size(v, i);

	return size > v->came ? size - v->came : 0;
}

/* More comes than was listed.  False: too much; the session is over. */
static bool
may_grow(struct visit *v, size_t i, size_t n)
{
	const struct listed *l = &v->plan->v[i].listed;
	const struct account *a = v->conf.account;
	bool far = l->has_size && v->came > 2 * l->size + GROWTH;
	bool bound = !choice_is_made(v) && !v->items.v[i].stub;

	if ((bound && v->came > a->max_size) || far) {
		visit_break(v, OUTCOME_PROTOCOL,
		    _("%s sends much more of a message than it has said, or "
		      "than max_size"),
		    a->server);
		return false;
	}
	if (v->came <= l->size || v->came % SPACE_EACH >= n ||
	    ask_has_space(v, SPACE_EACH))
		return true;
	visit_break(v, OUTCOME_DISK, "%s", v->result.words);
	return false;
}

/* Octets that are to be stored. */
static void
message_write(struct visit *v, size_t i, struct slice data)
{
	struct parcel *p;
	struct errbuf eb;
	enum err e;

	if (v->parcel == NULL && !sorting_waits(v))
		return;
	identity_reader_add(v->identity, data.p, data.n);
	arrivals_add(v, data);
	if (sorting_waits(v))
		data = sorting_add(v, i, data);
	if ((p = v->parcel) == NULL ||
	    (e = parcel_add(p, data.p, data.n, &eb)) == E_OK)
		return;
	v->parcel = NULL;
	not_written(v, i, p, e, eb.text);
}

static void
message_data(struct visit *v, size_t i, struct slice data)
{
	uint64_t left = awaited(v, i);

	for (size_t k = 0; k < data.n && v->came + k < sizeof(v->first); k++)
		v->first[v->came + k] = data.p[k];
	v->in_flight -= data.n < left ? data.n : left;
	v->came += data.n;
	if (!may_grow(v, i, data.n))
		return;
	v->octets_seen += data.n;
	v->budget.came += data.n;
	if (v->items.v[i].stub)
		stubs_add(v, data);
	else
		message_write(v, i, data);
}

/* An answer that belongs to another command shows in its size.  But many
 * servers list other sizes than they send: asking again, with nothing else
 * outstanding, tells which it is. */
static bool
is_doubtful(struct visit *v, size_t i, uint64_t octets, bool apart)
{
	struct item *item = &v->items.v[i];
	const struct listed *l = &v->plan->v[i].listed;
	struct state_account *a = &v->record->account;

	bool fits =
	    !l->has_size || l->size == octets || (a->sizes_lie && apart);

	if (!v->was_pipelined || item->stub)
		return false;
	if (!item->alone) {
		item->octets = octets;
		return !fits;
	}
	if (!item->refused && item->octets == octets) {
		a->sizes_lie = true;
		return false;
	}
	visit_distrust(v);
	return !fits;
}

/* It was asked for only to see whether it is here already: it is. */
static void
is_here(struct visit *v, size_t i, struct parcel *p)
{
	const struct plan_item *it = &v->plan->v[i];

	parcel_drop(p);
	v->items.v[i].progress = ITEM_DONE;
	v->n_here++;
	v->budget.found++;
	trouble_clear(v, i);
	if (it->action != PLAN_DELETE)
		return;
	v->items.v[i].message = (size_t)it->message;
	items_delete_later(&v->items, i);
}

static void
message_ends(struct visit *v, size_t i, uint64_t octets)
{
	const struct plan_item *it = &v->plan->v[i];
	struct parcel *p;
	struct errbuf eb;
	enum err e;

	if (sorting_waits(v))
		sorting_end(v, i);
	p = v->parcel;
	v->parcel = NULL;
	if (p == NULL) {
		v->items.v[i].progress = ITEM_DONE;
		v->n_asked--;
		return;
	}
	arrivals_end(v, i);
	p->item = i;
	p->has_uid = it->listed.has_uid;
	p->uid = it->listed.uid;
	p->size = it->listed.has_size ? it->listed.size : octets;
	p->came = octets;
	p->identity = identity_reader_end(v->identity);
	p->folder = v->items.v[i].folder;
	p->to_delete = ask_deletes_now(v);
	if (v->items.v[i].stub)
		stubs_mark(v, i, p);
	if ((e = parcel_end(p, &eb)) != E_OK) {
		v->items.v[i].progress = ITEM_DONE;
		v->n_asked--;
		not_written(v, i, p, e, eb.text);
		return;
	}
	fence_hold(v, &(struct held){ HELD_MESSAGE, .item = i, .parcel = p,
			  .octets = octets });
}

/* Its header has come: what is stored is made of that. */
static void
stub_ends(struct visit *v, size_t i, uint64_t octets)
{
	struct slice made = stubs_end(v, i);

	if (made.n != 0) {
		message_begins(v);
		message_write(v, i, made);
	} else {
		destination_failed(v, E_NOMEM, _("out of memory"));
	}
	message_ends(v, i, octets);
}

/* It was told apart from its neighbours: only now it counts. */
static void
message_told(struct visit *v, const struct held *h)
{
	struct parcel *p = h->parcel;
	size_t i = h->item;

	v->n_asked--;
	if (is_doubtful(v, i, h->octets, h->apart)) {
		parcel_drop(p);
		if (v->items.v[i].alone)
			visit_out_of_step(v, NULL);
		else
			items_ask_alone(&v->items, i);
	} else if (v->plan->v[i].action == PLAN_IDENTIFY &&
		   plan_retrieved(v->plan, i, &p->identity)) {
		is_here(v, i, p);
	} else if (!choice_fits(v, i, &p->identity)) {
		parcel_drop(p);
		v->items.v[i].progress = ITEM_DONE;
		visit_fail(v, OUTCOME_LEFT, "%s",
		    _("a message is not the one that was shown any more: see "
		      "malote list"));
	} else if (!batch_add(v, p)) {
		parcel_drop(p);
		visit_fail(v, OUTCOME_INTERNAL, "%s", _("out of memory"));
		v->enough = true;
	} else {
		v->items.v[i].progress = ITEM_WAITS;
	}
}

static void
retr_refused(struct visit *v, size_t i, const struct pop3_event *ev)
{
	struct item *item = &v->items.v[i];
	char why[STATE_WORDS];

	if (ev->code == POP3_CODE_UTF8) /* the next session may ask again */
		v->record->account.no_utf8_until = 0;
	v->n_asked--;
	fence_hold(v, &(struct held){ HELD_REFUSAL, .item = i });
	if (item->pipelined && !item->alone && !v->enough) {
		item->refused = true;
		items_ask_alone(&v->items, i);
		return;
	}
	item->progress = ITEM_DONE;
	if (v->plan->v[i].listed.is_counted && visit_code(ev) == POP3_NO_CODE) {
		v->n_absent++; /* no list has it either */
		return;
	}
	if (ev->text.n != 0)
		snprintf(why, sizeof(why), _("the server says \"%s\""),
		    visit_quote(ev->text));
	else
		snprintf(why, sizeof(why), "%s",
		    _("the server refuses it and does not say why"));
	trouble_note(v, i, TROUBLE_SERVER, why);
}

/* A message that does so is none: what was taken for the reply before it
 * belonged to an earlier command, and this is the reply. */
static bool
begins_like_reply(const struct visit *v)
{
	return v->came >= sizeof(v->first) &&
	       (memcmp(v->first, "+OK", 3) == 0 ||
		   memcmp(v->first, "-ERR", 4) == 0);
}

/* Where answers are no more taken for those of others, a message may begin so;
 * but not one of another size than is listed. */
static bool
is_no_message(const struct visit *v, size_t i, uint64_t octets)
{
	const struct listed *l = &v->plan->v[i].listed;

	return begins_like_reply(v) && l->has_size && l->size != octets;
}

static void
leave_out(struct visit *v, size_t i)
{
	parcel_drop(v->parcel);
	v->parcel = NULL;
	v->n_asked--;
	fence_hold(v, &(struct held){ HELD_REFUSAL, .item = i });
	v->items.v[i].progress = ITEM_DONE;
	trouble_note(v, i, TROUBLE_SERVER,
	    _("the server sends another reply in its place"));
}

static void
retr_answered(struct visit *v, size_t i, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_DATA) {
		message_data(v, i, ev->data);
	} else if (ev->type == POP3_EV_OK) {
		fence_coming(v, i);
		if (v->items.v[i].stub)
			stubs_begin(v);
		else
			message_begins(v);
	} else {
		v->in_flight -= awaited(v, i);
		if (ev->type == POP3_EV_ERR)
			retr_refused(v, i, ev);
		else if (begins_like_reply(v) && !visit_is_distrusted(v))
			visit_out_of_step(v, NULL);
		else if (is_no_message(v, i, ev->octets))
			leave_out(v, i);
		else if (v->items.v[i].stub)
			stub_ends(v, i, ev->octets);
		else
			message_ends(v, i, ev->octets);
		v->came = 0;
		v->budget.answered++;
	}
}

static void
messages_told(struct visit *v)
{
	struct held held;

	while (fence_told(v, &held))
		if (held.kind == HELD_MESSAGE)
			message_told(v, &held);
}

void
retrieve_take(struct visit *v, const struct pop3_event *ev)
{
	size_t i = visit_find(v, ev->msgno);

	if (ev->cmd == POP3_CMD_RETR || ev->cmd == POP3_CMD_TOP)
		retr_answered(v, i, ev);
	else if (fence_take(v, ev))
		messages_told(v);
	else
		return;
	if (batch_is_due(v))
		batch_store(v);
	ask_quits(v);
}

void
retrieve_leave(struct visit *v, enum step next)
{
	parcel_drop(v->parcel);
	v->parcel = NULL;
	fence_leave(v, next);
}

/* STAT, LIST, UIDL: what is there. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/session/arrivals.h"
#include "client/session/batch.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/sorting.h"
#include "client/session/steps.h"

enum {
	UNLISTED = 64,       /* messages that STAT alone has, and are tried */
	BEYOND_STAT = 65536, /* rows of LIST and UIDL that STAT did not count */
	ROWS_MAX = 2000000,  /* of both: memory for each is half a kilobyte */
};
#define SIZE_MOST ((uint64_t)1 << 60) /* sums of some do not overflow */

struct listing {
	/* LIST and UIDL make rows of their own: join_rows(). */
	struct listed *v;
	size_t n, room;
	bool stat_refused, stat_odd, list_ok, uidl_ok;
	char said[256];      /* by a server that refused STAT */
	enum pop3_cmd asked; /* the last one */
};

/* ---- asking ---- */

static bool
listing_send(struct visit *v, enum pop3_cmd cmd)
{
	v->listing->asked = cmd;
	return visit_sent(v, pop3_client_send(&v->pop3, &v->line.out, cmd));
}

/* The next one that the server is asked for; STAT: there is none. */
static enum pop3_cmd
next_list(const struct visit *v)
{
	const struct state_account *a = &v->record->account;
	enum pop3_cmd asked = v->listing->asked;

	if (asked < POP3_CMD_LIST && !visit_does_without(a->no_list_until))
		return POP3_CMD_LIST;
	if (asked < POP3_CMD_UIDL && !visit_does_without(a->no_uidl_until))
		return POP3_CMD_UIDL;
	return POP3_CMD_STAT;
}

void
listing_enter(struct visit *v)
{
	enum pop3_cmd cmd;

	v->listing = calloc(1, sizeof(*v->listing));
	if (v->listing == NULL) {
		visit_memory(v);
		return;
	}
	/* What may have broken a session is asked for alone, so that the right
	 * message is blamed. */
	v->pipelining = v->pop3.capa.pipelining && !visit_is_distrusted(v) &&
			v->conf.earlier == NULL;
	if (!listing_send(v, POP3_CMD_STAT) || !v->pipelining)
		return;
	v->was_pipelined = true;
	while ((cmd = next_list(v)) != POP3_CMD_STAT)
		if (!listing_send(v, cmd))
			return;
}

/* Asked one by one, it was the list that was awaited. */
static void
learn_no_list(struct visit *v)
{
	struct state_account *a = &v->record->account;

	if (v->pipelining)
		return;
	if (v->listing->asked == POP3_CMD_LIST)
		visit_lost_at(v, &a->no_list_until, false);
	else if (v->listing->asked == POP3_CMD_UIDL)
		visit_lost_at(v, &a->no_uidl_until, false);
}

void
listing_leave(struct visit *v, enum step next)
{
	if (v->listing == NULL)
		return;
	if (v->broken[0] != '\0')
		learn_no_list(v);
	free(v->listing->v);
	free(v->listing);
	v->listing = NULL;
}

/* ---- rows ---- */

size_t
listing_rows(const struct visit *v)
{
	return v->listing != NULL ? v->listing->n : 0;
}

/* NULL: memory; the session is over. */
static struct listed *
new_row(struct visit *v, uint32_t msgno)
{
	struct listing *all = v->listing;
	struct listed *row;

	row = array_room(all->v, all->n, &all->room, sizeof(*row));
	if (row == NULL) {
		visit_memory(v);
		return NULL;
	}
	all->v = row;
	row += all->n++;
	*row = (struct listed){ .msgno = msgno };
	return row;
}

static void
listing_entry(struct visit *v, const struct pop3_event *ev)
{
	size_t most = 2 * (size_t)v->stat_count + BEYOND_STAT;
	struct listed *l;

	if (ev->msgno == 0)
		return;
	if (v->listing->stat_odd || most > ROWS_MAX)
		most = ROWS_MAX;
	if (v->listing->n > most) {
		visit_end(v, OUTCOME_PROTOCOL,
		    _("%s lists many more messages than it says there are, or "
		      "too many"),
		    v->conf.account->server);
		return;
	}
	if ((l = new_row(v, ev->msgno)) == NULL)
		return;
	if (ev->cmd == POP3_CMD_LIST) {
		l->is_listed = true;
		l->has_size = !ev->odd;
		l->size = ev->octets < SIZE_MOST ? ev->octets : SIZE_MOST;
	} else if (!ev->odd) {
		l->has_uid = true;
		l->uid = digest_of(ev->data);
	}
}

static int
by_number(const void *va, const void *vb)
{
	const struct listed *a = va, *b = vb;

	return a->msgno < b->msgno ? -1 : a->msgno > b->msgno;
}

static void
join_row(struct listed *l, const struct listed *other)
{
	l->is_listed |= other->is_listed;
	if (!l->has_size && other->has_size) {
		l->has_size = true;
		l->size = other->size;
	}
	if (!l->has_uid && other->has_uid) {
		l->has_uid = true;
		l->uid = other->uid;
	}
}

/* One row for each number, in their order: what came first counts. */
static void
join_rows(struct listing *all)
{
	size_t n = 0;

	if (all->n == 0)
		return;
	qsort(all->v, all->n, sizeof(*all->v), by_number);
	for (size_t i = 1; i < all->n; i++)
		if (all->v[i].msgno == all->v[n].msgno)
			join_row(&all->v[n], &all->v[i]);
		else
			all->v[++n] = all->v[i];
	all->n = n + 1;
}

/* Messages that STAT has counted and no row names: RETR will tell.  What would
 * stand between two rows is there in any case, as numbers have no gaps; behind
 * the last row STAT alone says so.  That is done for a few; of more it is only said that they are there, see
 * trouble_report(). */
static bool
add_unlisted(struct visit *v)
{
	struct listing *all = v->listing;
	size_t n = all->n, at = 0, missing = v->stat_count - n;
	uint32_t last = n != 0 ? all->v[n - 1].msgno : 0;
	struct listed *l;

	for (uint32_t i = 1; i <= v->stat_count && missing > 0; i++)
		if (at < n && all->v[at].msgno == i)
			at++;
		else if (all->n - n == UNLISTED)
			break;
		else if ((l = new_row(v, i)) == NULL)
			return false;
		else {
			l->is_counted = i > last;
			v->n_counted += l->is_counted;
			missing--;
		}
	qsort(all->v, all->n, sizeof(*all->v), by_number);
	v->n_unlisted = missing;
	return true;
}

/* A number that neither LIST nor STAT has is not to be trusted. */
static void
drop_uncounted(struct visit *v)
{
	struct listing *all = v->listing;
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (!all->list_ok || all->v[i].is_listed ||
		    all->v[i].msgno <= v->stat_count)
			all->v[n++] = all->v[i];
	all->n = n;
}

/* Without any listing STAT has said how many there are.  A message that UIDL
 * does not have, or with a unique-id that is not usable, has none.  False: it
 * is not known what is there. */
static bool
settle(struct visit *v)
{
	struct listing *all = v->listing;

	if (all->list_ok || all->uidl_ok) {
		join_rows(all);
		drop_uncounted(v);
		return all->n >= v->stat_count || add_unlisted(v);
	}
	if (all->stat_odd || v->stat_count > ROWS_MAX / 2)
		return false;
	for (uint32_t i = 1; i <= v->stat_count; i++)
		if (new_row(v, i) == NULL)
			return false;
	return true;
}

/* ---- the end of it ---- */

/* Sizes show whether answers are in step. */
static bool
has_all_sizes(const struct listing *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (!all->v[i].has_size)
			return false;
	return all->list_ok;
}

static enum err
make_plan(struct visit *v)
{
	const struct account *a = v->conf.account;
	struct record *r = v->record;
	struct plan_rules rules = {
		.now = time(NULL),
		.keep = a->keep,
		.max_size = a->max_size < a->headers_above ? a->max_size
							   : a->headers_above,
		.braked = r->account.braked,
		.accepted = v->conf.accept,
		.verify_later = !r->misnamed,
	};

	if (!v->conf.accept)
		v->n_mine_held = plan_mishap(r->messages, r->n_messages);
	rules.hold_mine = v->n_mine_held != 0;
	if (items_init(&v->items, v->listing->n) != E_OK ||
	    record_make_room(r, v->listing->n) != E_OK || !fence_new(v) ||
	    !batch_new(v) || !destination_new(v) || !sorting_new(v) ||
	    !arrivals_new(v))
		return E_NOMEM;
	return plan_new(&v->plan, r->messages, r->n_messages, v->listing->v,
	    v->listing->n, &rules);
}

static void
end_unlisted(struct visit *v)
{
	const struct listing *all = v->listing;

	if (!all->stat_refused)
		visit_end(v, OUTCOME_PROTOCOL,
		    _("%s does not say what is in the maildrop"),
		    v->conf.account->server);
	else if (all->said[0] == '\0')
		visit_end(v, OUTCOME_SERVER,
		    _("%s: the server does not say why"), "STAT");
	else
		visit_end(v, OUTCOME_SERVER, _("%s: the server says \"%s\""),
		    "STAT", all->said);
}

static void
listing_complete(struct visit *v)
{
	if (!settle(v)) {
		end_unlisted(v);
		return;
	}
	v->pipelining &= has_all_sizes(v->listing);
	budget_begin(v);
	if (v->conf.accept && v->record->account.braked != 0) {
		v->record->account.braked = 0;
		snprintf(v->result.notice, sizeof(v->result.notice), "%s",
		    _("what has changed on the server is accepted"));
	}
	if (make_plan(v) != E_OK) {
		visit_memory(v);
		return;
	}
	trouble_prune(v);
	if (v->record->suspect != &v->record->account.no_top_until)
		v->record->suspect = NULL;
	v->n_to_check = (uint32_t)plan_ask(v->plan);
	visit_enter(v, v->n_to_check != 0 ? STEP_HEADERS : STEP_ENVELOPE);
}

/* ---- what comes ---- */

static void
go_on(struct visit *v)
{
	enum pop3_cmd cmd;

	if (v->pop3.n_pending != 0)
		return;
	if ((cmd = next_list(v)) != POP3_CMD_STAT)
		listing_send(v, cmd);
	else
		listing_complete(v);
}

static bool
is_empty(const struct visit *v)
{
	return v->stat_count == 0 && !v->listing->stat_odd;
}

/* Some servers offer UIDL and refuse it; then headers tell what is here.  One
 * that says "later" is believed, as asking for each header takes long. */
static bool
is_fatal(const struct pop3_event *ev)
{
	enum pop3_code code = visit_code(ev);

	return code == POP3_CODE_SYS_TEMP || code == POP3_CODE_IN_USE;
}

/* Lists say more than STAT.  But where it is refused by a code, the maildrop
 * cannot be had. */
static bool
is_stat_needed(const struct pop3_event *ev)
{
	return is_fatal(ev) ||
	       (ev->code != POP3_NO_CODE && ev->code != POP3_CODE_OTHER);
}

static void
stat_answered(struct visit *v, const struct pop3_event *ev)
{
	struct listing *all = v->listing;

	all->stat_refused = ev->type == POP3_EV_ERR;
	if (all->stat_refused && is_stat_needed(ev)) {
		visit_refused(v, ev, "STAT");
		visit_finish(v);
		return;
	}
	if (all->stat_refused)
		snprintf(
		    all->said, sizeof(all->said), "%s", visit_quote(ev->text));
	v->stat_count = ev->count;
	all->stat_odd = ev->odd || all->stat_refused;
	if (is_empty(v) && v->pop3.n_pending == 0) {
		all->list_ok = all->uidl_ok = true;
		listing_complete(v);
	} else {
		go_on(v);
	}
}

/* LIST and UIDL: their end, or a refusal. */
static void
list_answered(struct visit *v, const struct pop3_event *ev)
{
	struct state_account *a = &v->record->account;
	struct listing *all = v->listing;
	/* Some servers have no list of nothing. */
	bool ok = ev->type == POP3_EV_END || is_empty(v);

	if (!ok && is_fatal(ev)) {
		visit_refused(v, ev, pop3_cmd_name(ev->cmd));
		visit_finish(v);
		return;
	}
	if (ev->cmd == POP3_CMD_LIST) {
		all->list_ok = ok;
		a->no_list_until = 0;
	} else {
		all->uidl_ok = ok;
		a->no_uidl_until = 0;
	}
	go_on(v);
}

void
listing_take(struct visit *v, const struct pop3_event *ev)
{
	if (ev->cmd == POP3_CMD_STAT)
		stat_answered(v, ev);
	else if (ev->type == POP3_EV_ENTRY)
		listing_entry(v, ev);
	else if (ev->type != POP3_EV_OK)
		list_answered(v, ev);
}

/* STAT, LIST, UIDL: what is there. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/session/batch.h"
#include "client/session/destination.h"
#include "client/session/fence.h"
#include "client/session/steps.h"

enum {
	UNLISTED = 64,       /* messages that STAT alone has, and are tried */
	BEYOND_STAT = 65536, /* rows of LIST and UIDL that STAT did not count */
	ROWS_MAX = 2000000,  /* of both: memory for each is half a kilobyte */
};
#define SIZE_MOST ((uint64_t)1 << 60) /* sums of some do not overflow */

struct listing {
	struct listed
	    *v; /* LIST and UIDL make rows of their own: join_rows() */
	size_t n, room;
	bool stat_odd, list_ok, uidl_ok, uidl_done;
};

/* ---- asking ---- */

static bool
ask(struct session *s, enum pop3_cmd cmd)
{
	return session_sent(s, pop3_client_send(&s->pop3, &s->line.out, cmd));
}

void
listing_enter(struct session *s)
{
	s->listing = calloc(1, sizeof(*s->listing));
	if (s->listing == NULL) {
		session_memory(s);
		return;
	}
	s->pipelining = s->pop3.capa.pipelining && !session_is_distrusted(s);
	if (!ask(s, POP3_CMD_STAT) || !s->pipelining)
		return;
	s->was_pipelined = true;
	if (ask(s, POP3_CMD_LIST))
		ask(s, POP3_CMD_UIDL);
}

void
listing_leave(struct session *s, enum step next)
{
	if (s->listing != NULL)
		free(s->listing->v);
	free(s->listing);
	s->listing = NULL;
}

/* ---- rows ---- */

/* NULL: memory; the session is over. */
static struct listed *
new_row(struct session *s, uint32_t msgno)
{
	struct listing *all = s->listing;
	struct listed *v;

	v = array_room(all->v, all->n, &all->room, sizeof(*v));
	if (v == NULL) {
		session_memory(s);
		return NULL;
	}
	all->v = v;
	v += all->n++;
	*v = (struct listed){ .msgno = msgno };
	return v;
}

static void
entry(struct session *s, const struct pop3_event *ev)
{
	size_t most = 2 * (size_t)s->stat_count + BEYOND_STAT;
	struct listed *l;

	if (ev->msgno == 0)
		return;
	if (s->listing->stat_odd || most > ROWS_MAX)
		most = ROWS_MAX;
	if (s->listing->n > most) {
		session_end(s, OUTCOME_PROTOCOL,
		    _("%s lists many more messages than it says there are, or "
		      "too many"),
		    s->conf.account->server);
		return;
	}
	if ((l = new_row(s, ev->msgno)) == NULL)
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
join(struct listed *l, const struct listed *other)
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
			join(&all->v[n], &all->v[i]);
		else
			all->v[++n] = all->v[i];
	all->n = n + 1;
}

/* Messages that STAT has counted and no row names: RETR will tell.  That is done
 * for a few; of more it is only said that they are there, see
 * session_troubles_report(). */
static bool
add_unlisted(struct session *s)
{
	struct listing *all = s->listing;
	size_t n = all->n, at = 0, missing = s->stat_count - n;

	for (uint32_t i = 1; i <= s->stat_count && missing > 0; i++)
		if (at < n && all->v[at].msgno == i)
			at++;
		else if (all->n - n == UNLISTED)
			break;
		else if (new_row(s, i) == NULL)
			return false;
		else
			missing--;
	qsort(all->v, all->n, sizeof(*all->v), by_number);
	s->n_unlisted = missing;
	return true;
}

/* A number that neither LIST nor STAT has is not to be trusted. */
static void
drop_uncounted(struct session *s)
{
	struct listing *all = s->listing;
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (!all->list_ok || all->v[i].is_listed ||
		    all->v[i].msgno <= s->stat_count)
			all->v[n++] = all->v[i];
	all->n = n;
}

/* Without any listing STAT has said how many there are.  A message that UIDL
 * does not have, or with a unique-id that is not usable, has none.  False: it is
 * not known what is there. */
static bool
settle(struct session *s)
{
	struct listing *all = s->listing;

	if (all->list_ok || all->uidl_ok) {
		join_rows(all);
		drop_uncounted(s);
		return all->n >= s->stat_count || add_unlisted(s);
	}
	if (all->stat_odd || s->stat_count > ROWS_MAX / 2)
		return false;
	for (uint32_t i = 1; i <= s->stat_count; i++)
		if (new_row(s, i) == NULL)
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
make_plan(struct session *s)
{
	struct record *r = s->record;
	struct plan_rules rules = {
		.now = time(NULL),
		.keep = s->conf.account->keep,
		.held = r->account.braked,
		.accepted = s->conf.accept,
	};

	if (items_init(&s->items, s->listing->n) != E_OK ||
	    record_make_room(r, s->listing->n) != E_OK ||
	    !session_fences_new(s) || !session_batch_new(s) ||
	    !destination_new(s))
		return E_NOMEM;
	return plan_new(&s->plan, r->messages, r->n_messages, s->listing->v,
	    s->listing->n, &rules);
}

static void
listing_complete(struct session *s)
{
	if (!settle(s)) {
		session_end(s, OUTCOME_PROTOCOL,
		    _("%s does not say what is in the maildrop"),
		    s->conf.account->server);
		return;
	}
	s->pipelining &= has_all_sizes(s->listing);
	if (s->conf.accept)
		s->record->account.braked = false;
	if (make_plan(s) != E_OK) {
		session_memory(s);
		return;
	}
	session_enter(s, plan_ask(s->plan) != 0 ? STEP_HEADERS : STEP_RETRIEVE);
}

/* ---- what comes ---- */

static bool
is_empty(const struct session *s)
{
	return s->stat_count == 0 && !s->listing->stat_odd;
}

static void
stat_answered(struct session *s, const struct pop3_event *ev)
{
	struct listing *all = s->listing;

	if (ev->type == POP3_EV_ERR) {
		session_refused(s, ev, "STAT");
		session_finish(s);
		return;
	}
	s->stat_count = ev->count;
	all->stat_odd = ev->odd;
	if (s->pipelining)
		return;
	if (is_empty(s)) {
		all->list_ok = all->uidl_ok = true;
		listing_complete(s);
	} else {
		ask(s, POP3_CMD_LIST);
	}
}

/* LIST and UIDL: their end, or a refusal. */
static void
list_answered(struct session *s, const struct pop3_event *ev)
{
	struct listing *all = s->listing;
	/* Some servers have no list of nothing. */
	bool ok = ev->type == POP3_EV_END || is_empty(s);

	if (!ok && (ev->code == POP3_CODE_SYS_TEMP ||
		       (ev->cmd == POP3_CMD_UIDL && s->pop3.capa.uidl))) {
		session_refused(s, ev, pop3_cmd_name(ev->cmd));
		session_finish(s);
		return;
	}
	if (ev->cmd == POP3_CMD_LIST) {
		all->list_ok = ok;
	} else {
		all->uidl_ok = ok;
		all->uidl_done = true;
	}
	if (s->pop3.n_pending != 0)
		return;
	if (!all->uidl_done)
		ask(s, POP3_CMD_UIDL);
	else
		listing_complete(s);
}

void
listing_take(struct session *s, const struct pop3_event *ev)
{
	if (ev->cmd == POP3_CMD_STAT)
		stat_answered(s, ev);
	else if (ev->type == POP3_EV_ENTRY)
		entry(s, ev);
	else if (ev->type != POP3_EV_OK)
		list_answered(s, ev);
}

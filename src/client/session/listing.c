/* STAT, LIST, UIDL: what is there. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/session/session_impl.h"

enum {
	UNLISTED = 64,       /* messages that STAT alone has, and are tried */
	BEYOND_STAT = 65536, /* rows of LIST and UIDL that STAT did not count */
	ROWS_MAX = 2000000,  /* of both: memory for each is half a kilobyte */
};
#define SIZE_MOST ((uint64_t)1 << 60) /* sums of some do not overflow */

/* ---- STAT, LIST, UIDL ---- */

static bool
ask(struct session *s, enum pop3_cmd cmd)
{
	return session_sent(s, pop3_client_send(&s->pop3, &s->line.out, cmd));
}

void
listing_enter(struct session *s)
{
	const struct record *r = s->record;

	s->pipelining =
	    s->pop3.capa.pipelining && r->account.serial_until <= time(NULL);
	if (!ask(s, POP3_CMD_STAT) || !s->pipelining)
		return;
	s->was_pipelined = true;
	if (ask(s, POP3_CMD_LIST))
		ask(s, POP3_CMD_UIDL);
}

static struct listed *
new_row(struct session *s, uint32_t msgno)
{
	struct listed *l;

	l = array_room(s->listed, s->n_listed, &s->listed_room, sizeof(*l));
	if (l == NULL) {
		session_memory(s);
		session_finish(s);
		return NULL;
	}
	s->listed = l;
	l = &s->listed[s->n_listed++];
	*l = (struct listed){ .msgno = msgno };
	return l;
}

/* LIST and UIDL make rows of their own; settle() joins them. */
static void
entry(struct session *s, const struct pop3_event *ev)
{
	size_t most = 2 * (size_t)s->stat_count + BEYOND_STAT;
	struct listed *l;

	if (ev->msgno == 0)
		return;
	if (s->stat_odd || most > ROWS_MAX)
		most = ROWS_MAX;
	if (s->n_listed > most) {
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

static bool
is_empty(const struct session *s)
{
	return s->stat_count == 0 && !s->stat_odd;
}

static void listing_complete(struct session *s);

static void
listing_answered(struct session *s, const struct pop3_event *ev)
{
	/* Some have no list of nothing. */
	bool ok = ev->type == POP3_EV_END || is_empty(s);
	bool temporary =
	    !ok && (ev->code == POP3_CODE_SYS_TEMP ||
		       (ev->cmd == POP3_CMD_UIDL && s->pop3.capa.uidl));

	if (temporary) {
		session_refused(s, ev, pop3_cmd_name(ev->cmd));
		session_finish(s);
		return;
	}
	if (ev->cmd == POP3_CMD_LIST) {
		s->list_ok = ok;
		s->list_done = true;
	} else {
		s->uidl_ok = ok;
		s->uidl_done = true;
	}
	if (s->pop3.n_pending != 0)
		return;
	if (!s->uidl_done)
		ask(s, POP3_CMD_UIDL);
	else
		listing_complete(s);
}

void
listing_take(struct session *s, const struct pop3_event *ev)
{
	switch (ev->type) {
	case POP3_EV_ENTRY: entry(s, ev); return;
	case POP3_EV_END: listing_answered(s, ev); return;
	case POP3_EV_ERR:
		if (ev->cmd != POP3_CMD_STAT) {
			listing_answered(s, ev);
			return;
		}
		session_refused(s, ev, "STAT");
		session_finish(s);
		return;
	default: break;
	}
	if (ev->cmd != POP3_CMD_STAT)
		return;
	s->stat_count = ev->count;
	s->stat_odd = ev->odd;
	if (s->pipelining)
		return;
	if (is_empty(s)) {
		s->list_ok = s->uidl_ok = true;
		listing_complete(s);
	} else {
		ask(s, POP3_CMD_LIST);
	}
}

static int
by_number(const void *va, const void *vb)
{
	const struct listed *a = va, *b = vb;

	return a->msgno < b->msgno ? -1 : a->msgno > b->msgno;
}

/* Joins the rows of one number: what comes first counts. */
static void
join_rows(struct session *s)
{
	size_t n = 0;

	if (s->n_listed == 0)
		return;
	qsort(s->listed, s->n_listed, sizeof(*s->listed), by_number);
	for (size_t i = 1; i < s->n_listed; i++) {
		struct listed *l = &s->listed[n], *next = &s->listed[i];

		if (next->msgno != l->msgno) {
			s->listed[++n] = *next;
			continue;
		}
		l->is_listed |= next->is_listed;
		if (!l->has_size && next->has_size) {
			l->has_size = true;
			l->size = next->size;
		}
		if (!l->has_uid && next->has_uid) {
			l->has_uid = true;
			l->uid = next->uid;
		}
	}
	s->n_listed = n + 1;
}

/* Messages that STAT has counted and no row names: RETR will tell.  A few; of
 * more it is said that they are there: session_troubles_report(). */
static bool
add_unlisted(struct session *s)
{
	size_t n = s->n_listed, at = 0, missing = s->stat_count - n;

	for (uint32_t i = 1; i <= s->stat_count && missing > 0; i++) {
		if (at < n && s->listed[at].msgno == i) {
			at++;
		} else if (s->n_listed - n == UNLISTED) {
			break;
		} else if (new_row(s, i) == NULL) {
			return false;
		} else {
			missing--;
		}
	}
	qsort(s->listed, s->n_listed, sizeof(*s->listed), by_number);
	s->n_unlisted = missing;
	return true;
}

/* Without any listing STAT has said how many there are.  A number that neither
 * LIST nor STAT has is not to be trusted; one that UIDL does not have, or with a
 * unique-id that is not usable, has none. */
static bool
settle(struct session *s)
{
	size_t n = 0;

	if (!s->list_ok && !s->uidl_ok) {
		if (s->stat_odd || s->stat_count > ROWS_MAX / 2)
			return false;
		for (uint32_t i = 1; i <= s->stat_count; i++)
			if (new_row(s, i) == NULL)
				return false;
		return true;
	}
	join_rows(s);
	for (size_t i = 0; i < s->n_listed; i++) {
		const struct listed *l = &s->listed[i];

		if (!s->list_ok || l->is_listed || l->msgno <= s->stat_count)
			s->listed[n++] = *l;
	}
	s->n_listed = n;
	if (n < s->stat_count && !add_unlisted(s))
		return false;
	for (size_t i = 0; i < s->n_listed; i++)
		s->unsized |= !s->listed[i].has_size;
	return true;
}

/* ---- the end of it ---- */

static void
listing_complete(struct session *s)
{
	struct record *r = s->record;
	const struct account *a = s->conf.account;
	struct plan_rules rules = {
		.now = time(NULL), .keep = a->keep, .accepted = s->conf.accept
	};

	if (!settle(s)) {
		session_end(s, OUTCOME_PROTOCOL,
		    _("%s does not say what is in the maildrop"), a->server);
		return;
	}
	/* Sizes show whether answers are in step. */
	s->pipelining &= s->list_ok && !s->unsized;
	if (s->conf.accept)
		r->account.braked = false;
	rules.held = r->account.braked;
	if (!session_items_new(s) ||
	    plan_new(&s->plan, r->messages, r->n_messages, s->listed,
		s->n_listed, &rules) != E_OK) {
		session_memory(s);
		session_finish(s);
		return;
	}
	session_enter(s, plan_ask(s->plan) != 0 ? STEP_HEADERS : STEP_RETRIEVE);
}

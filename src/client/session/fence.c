/*
 * Which answer is whose.
 *
 * POP3 has nothing in an answer that says which command it is for: their order
 * does, and a server that ends a message in its own way, says something twice
 * or leaves it out shifts all that follow.  So a message or a header that has
 * come is held until a fence behind it is answered in step: a command whose
 * answer is known before, and is no other command's.  That is UIDL (else LIST)
 * of the message itself, which is to say again what the listing has said.
 *
 * What is in step at a fence may have been out of it before.  So there is one
 * behind each header, and one for many messages only if their sizes are as
 * listed and tell them apart.
 *
 *	pipelining    fences are sent along: no turn is lost
 *	one by one    a fence is a turn, and waits until it must be
 *	distrust      a server that was out of step once: one by one, a fence
 *	              before the first and behind each, so that what is out of
 *	              step is the fault of one message only
 *
 * What is held when a fence fails is dropped, for another session to ask for.
 */
#include <stdio.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/session_impl.h"

enum {
	SINCE_OCTETS = 4 << 20,
	SINCE_AGE = 5, /* seconds */
};
#define SILENCE 0.5 /* seconds, within a message: it may have ended */

/* ---- sending ---- */

static enum pop3_cmd
fence_for(const struct session *s, const struct listed *l)
{
	enum fence fence = s->record->fence;

	if (fence == FENCE_UIDL && l->has_uid)
		return POP3_CMD_UIDL_ONE;
	if (fence <= FENCE_LIST && l->has_size)
		return POP3_CMD_LIST_ONE;
	return POP3_CMD_NOOP;
}

bool
session_fence(struct session *s, size_t i)
{
	const struct listed *l;
	enum pop3_cmd cmd;

	if (s->n_since != 0)
		i = s->since[s->n_since - 1];
	l = &s->plan->v[i].listed;
	cmd = fence_for(s, l);
	if (!session_sent(s, cmd == POP3_CMD_NOOP
				 ? pop3_client_send(&s->pop3, &s->line.out, cmd)
				 : pop3_client_message(
				       &s->pop3, &s->line.out, cmd, l->msgno)))
		return false;
	s->n_since = 0;
	s->since_octets = 0;
	s->size_odd = false;
	s->n_fences++;
	s->was_pipelined |= s->pop3.n_pending > 1;
	return true;
}

/* The size does not tell it from all that was asked for since the last fence. */
static bool
is_alike(const struct session *s, const struct listed *l)
{
	if (!l->has_size || s->record->account.sizes_lie)
		return true;
	for (size_t k = 0; k < s->n_since; k++)
		if (s->plan->v[s->since[k]].listed.size == l->size)
			return true;
	return false;
}

bool
session_is_alone(const struct session *s)
{
	return s->n_since != 0 && s->items[s->since[0]].alone;
}

bool
session_fence_is_due(const struct session *s, size_t i)
{
	if (s->pop3.n_pending != 0 && !s->pipelining)
		return false;
	if (session_is_distrusted(s) && !s->in_step)
		return true;
	return s->n_since != 0 &&
	       (session_is_distrusted(s) || s->step == STEP_HEADERS ||
		   session_is_alone(s) || s->items[i].alone || s->size_odd ||
		   is_alike(s, &s->plan->v[i].listed) ||
		   s->n_since == HELD_MAX || s->since_octets >= SINCE_OCTETS ||
		   ev_now(s->conf.loop) - s->since_at > SINCE_AGE);
}

void
session_asked(struct session *s, size_t i)
{
	if (s->n_since == 0)
		s->since_at = ev_now(s->conf.loop);
	s->since[s->n_since++] = i;
	s->since_octets += s->plan->v[i].listed.size;
	s->was_pipelined |= s->pop3.n_pending > 1;
}

bool
session_fence_last(struct session *s)
{
	if (s->n_since == 0 ||
	    (s->pop3.n_pending != 0 && (!s->pipelining || session_is_alone(s))))
		return true;
	return session_fence(s, 0);
}

/* ---- holding ---- */

void
session_hold(struct session *s, const struct held *h)
{
	const struct listed *l = &s->plan->v[h->item].listed;

	s->held[s->n_held++] = *h;
	if (h->kind == HELD_REFUSAL)
		return;
	s->items[h->item].progress = ITEM_HELD;
	s->size_odd |= h->kind == HELD_MESSAGE && h->octets != l->size;
}

void
session_drop_held(struct session *s)
{
	for (size_t k = 0; k < s->n_held; k++) {
		if (s->held[k].kind != HELD_MESSAGE)
			continue;
		parcel_drop(s->conf.delivery, s->held[k].parcel);
		s->items[s->held[k].item].progress = ITEM_DONE;
		s->n_asked--;
	}
	s->n_held = 0;
}

bool
session_told(struct session *s, struct held *h_r)
{
	while (s->next_told < s->n_told) {
		*h_r = s->held[s->next_told++];
		h_r->apart = s->n_told == 1;
		if (line_is_open(&s->line))
			return true;
		/* One of those before it has ended the session. */
		parcel_drop(s->conf.delivery, h_r->parcel);
	}
	return false;
}

static void
told_apart(struct session *s)
{
	s->in_step = true;
	s->next_told = 0;
	s->n_told = s->n_held;
	s->n_held = 0;
}

/* ---- what comes ---- */

static bool
is_as_listed(const struct session *s, const struct pop3_event *ev)
{
	const struct listed *l;

	if (ev->cmd == POP3_CMD_NOOP)
		return !ev->odd;
	if (ev->type == POP3_EV_ERR || ev->odd)
		return false;
	l = &s->plan->v[session_find(s, ev->msgno)].listed;
	return ev->cmd == POP3_CMD_UIDL_ONE
		   ? digest_eq(digest_of(ev->data), l->uid)
		   : ev->octets == l->size;
}

bool
session_take_fence(struct session *s, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_PROBED) {
		if (is_as_listed(s, ev))
			pop3_client_end(&s->pop3);
		return true;
	}
	/* A NOOP may be of line.c, but not where it is the fence. */
	if (ev->cmd != POP3_CMD_UIDL_ONE && ev->cmd != POP3_CMD_LIST_ONE &&
	    (ev->cmd != POP3_CMD_NOOP || s->n_fences == 0 || s->pipelining))
		return false;
	s->n_fences--;
	if (is_as_listed(s, ev))
		told_apart(s);
	else if (session_is_distrusted(s) && !s->in_step)
		s->record->fence++; /* nothing is held: it was never good */
	else
		session_out_of_step(s, NULL);
	return true;
}

/* ---- a message that may have ended ---- */

/* Behind a line of one "." that ends in its own way there is silence.  If more
 * was asked for, the answers are in what was taken for text.  Else one shows
 * whether the server awaits a command. */
static void
silence(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	ev_timer_stop(s->conf.loop, w);
	if (s->pop3.n_pending > 1) {
		session_out_of_step(s, NULL);
	} else if (session_fence(s, s->coming)) {
		s->probed = true;
		pop3_client_probe(&s->pop3);
		session_flush(s);
	}
}

void
session_doubt(struct session *s)
{
	const struct pop3_client *c = &s->pop3;
	bool may_end = c->doubtful || (c->n_pending > 1 && c->unstuff.odd_dot);

	if (line_is_open(&s->line) && s->items != NULL && c->inside &&
	    may_end && !s->probed)
		ev_timer_again(s->conf.loop, &s->doubt);
	else
		ev_timer_stop(s->conf.loop, &s->doubt);
}

void
session_doubt_init(struct session *s)
{
	ev_init(&s->doubt, silence);
	s->doubt.repeat = SILENCE;
	s->doubt.data = s;
}

/* ---- the end ---- */

/* The line was lost: some servers cannot bear the fence. */
static void
fence_lost(struct session *s)
{
	if (s->in_step)
		return;
	if (session_is_distrusted(s))
		s->record->fence = FENCE_NOOP;
	else if (s->n_fences != 0 && s->n_held != 0)
		session_distrust(s);
	else
		return;
	s->result.again = true;
}

void
fence_leave(struct session *s, enum step next)
{
	ev_timer_stop(s->conf.loop, &s->doubt);
	if (s->broken[0] != '\0')
		fence_lost(s);
}

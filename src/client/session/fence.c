#include "client/session/fence.h"

#include <stdlib.h>

enum {
	HELD_MAX = 64,
	SINCE_OCTETS = 4 << 20,
	SINCE_AGE = 5, /* seconds */
};
#define SILENCE 0.5 /* seconds, within a message: it may have ended */

struct fences {
	struct held held[HELD_MAX]; /* until a fence is answered */
	size_t n_held, next_told, n_told;
	size_t since[HELD_MAX]; /* items asked for since one was sent */
	size_t n_since;
	uint64_t since_octets;
	double since_at;
	bool size_odd;    /* one has come whose size is not the listed one */
	uint32_t n_sent;  /* fences that are not answered yet */
	bool in_step;     /* one was, as it should */
	size_t coming;    /* item: what is inside of an answer is its */
	bool probed;      /* whether that has ended */
	ev_timer silence; /* within it */
};

/* ---- asking ---- */

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
	struct fences *f = s->fences;
	const struct listed *l;
	enum pop3_cmd cmd;

	if (f->n_since != 0)
		i = f->since[f->n_since - 1];
	l = &s->plan->v[i].listed;
	cmd = fence_for(s, l);
	if (!session_sent(s, cmd == POP3_CMD_NOOP
				 ? pop3_client_send(&s->pop3, &s->line.out, cmd)
				 : pop3_client_message(
				       &s->pop3, &s->line.out, cmd, l->msgno)))
		return false;
	f->n_since = 0;
	f->since_octets = 0;
	f->size_odd = false;
	f->n_sent++;
	s->was_pipelined |= s->pop3.n_pending > 1;
	return true;
}

/* The size does not tell it from all that was asked for since the last fence. */
static bool
is_alike(const struct session *s, const struct listed *l)
{
	const struct fences *f = s->fences;

	if (!l->has_size || s->record->account.sizes_lie)
		return true;
	for (size_t k = 0; k < f->n_since; k++)
		if (s->plan->v[f->since[k]].listed.size == l->size)
			return true;
	return false;
}

bool
session_is_alone(const struct session *s)
{
	const struct fences *f = s->fences;

	return f->n_since != 0 && s->items.v[f->since[0]].alone;
}

bool
session_fence_is_due(const struct session *s, size_t i)
{
	const struct fences *f = s->fences;

	if (s->pop3.n_pending != 0 && !s->pipelining)
		return false;
	if (session_is_distrusted(s) && !f->in_step)
		return true;
	return f->n_since != 0 &&
	       (session_is_distrusted(s) || s->step == STEP_HEADERS ||
		   session_is_alone(s) || s->items.v[i].alone || f->size_odd ||
		   is_alike(s, &s->plan->v[i].listed) ||
		   f->n_since == HELD_MAX || f->since_octets >= SINCE_OCTETS ||
		   ev_now(s->conf.loop) - f->since_at > SINCE_AGE);
}

void
session_asked(struct session *s, size_t i)
{
	struct fences *f = s->fences;

	if (f->n_since == 0)
		f->since_at = ev_now(s->conf.loop);
	f->since[f->n_since++] = i;
	f->since_octets += s->plan->v[i].listed.size;
	s->was_pipelined |= s->pop3.n_pending > 1;
}

bool
session_fence_last(struct session *s)
{
	if (s->fences->n_since == 0 ||
	    (s->pop3.n_pending != 0 && (!s->pipelining || session_is_alone(s))))
		return true;
	return session_fence(s, 0);
}

/* ---- holding ---- */

void
session_coming(struct session *s, size_t i)
{
	s->fences->coming = i;
	s->fences->probed = false;
}

void
session_hold(struct session *s, const struct held *h)
{
	struct fences *f = s->fences;
	const struct listed *l = &s->plan->v[h->item].listed;

	f->held[f->n_held++] = *h;
	if (h->kind == HELD_REFUSAL)
		return;
	s->items.v[h->item].progress = ITEM_HELD;
	f->size_odd |= h->kind == HELD_MESSAGE && h->octets != l->size;
}

void
session_drop_held(struct session *s)
{
	struct fences *f = s->fences;

	for (size_t k = 0; k < f->n_held; k++) {
		if (f->held[k].kind != HELD_MESSAGE)
			continue;
		parcel_drop(s->conf.delivery, f->held[k].parcel);
		s->items.v[f->held[k].item].progress = ITEM_DONE;
		s->n_asked--;
	}
	f->n_held = 0;
}

bool
session_told(struct session *s, struct held *h_r)
{
	struct fences *f = s->fences;

	while (f->next_told < f->n_told) {
		*h_r = f->held[f->next_told++];
		h_r->apart = f->n_told == 1;
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
	struct fences *f = s->fences;

	f->in_step = true;
	f->next_told = 0;
	f->n_told = f->n_held;
	f->n_held = 0;
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
	struct fences *f = s->fences;

	if (ev->type == POP3_EV_PROBED) {
		if (is_as_listed(s, ev))
			pop3_client_end(&s->pop3);
		return true;
	}
	/* A NOOP may be one that only says that we are here, but not where it is
	 * the fence. */
	if (ev->cmd != POP3_CMD_UIDL_ONE && ev->cmd != POP3_CMD_LIST_ONE &&
	    (ev->cmd != POP3_CMD_NOOP || f->n_sent == 0 || s->pipelining))
		return false;
	f->n_sent--;
	if (is_as_listed(s, ev))
		told_apart(s);
	else if (session_is_distrusted(s) && !f->in_step)
		s->record->fence++; /* nothing is held: it was never good */
	else
		session_out_of_step(s, NULL);
	return true;
}

/* ---- a message that may have ended ---- */

/* A server that has ended a message in its own way, by a line of one "." with
 * another line end, says nothing then.  If more was asked for, it has answered,
 * and that was taken for text of the message.  Else a fence shows whether it
 * awaits a command. */
static void
silent_within(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;
	struct fences *f = s->fences;

	ev_timer_stop(s->conf.loop, w);
	if (s->pop3.n_pending > 1) {
		session_out_of_step(s, NULL);
	} else if (session_fence(s, f->coming)) {
		f->probed = true;
		pop3_client_probe(&s->pop3);
		session_flush(s);
	}
}

void
session_doubt(struct session *s)
{
	struct fences *f = s->fences;
	const struct pop3_client *c = &s->pop3;
	bool may_end = c->doubtful || (c->n_pending > 1 && c->unstuff.odd_dot);

	if (line_is_open(&s->line) && c->inside && may_end && !f->probed)
		ev_timer_again(s->conf.loop, &f->silence);
	else
		ev_timer_stop(s->conf.loop, &f->silence);
}

/* ---- the end ---- */

uint32_t
session_n_held(const struct session *s)
{
	uint32_t n = 0;

	for (size_t k = 0; k < s->fences->n_held; k++)
		n += s->fences->held[k].kind == HELD_MESSAGE;
	return n;
}

size_t
session_last_held(const struct session *s)
{
	const struct fences *f = s->fences;

	return f->n_held != 0 ? f->held[f->n_held - 1].item : SIZE_MAX;
}

/* The line was lost: some servers cannot bear a fence. */
static void
fence_lost(struct session *s)
{
	struct fences *f = s->fences;

	if (f->in_step)
		return;
	if (session_is_distrusted(s))
		s->record->fence = FENCE_NOOP;
	else if (f->n_sent != 0 && f->n_held != 0)
		session_distrust(s);
	else
		return;
	s->result.again = true;
}

void
fence_leave(struct session *s, enum step next)
{
	ev_timer_stop(s->conf.loop, &s->fences->silence);
	if (s->broken[0] != '\0')
		fence_lost(s);
}

/* ---- life ---- */

bool
session_fences_new(struct session *s)
{
	struct fences *f = calloc(1, sizeof(*f));

	s->fences = f;
	if (f == NULL)
		return false;
	ev_init(&f->silence, silent_within);
	f->silence.repeat = SILENCE;
	f->silence.data = s;
	return true;
}

void
session_fences_free(struct session *s)
{
	if (s->fences != NULL)
		ev_timer_stop(s->conf.loop, &s->fences->silence);
	free(s->fences);
}

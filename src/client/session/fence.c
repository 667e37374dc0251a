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
fence_for(const struct visit *v, const struct listed *l)
{
	enum fence fence = v->record->fence;

	if (fence == FENCE_UIDL && l->has_uid)
		return POP3_CMD_UIDL_ONE;
	if (fence <= FENCE_LIST && l->has_size)
		return POP3_CMD_LIST_ONE;
	return POP3_CMD_NOOP;
}

bool
fence_send(struct visit *v, size_t i)
{
	struct fences *f = v->fences;
	const struct listed *l;
	enum pop3_cmd cmd;

	if (f->n_since != 0)
		i = f->since[f->n_since - 1];
	l = &v->plan->v[i].listed;
	cmd = fence_for(v, l);
	if (!visit_sent(v, cmd == POP3_CMD_NOOP
			       ? pop3_client_send(&v->pop3, &v->line.out, cmd)
			       : pop3_client_message(
				     &v->pop3, &v->line.out, cmd, l->msgno)))
		return false;
	f->n_since = 0;
	f->since_octets = 0;
	f->size_odd = false;
	f->n_sent++;
	v->was_pipelined |= v->pop3.n_pending > 1;
	return true;
}

/* The size does not tell it from all that was asked for since the last
 * fence. */
static bool
is_alike(const struct visit *v, const struct listed *l)
{
	const struct fences *f = v->fences;

	if (!l->has_size || v->record->account.sizes_lie)
		return true;
	for (size_t k = 0; k < f->n_since; k++)
		if (v->plan->v[f->since[k]].listed.size == l->size)
			return true;
	return false;
}

bool
fence_is_alone(const struct visit *v)
{
	const struct fences *f = v->fences;

	return f->n_since != 0 && v->items.v[f->since[0]].alone;
}

bool
fence_is_due(const struct visit *v, size_t i)
{
	const struct fences *f = v->fences;

	if (v->pop3.n_pending != 0 && !v->pipelining)
		return false;
	if (visit_is_distrusted(v) && !f->in_step)
		return true;
	return f->n_since != 0 &&
	       (visit_is_distrusted(v) || v->conf.earlier != NULL ||
		   v->step != STEP_RETRIEVE || fence_is_alone(v) ||
		   v->items.v[i].alone || f->size_odd ||
		   is_alike(v, &v->plan->v[i].listed) ||
		   f->n_since == HELD_MAX || f->since_octets >= SINCE_OCTETS ||
		   ev_now(v->conf.loop) - f->since_at > SINCE_AGE);
}

void
fence_asked(struct visit *v, size_t i)
{
	struct fences *f = v->fences;

	if (f->n_since == 0)
		f->since_at = ev_now(v->conf.loop);
	f->since[f->n_since++] = i;
	f->since_octets += v->plan->v[i].listed.size;
	v->was_pipelined |= v->pop3.n_pending > 1;
}

bool
fence_send_last(struct visit *v)
{
	if (v->fences->n_since == 0 ||
	    (v->pop3.n_pending != 0 && (!v->pipelining || fence_is_alone(v))))
		return true;
	return fence_send(v, 0);
}

bool
fence_is_owed(const struct visit *v)
{
	return v->fences->n_since != 0;
}

/* ---- holding ---- */

void
fence_coming(struct visit *v, size_t i)
{
	v->fences->coming = i;
	v->fences->probed = false;
}

void
fence_hold(struct visit *v, const struct held *h)
{
	struct fences *f = v->fences;
	const struct listed *l = &v->plan->v[h->item].listed;

	f->held[f->n_held++] = *h;
	if (h->kind == HELD_REFUSAL)
		return;
	v->items.v[h->item].progress = ITEM_HELD;
	f->size_odd |= h->kind == HELD_MESSAGE && h->octets != l->size;
}

void
fence_drop(struct visit *v)
{
	struct fences *f = v->fences;

	for (size_t k = 0; k < f->n_held; k++) {
		if (f->held[k].kind != HELD_MESSAGE)
			continue;
		parcel_drop(f->held[k].parcel);
		v->items.v[f->held[k].item].progress = ITEM_DONE;
		v->n_asked--;
	}
	f->n_held = 0;
}

bool
fence_told(struct visit *v, struct held *h_r)
{
	struct fences *f = v->fences;

	while (f->next_told < f->n_told) {
		*h_r = f->held[f->next_told++];
		h_r->apart = f->n_told == 1;
		if (line_is_open(&v->line))
			return true;
		/* One of those before it has ended the session. */
		parcel_drop(h_r->parcel);
	}
	return false;
}

static void
told_apart(struct visit *v)
{
	struct fences *f = v->fences;

	f->in_step = true;
	pop3_client_in_step(&v->pop3);
	f->next_told = 0;
	f->n_told = f->n_held;
	f->n_held = 0;
}

/* ---- what comes ---- */

static bool
is_as_listed(const struct visit *v, const struct pop3_event *ev)
{
	const struct listed *l;

	if (ev->cmd == POP3_CMD_NOOP)
		return !ev->odd;
	if (ev->type == POP3_EV_ERR || ev->odd)
		return false;
	l = &v->plan->v[visit_find(v, ev->msgno)].listed;
	return ev->cmd == POP3_CMD_UIDL_ONE
		   ? digest_eq(digest_of(ev->data), l->uid)
		   : ev->octets == l->size;
}

bool
fence_take(struct visit *v, const struct pop3_event *ev)
{
	struct fences *f = v->fences;

	if (ev->type == POP3_EV_PROBED) {
		if (is_as_listed(v, ev))
			pop3_client_end(&v->pop3);
		return true;
	}
	/* A NOOP may be one that only says that we are here, but not where it
	 * is the fence. */
	if (ev->cmd != POP3_CMD_UIDL_ONE && ev->cmd != POP3_CMD_LIST_ONE &&
	    (ev->cmd != POP3_CMD_NOOP || f->n_sent == 0 || v->pipelining))
		return false;
	f->n_sent--;
	if (is_as_listed(v, ev))
		told_apart(v);
	else if (visit_is_distrusted(v) && !f->in_step)
		v->record->fence++; /* nothing is held: it was never good */
	else
		visit_out_of_step(v, NULL);
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
	struct visit *v = w->data;
	struct fences *f = v->fences;

	ev_timer_stop(v->conf.loop, w);
	if (v->pop3.n_pending > 1) {
		visit_out_of_step(v, NULL);
	} else if (fence_send(v, f->coming)) {
		f->probed = true;
		pop3_client_probe(&v->pop3);
		visit_flush(v);
	}
}

bool
fence_may_be_behind(const struct visit *v)
{
	const struct pop3_client *c = &v->pop3;

	return c->inside &&
	       (c->doubtful || (c->n_pending > 1 && c->unstuff.odd_dot));
}

void
fence_watch(struct visit *v)
{
	struct fences *f = v->fences;

	if (line_is_open(&v->line) && fence_may_be_behind(v) && !f->probed)
		ev_timer_again(v->conf.loop, &f->silence);
	else
		ev_timer_stop(v->conf.loop, &f->silence);
}

/* ---- the end ---- */

uint32_t
fence_n_held(const struct visit *v)
{
	uint32_t n = 0;

	for (size_t k = 0; k < v->fences->n_held; k++)
		n += v->fences->held[k].kind == HELD_MESSAGE;
	return n;
}

size_t
fence_last_held(const struct visit *v)
{
	const struct fences *f = v->fences;

	return f->n_held != 0 ? f->held[f->n_held - 1].item : SIZE_MAX;
}

/* The line was lost: some servers cannot bear a fence. */
static void
fence_lost(struct visit *v)
{
	struct fences *f = v->fences;

	if (f->in_step)
		return;
	if (visit_is_distrusted(v))
		v->record->fence = FENCE_NOOP;
	else if (f->n_sent != 0 && f->n_held != 0)
		visit_distrust(v);
	else
		return;
	v->result.again = true;
}

void
fence_leave(struct visit *v, enum step next)
{
	ev_timer_stop(v->conf.loop, &v->fences->silence);
	if (v->broken[0] != '\0')
		fence_lost(v);
}

/* ---- life ---- */

bool
fence_new(struct visit *v)
{
	struct fences *f = calloc(1, sizeof(*f));

	v->fences = f;
	if (f == NULL)
		return false;
	ev_init(&f->silence, silent_within);
	f->silence.repeat = SILENCE;
	f->silence.data = v;
	return true;
}

void
fence_free(struct visit *v)
{
	if (v->fences != NULL)
		ev_timer_stop(v->conf.loop, &v->fences->silence);
	free(v->fences);
}

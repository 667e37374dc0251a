#include "server/auth/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/auth/databases.h"
#include "server/auth/recent.h"

enum { LINES = 1024 };

/* By the digest of their address: those that have a turn, of whom there are several
 * if they came before anybody failed; those that wait for one, who came last
 * first. */
struct line {
	struct signin_list going, waiting;
};

struct turns {
	struct line line[LINES];
};

struct turns *
turns_new(void)
{
	struct turns *t = malloc(sizeof(*t));

	for (size_t i = 0; t != NULL && i < LINES; i++) {
		TAILQ_INIT(&t->line[i].going);
		TAILQ_INIT(&t->line[i].waiting);
	}
	return t;
}

static struct line *
line_of(const struct signin *s)
{
	return &s->auth->turns->line[s->suspect.address % LINES];
}

/* The first of the same address. */
static struct signin *
first_of(const struct signin_list *list, const struct signin *s)
{
	struct signin *other;

	TAILQ_FOREACH (other, list, in_line)
		if (other->suspect.address == s->suspect.address)
			break;
	return other;
}

static void
move(struct signin *s, enum signin_turn to)
{
	struct line *l = line_of(s);

	if (s->turn != TURN_NONE)
		TAILQ_REMOVE(
		    s->turn == TURN_HAS ? &l->going : &l->waiting, s, in_line);
	if (to != TURN_NONE)
		TAILQ_INSERT_HEAD(
		    to == TURN_HAS ? &l->going : &l->waiting, s, in_line);
	s->turn = to;
}

/* ---- waiting ---- */

void
signin_wait(struct signin *s, enum signin_state state, uint32_t ms,
    void (*then)(struct ev_loop *loop, ev_timer *t, int revents))
{
	s->state = state;
	ev_now_update(s->auth->loop);
	ev_timer_stop(s->auth->loop, &s->delay);
	ev_timer_init(&s->delay, then, ms / 1e3, 0);
	s->delay.data = s;
	ev_timer_start(s->auth->loop, &s->delay);
}

uint32_t
signin_waits(const struct signin *s, struct penalty_ms ms, uint64_t now_ms)
{
	return penalty_wait(
	    ms, ms.user != 0 && recent_came(s->auth->recent, s->who, now_ms));
}

struct slice
signin_tried(const struct signin *s)
{
	if (s->tried.n != 0)
		return s->tried;
	return s->password != NULL
		   ? (struct slice){ s->password, strlen(s->password) }
		   : (struct slice){ (const char *)s->digest,
			     sizeof(s->digest) };
}

/* ---- a turn ---- */

/* Is it a user who signed in from there lately, with this password?  Where none
 * is sent, one try is given them, as a failure makes them unknown again. */
static bool
is_recent(struct signin *s, uint64_t now)
{
	struct recent *r = s->auth->recent;

	return s->password == NULL || s->exchange != NULL
		   ? recent_has(r, s->who, now)
		   : recent_confirms(r, s->who, signin_tried(s), now);
}

/* Has somebody failed there, or is it about to come out that they have? */
static bool
is_watched(const struct signin *s, uint64_t now)
{
	const struct signin *other;

	if (penalty_has_failed(s->auth->penalty, &s->suspect, now))
		return true;
	TAILQ_FOREACH (other, &line_of(s)->going, in_line)
		if (other->suspect.address == s->suspect.address &&
		    (other->state == CHECKING || other->is_failing))
			return true;
	return false;
}

static void approach(struct signin *s);

static void
on_paid(struct ev_loop *loop, ev_timer *t, int revents)
{
	approach(t->data);
}

/* Where somebody has failed.  True: it may be verified now. */
static bool
may_go(struct signin *s, uint64_t now)
{
	uint32_t ms;

	if (s->turn != TURN_HAS && first_of(&line_of(s)->going, s) != NULL) {
		move(s, TURN_WAITS);
		s->state = DELAYED; /* until the other one's turn_end() */
		return false;
	}
	move(s, TURN_HAS);
	ms = penalty_due(s->auth->penalty, &s->suspect, now).address;
	if (ms != 0)
		signin_wait(s, DELAYED, ms, on_paid);
	return ms == 0;
}

static void
approach(struct signin *s)
{
	uint64_t now = clock_ms();

	if (!is_watched(s, now))
		move(s, TURN_HAS);
	else if (is_recent(s, now))
		turn_end(s);
	else if (!may_go(s, now))
		return;
	s->then(s);
}

/* The user's own delay is over. */
static void
on_user_paid(struct ev_loop *loop, ev_timer *t, int revents)
{
	approach(t->data);
}

/* What the user has to pay is waited for once, and before: others of the address
 * are about other users, and there may be others of the user anywhere. */
void
turn_await(struct signin *s, void (*then)(struct signin *s))
{
	uint64_t now = clock_ms();
	struct penalty_ms ms = penalty_due(s->auth->penalty, &s->suspect, now);
	uint32_t user_ms;

	s->then = then;
	ms.address = 0;
	if (!s->auth->conf.penalties)
		then(s);
	else if ((user_ms = signin_waits(s, ms, now)) != 0)
		signin_wait(s, DELAYED, user_ms, on_user_paid);
	else
		approach(s);
}

/* Of those that wait, who came last: when nobody else has a turn or, as newcomers do
 * not wait then either, nobody has failed.  Not at once: what it comes to may be the
 * end of its turn, too. */
static void
wake_next(const struct signin *of)
{
	struct line *l = line_of(of);
	struct signin *next = first_of(&l->waiting, of);
	bool is_alone = first_of(&l->going, of) == NULL;

	if (next == NULL || (!is_alone && is_watched(next, clock_ms())))
		return;
	move(next, is_alone ? TURN_HAS : TURN_NONE);
	signin_wait(next, DELAYED, 0, on_paid);
}

void
turn_end(struct signin *s)
{
	move(s, TURN_NONE);
	wake_next(s);
}

void
turn_goes_on(struct signin *s)
{
	wake_next(s);
}

/* Its password waited to be verified, and does so no more. */
static bool
gives_way(struct signin *s)
{
	if (s->state == LOOKING)
		return s->found != NULL && databases_cancel(s->found);
	return s->state == HASHING && hashpool_cancel(s->auth->hashes, &s->job);
}

void
turn_failed(struct signin *s)
{
	struct signin *other, *next;
	uint64_t now = clock_ms();

	for (other = TAILQ_FIRST(&line_of(s)->going); other != NULL;
	     other = next) {
		next = TAILQ_NEXT(other, in_line);
		if (other->suspect.address == s->suspect.address &&
		    !is_recent(other, now) && gives_way(other)) {
			other->state = DELAYED;
			move(other, TURN_WAITS);
		}
	}
	wake_next(s);
}

void
turn_fails(struct signin *s)
{
	s->is_failing = true;
	turn_failed(s);
}

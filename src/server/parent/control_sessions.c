#include "server/parent/control_sessions.h"

#include <stdio.h>
#include <sys/random.h>

#include "server/parent/child_tell.h"
#include "server/parent/control_elder.h"

static const double ROOM = 0.01; /* seconds until it is looked for again */

static bool
is_wanted(const struct control_client *k, const struct child *worker)
{
	return worker->state == CHILD_SERVING && worker->chan != NULL &&
	       (k->sessions.which.sid == 0 ||
		   k->sessions.which.worker == worker->index);
}

/* The next worker that is to be asked; NULL: all have been.  Those without sessions
 * have ended where another maloted serves. */
static struct child *
next_worker(struct control_client *k)
{
	struct parent *p = k->parent;

	for (; k->sessions.worker < p->conf->worker.role.n;
	     k->sessions.worker++) {
		struct child *c =
		    child_find(p, ROLE_WORKER, k->sessions.worker);

		if (c != NULL && is_wanted(k, c))
			return c;
		k->sessions.from = 0;
	}
	return NULL;
}

/* An older one that cannot be asked: its sessions are no fewer for that. */
static void
say_what_is_left(const struct succession *s, char *words, size_t size)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < s->n_drains; i++)
		n += s->drain[i].is.number;
	if (n != 0)
		snprintf(words, size,
		    "not looked at: what processes from before a restart that "
		    "cannot be asked still have, sessions: %u",
		    n);
}

static void
end(struct control_client *k)
{
	char words[160] = "";

	if (!control_elder_tell(k))
		say_what_is_left(&k->parent->succession, words, sizeof(words));
	control_done(k, CONTROL_GOOD, words);
}

static void
ask_next(struct control_client *k)
{
	struct child *c = next_worker(k);

	k->sessions.asked = c;
	if (c == NULL)
		end(k);
	else
		child_tell_sessions(c, k->token, k->sessions.end,
		    k->sessions.from, &k->sessions.which);
}

static void
on_room(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct control_client *k = t->data;

	if (ipc_is_full(k->chan))
		return;
	ev_timer_stop(loop, t);
	ask_next(k);
}

void
control_sessions(
    struct control_client *k, const struct control_which *which, bool end)
{
	if (getrandom(&k->token, sizeof(k->token), 0) != sizeof(k->token)) {
		control_done(k, CONTROL_LATER, "there are no random numbers");
		return;
	}
	k->sessions.which = *which;
	k->sessions.wanted = true;
	k->sessions.end = end;
	ev_timer_init(&k->sessions.room, on_room, ROOM, ROOM);
	k->sessions.room.data = k;
	ask_next(k);
}

enum err
control_sessions_are(
    struct child *worker, uint64_t token, struct control_sessions *s)
{
	struct control_client *k = control_find(worker->parent, token);

	if (k == NULL || k->sessions.asked != worker)
		return E_OK; /* it has not waited for it */
	if (s->next != 0 && s->next <= k->sessions.from)
		return E_FORMAT; /* it would never come to an end */
	k->sessions.asked = NULL;
	for (unsigned i = 0; i < s->n; i++)
		s->session[i].worker = worker->index;
	if (s->n != 0)
		control_tell(k, CONTROL_SESSIONS, &control_sessions_fields, s);
	k->sessions.from = s->next;
	if (s->next == 0)
		k->sessions.worker++;
	if (ipc_is_full(k->chan))
		ev_timer_again(k->parent->loop, &k->sessions.room);
	else
		ask_next(k);
	return E_OK;
}

void
control_sessions_gone(const struct child *c)
{
	struct control_client *k;

	TAILQ_FOREACH (k, &c->parent->clients, link) {
		if (k->sessions.asked != c)
			continue;
		k->sessions.asked = NULL;
		if (c->parent->phase >= PARENT_DRAINING) {
			/* It had no session any more. */
			k->sessions.worker++;
			k->sessions.from = 0;
			ask_next(k);
			continue;
		}
		control_done(k, CONTROL_LATER,
		    "a process that was asked has ended; the log says why");
	}
}

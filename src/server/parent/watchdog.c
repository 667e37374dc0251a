#include "server/parent/watchdog.h"

#include "base/log.h"
#include "server/parent/child.h"
#include "server/parent/child_tell.h"

enum { EVERY = 5, UNANSWERED_MAX = 6 }; /* seconds; questions */

static void
look_at(struct child *c)
{
	if (c->state != CHILD_SERVING || c->chan == NULL)
		return;
	if (c->unanswered < UNANSWERED_MAX) {
		c->unanswered++;
		child_tell_ping(c, 0);
		return;
	}
	log_line(LOG_FAULT, "ev=stuck role=%s index=%u pid=%ld seconds=%u",
	    child_name(c), c->index, (long)c->pid, c->unanswered * EVERY);
	child_kill(c);
}

/* Time that we did not run ourselves is not counted: it is questions that
 * count, and one is put at a time. */
static void
on_time(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		look_at(c);
}

void
watchdog_start(struct parent *p)
{
	ev_timer_init(&p->watchdog, on_time, EVERY, EVERY);
	p->watchdog.data = p;
	ev_timer_start(p->loop, &p->watchdog);
}

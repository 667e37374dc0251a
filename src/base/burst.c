#include "base/burst.h"

#include "base/log.h"

static const ev_tstamp EVERY = 10;

static void
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct burst *b = t->data;

	if (b->more != 0)
		log_line(LOG_WARNING, "%s=%u", b->words, b->more);
	else
		ev_timer_stop(loop, t);
	b->more = 0;
}

bool
burst_is_first(struct burst *b, struct ev_loop *loop)
{
	if (ev_is_active(&b->timer)) {
		b->more++;
		return false;
	}
	ev_timer_init(&b->timer, on_timer, EVERY, EVERY);
	b->timer.data = b;
	ev_timer_start(loop, &b->timer);
	return true;
}

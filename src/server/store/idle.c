#include "server/store/idle.h"

/* If the parent has gone, nobody needs to know. */
static void
on_idle(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct store *st = w->data;

	ipc_begin(st->role.parent, IPC_IDLE);
	(void)!ipc_end(st->role.parent);
}

void
idle_init(struct store *st)
{
	double after = st->conf.idle_end_ms / 1000.;

	ev_timer_init(&st->idle, on_idle, after, after);
	st->idle.data = st;
}

void
idle_begin(struct store *st)
{
	if (st->stopping)
		ev_break(st->loop, EVBREAK_ALL);
	else if (st->conf.idle_end_ms != 0)
		ev_timer_again(st->loop, &st->idle);
}

void
idle_end(struct store *st)
{
	ev_timer_stop(st->loop, &st->idle);
}

#include "server/parent/tallies.h"

#include "base/clock.h"

static const double MINUTE = 60;

static void
on_minute(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct parent *p = t->data;

	p->tally.before[0] = p->tally.before[1];
	p->tally.at[0] = p->tally.at[1];
	tally_read(&p->tally.before[1], p->tally.all, p->tally.pages);
	p->tally.at[1] = clock_ms();
}

enum err
tallies_open(struct parent *p, struct errbuf *eb)
{
	const struct conf *c = p->conf;
	enum err e;

	p->tally.pages = TALLY_WORKERS + c->worker.role.n + c->store.role.n +
			 c->uid_stores_max;
	if ((e = tally_create(p->tally.pages, p->tally.fd, eb)) != E_OK ||
	    (e = tally_map_all(
		 &p->tally.all, p->tally.fd[0], p->tally.pages, eb)) != E_OK)
		return e;
	tally_use(p->tally.fd[0], TALLY_PARENT);
	p->tally.at[0] = p->tally.at[1] = clock_ms();
	ev_timer_init(&p->tally.minute, on_minute, MINUTE, MINUTE);
	p->tally.minute.data = p;
	ev_timer_start(p->loop, &p->tally.minute);
	return E_OK;
}

/* TALLY_PARENT: it has none. */
static unsigned
page_of(const struct child *c)
{
	switch (c->role) {
	case ROLE_AUTH: return TALLY_AUTH;
	case ROLE_WORKER: return TALLY_WORKERS + c->index;
	case ROLE_STORE:
		return TALLY_WORKERS + c->parent->conf->worker.role.n +
		       c->index;
	default: return TALLY_PARENT;
	}
}

void
tallies_fit(const struct child *c, struct role_tally *t)
{
	t->fd = c->parent->tally.fd[0];
	t->page = (uint16_t)page_of(c);
}

void
tallies_started(const struct child *c)
{
	tally_started(c->role);
}

void
tallies_ended(const struct child *c, bool died)
{
	tally_ended(c->role, died);
	if (page_of(c) != TALLY_PARENT)
		tally_settle(c->parent->tally.all, page_of(c));
}

void
tallies_read(const struct parent *p, struct tally_page *now,
    struct tally_page *before, uint32_t *seconds_r)
{
	tally_read(now, p->tally.all, p->tally.pages);
	*before = p->tally.before[0];
	*seconds_r = (uint32_t)((clock_ms() - p->tally.at[0]) / 1000);
}

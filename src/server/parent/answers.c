#include "server/parent/answers.h"

#include <stdio.h>

static void
on_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;

	ev_timer_stop(loop, w);
	p->answers.done(p);
}

uint32_t
answers_begin(struct parent *p, double seconds, void (*done)(struct parent *p))
{
	struct answers *a = &p->answers;

	ev_timer_stop(p->loop, &a->over);
	if (++a->number == 0)
		a->number++;
	a->refusal[0] = '\0';
	a->done = done;
	ev_timer_init(&a->over, on_over, seconds, 0.);
	a->over.data = p;
	ev_timer_start(p->loop, &a->over);
	return a->number;
}

void
answers_expect(struct child *c)
{
	c->asked = c->parent->answers.number;
}

void
answers_forget(struct parent *p)
{
	ev_timer_stop(p->loop, &p->answers.over);
	p->answers.number++;
}

const struct child *
answers_missing(const struct parent *p)
{
	const struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->asked == p->answers.number && c->asked != 0)
			return c;
	return NULL;
}

void
answers_look(struct parent *p)
{
	if (ev_is_active(&p->answers.over) && answers_missing(p) == NULL)
		ev_feed_event(p->loop, &p->answers.over, EV_TIMER);
}

void
answers_came(struct child *c, uint32_t number, const char *why)
{
	struct answers *a = &c->parent->answers;

	if (c->asked != number || number != a->number)
		return;
	c->asked = 0;
	if (why != NULL && a->refusal[0] == '\0')
		snprintf(a->refusal, sizeof(a->refusal), "%s.%u: %s",
		    child_name(c), c->index, why);
	answers_look(c->parent);
}

void
answers_gone(struct child *c)
{
	c->asked = 0;
	answers_look(c->parent);
}

#include "server/parent/cut.h"

#include <stdlib.h>

#include "base/log.h"
#include "server/parent/child_tell.h"

enum { PAUSE = 1 }; /* seconds */

/* The two are named by their pids: one that is started anew gets its channels
 * then. */
struct cut {
	LIST_ENTRY(cut) link;
	struct parent *parent;
	pid_t a, b;
	ev_timer over;
};

static struct cut *
find(const struct child *a, const struct child *b)
{
	struct cut *cut;

	LIST_FOREACH (cut, &a->parent->cuts, link)
		if ((cut->a == a->pid && cut->b == b->pid) ||
		    (cut->a == b->pid && cut->b == a->pid))
			return cut;
	return NULL;
}

bool
cut_between(const struct child *a, const struct child *b)
{
	return find(a, b) != NULL;
}

/* NULL: it has ended, or is about to. */
static struct child *
still_there(const struct parent *p, pid_t pid)
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->pid == pid && c->state != CHILD_DOWN)
			return c->chan != NULL && !c->leaving ? c : NULL;
	return NULL;
}

static void
on_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct cut *cut = w->data;
	struct child *a = still_there(cut->parent, cut->a);
	struct child *b = still_there(cut->parent, cut->b);
	struct errbuf eb;

	LIST_REMOVE(cut, link);
	free(cut);
	if (a != NULL && b != NULL && child_connect(a, b, &eb) != E_OK)
		log_line(LOG_FAULT,
		    "ev=unconnected role=%s index=%u to=%s.%u error=\"%s\"",
		    child_name(a), a->index, child_name(b), b->index, eb.text);
}

void
cut_begin(struct child *a, struct child *b)
{
	struct parent *p = a->parent;
	struct cut *cut;

	if (find(a, b) != NULL)
		return;
	log_line(LOG_FAULT, "ev=misbehaved role=%s index=%u by=%s.%u",
	    child_name(b), b->index, child_name(a), a->index);
	if ((cut = calloc(1, sizeof(*cut))) == NULL) {
		log_line(LOG_FAULT, "ev=unconnected error=\"out of memory\"");
		return;
	}
	cut->parent = p;
	cut->a = a->pid;
	cut->b = b->pid;
	ev_timer_init(&cut->over, on_over, PAUSE, 0.);
	cut->over.data = cut;
	ev_timer_start(p->loop, &cut->over);
	LIST_INSERT_HEAD(&p->cuts, cut, link);
}

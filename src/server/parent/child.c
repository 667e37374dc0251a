#include "server/parent/child.h"

#include <signal.h>
#include <stdlib.h>

#include "server/conf/role_table.h"

struct child *
child_new(struct parent *p, enum ipc_role role, uint16_t index)
{
	struct child *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->parent = p;
	c->role = role;
	c->index = index;
	c->owner.uid = role_conf(p->conf, role)->uid;
	c->owner.gid = role_conf(p->conf, role)->gid;
	c->next.uid = AUTH_NO_UID;
	TAILQ_INSERT_TAIL(&p->children, c, link);
	return c;
}

struct child *
child_find(struct parent *p, enum ipc_role role, uint16_t index)
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == role && c->index == index && !c->replaced)
			return c;
	return NULL;
}

void
child_remove(struct child *c)
{
	ev_timer_stop(c->parent->loop, &c->again);
	TAILQ_REMOVE(&c->parent->children, c, link);
	free(c);
}

void
child_kill(struct child *c)
{
	if (c->state != CHILD_DOWN)
		kill(c->pid, SIGKILL);
}

bool
role_accepts(enum ipc_role role)
{
	return role == ROLE_WORKER || role == ROLE_SASL || role == ROLE_METRICS;
}

bool
child_is_needed(const struct child *c)
{
	return c->role != ROLE_METRICS;
}

const char *
child_name(const struct child *c)
{
	return role_table[c->role].name;
}

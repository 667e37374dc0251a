#include "server/parent/uid_store.h"

#include "base/clock.h"
#include "server/parent/child_start.h"
#include "server/parent/child_tell.h"
#include "server/parent/cut.h"
#include "server/parent/roots.h"

enum {
	FINISH_MS = 3600 * 1000,
	IDLE_APART_MS = 1000, /* so often auth hears of one store, at most */
};

/* NULL: auth may have such a store.  It says what the users file says, but it
 * may have been broken into.  Root's only if mail_user is root, which needs
 * --root-mail. */
static const char *
refusal(const struct parent *p, struct owner owner)
{
	const struct auth_conf *a = &p->conf->auth;

	if (owner.uid != a->mail_uid &&
	    (owner.uid < a->first_uid || owner.uid > a->last_uid))
		return "not within first_uid and last_uid";
	if (owner.gid == 0 && a->mail_gid != 0)
		return "its group is root's";
	if (roots_conf(p, owner.root) == NULL)
		return "there is no such mail root";
	if (p->env.uid != 0 &&
	    (owner.uid != p->env.uid || owner.gid != p->env.gid))
		return "maloted was not started as root";
	return NULL;
}

/* The store that serves the owner, and how many such there are. */
static struct child *
find(struct parent *p, struct owner owner, unsigned *n_r)
{
	struct child *c, *found = NULL;

	*n_r = 0;
	TAILQ_FOREACH (c, &p->children, link) {
		if (!c->of_uid)
			continue;
		++*n_r;
		if (owner_same(c->owner, owner) && !c->leaving &&
		    c->chan != NULL)
			found = c;
	}
	return found;
}

/* In turn, so that the number of a store that has gone is not used again
 * before everybody has noticed. */
static uint16_t
free_index(struct parent *p)
{
	uint16_t first = p->conf->store.role.n, i;

	do {
		i = (uint16_t)(first + p->next_uid_store);
		p->next_uid_store = (uint16_t)((p->next_uid_store + 1) %
					       p->conf->uid_stores_max);
	} while (child_find(p, ROLE_STORE, i) != NULL);
	return i;
}

void
uid_store_wanted(struct child *auth, struct owner owner)
{
	struct parent *p = auth->parent;
	const char *why = refusal(p, owner);
	struct child *c;
	struct errbuf eb;
	unsigned n;

	if (why != NULL) {
		child_tell_no_store(auth, owner, why);
		return;
	}
	if ((c = find(p, owner, &n)) != NULL) {
		/* Auth knows sooner than we that it has died, or asks while
		 * it is being started: a new channel serves both. */
		if (!cut_between(auth, c) &&
		    child_connect(auth, c, &eb) != E_OK)
			child_tell_no_store(auth, owner, eb.text);
		return;
	}
	if (n >= p->conf->uid_stores_max) {
		child_tell_full(auth, owner);
		return;
	}
	if ((c = child_new(p, ROLE_STORE, free_index(p))) == NULL) {
		child_tell_no_store(auth, owner, "out of memory");
		return;
	}
	c->of_uid = true;
	c->owner = owner;
	if (child_start(c, &eb) != E_OK) {
		child_remove(c);
		child_tell_no_store(auth, owner, eb.text);
	}
}

/* Auth gives it up first, so that no sign-in is lost on the way to it. */
void
uid_store_idle(struct child *c)
{
	struct child *auth = child_find(c->parent, ROLE_AUTH, 0);

	if (auth == NULL || auth->chan == NULL || c->leaving ||
	    clock_ms() - c->idle_told < IDLE_APART_MS)
		return; /* it will say so again */
	c->idle_told = clock_ms();
	child_tell_idle(auth, c);
}

void
uid_store_given_up(struct parent *p, uint16_t index)
{
	struct child *c = child_find(p, ROLE_STORE, index);

	if (c != NULL && c->of_uid && !c->leaving)
		child_stop(c, FINISH_MS);
}

void
uid_store_replace(struct child *auth, uint16_t index, struct owner owner)
{
	struct child *c = child_find(auth->parent, ROLE_STORE, index);
	const char *why = refusal(auth->parent, owner);

	if (why != NULL) {
		child_tell_no_store(auth, owner, why);
	} else if (c != NULL && c->of_uid && !c->leaving) {
		c->next = owner;
		child_stop(c, FINISH_MS);
	} else {
		uid_store_wanted(auth, owner);
	}
}

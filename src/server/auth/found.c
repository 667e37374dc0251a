#include "server/auth/found.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/auth/databases.h"
#include "server/auth/refuse.h"
#include "server/auth/served.h"

/* What a database has said is good for so long: it may be asked twice for one
 * sign-in, of which all but an exchange take less. */
enum { FRESH_MS = 5000 };

static void
on_found(struct lookup *l)
{
	struct signin *s = l->owner;

	if (l->failed) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "database");
		return;
	}
	served_follow(s->auth); /* what its row says may be new */
	s->when_found(s);
}

static bool
is_fresh(const struct lookup *l, const char *name)
{
	return l->auth != NULL && !l->failed && strcmp(l->name, name) == 0 &&
	       l->generation == l->auth->userfile.generation &&
	       clock_ms() - l->began < FRESH_MS;
}

static void
look_up(struct signin *s, struct lookup **l, const char *name,
    void (*then)(struct signin *s))
{
	if (!databases_any(s->auth)) {
		then(s);
		return;
	}
	if (*l == NULL && (*l = calloc(1, sizeof(**l))) == NULL) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	s->state = LOOKING;
	s->when_found = then;
	(*l)->owner = s;
	(*l)->done = on_found;
	if (is_fresh(*l, name))
		then(s);
	else
		databases_find(s->auth, *l, name);
}

void
signin_look_up(struct signin *s, void (*then)(struct signin *s))
{
	look_up(s, &s->found, s->user, then);
}

void
signin_look_up_target(struct signin *s, void (*then)(struct signin *s))
{
	look_up(s, &s->found_target, s->target, then);
}

void
signin_look_up_rest(struct signin *s, void (*then)(struct signin *s))
{
	s->when_found = then;
	s->state = CHECKING; /* it is about to fail: see turn.c */
	if (s->found != NULL)
		databases_rest(s->found);
	else
		then(s);
}

static const struct user *
user_of(const struct signin *s, const struct lookup *l, const char *name)
{
	return l != NULL ? lookup_user(l)
			 : users_find(s->auth->userfile.users, name);
}

const struct user *
signin_user(const struct signin *s)
{
	return user_of(s, s->found, s->user);
}

const struct user *
signin_target(const struct signin *s)
{
	return user_of(s, s->found_target, s->target);
}

const char *
signin_database(const struct signin *s)
{
	return s->found != NULL ? lookup_database(s->found) : NULL;
}

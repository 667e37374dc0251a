#include "server/auth/found.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/auth/databases.h"
#include "server/auth/recent.h"
#include "server/auth/refuse.h"
#include "server/auth/served.h"
#include "server/auth/turn.h"

/* What a database has said is good for so long: it may be asked twice for one
 * sign-in, of which all but an exchange take less. */
enum { FRESH_MS = 5000 };

static void
refuse(struct signin *s, const struct lookup *l)
{
	if (l->is_crowd)
		signin_refuse_crowded(s, "database");
	else if (l->is_late)
		signin_refuse_late(s, "database");
	else
		signin_refuse(s, SIGN_IN_TEMPORARY, "database");
}

static void
on_found(struct lookup *l)
{
	struct signin *s = l->owner;

	if (l->failed) {
		refuse(s, l);
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
	       l->known == l->auth->known_changes &&
	       l->places == l->auth->place_changes &&
	       clock_ms() - (l->began + l->took) < FRESH_MS;
}

/* Is it what was typed, and not one of our own making or for our own keeping?  An
 * app password is of no use to anybody else. */
static bool
is_to_be_verified(const struct signin *s)
{
	const struct app_table *apps = s->auth->userfile.apps;

	if (!databases_any_verifies(s->auth) || s->password == NULL ||
	    s->exchange != NULL)
		return false;
	return apps == NULL || s->target[0] != '\0' ||
	       app_table_find(apps, s->user,
		   (struct slice){ s->password, strlen(s->password) }) == NULL;
}

static struct proof
proof_of(const struct signin *s)
{
	return (struct proof){
		.password = s->password,
		.peer = s->peer,
		.whose = {
			.origin = s->suspect.address,
			.user = s->suspect.user,
			.known = recent_has(
			    s->auth->recent, s->who, clock_ms()),
		},
	};
}

/* proof: NULL: nothing is verified. */
static void
look_up(struct signin *s, struct lookup **l, const char *name,
    const struct proof *proof, void (*then)(struct signin *s))
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
	if (is_fresh(*l, name)) {
		then(s);
		return;
	}
	if (proof != NULL)
		turn_goes_on(s);
	databases_find(s->auth, *l, name, proof);
}

void
signin_look_up(struct signin *s, void (*then)(struct signin *s))
{
	struct proof proof;
	bool is_proof = is_to_be_verified(s);

	if (is_proof)
		proof = proof_of(s);
	look_up(s, &s->found, s->user, is_proof ? &proof : NULL, then);
}

void
signin_look_up_target(struct signin *s, void (*then)(struct signin *s))
{
	look_up(s, &s->found_target, s->target, NULL, then);
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

bool
signin_is_right(const struct signin *s)
{
	return s->found != NULL && s->found->is_right;
}

bool
signin_is_refused(const struct signin *s)
{
	const struct lookup *l = s->found;
	const struct user *u = signin_user(s);

	return l != NULL && l->was_told && !l->is_right &&
	       (u == NULL || u->is_verified_there);
}

bool
signin_is_outdated(const struct signin *s)
{
	const struct lookup *l =
	    s->target[0] != '\0' ? s->found_target : s->found;

	return l != NULL && l->places != s->auth->place_changes;
}

const char *
signin_database(const struct signin *s)
{
	return s->found != NULL ? lookup_database(s->found) : NULL;
}

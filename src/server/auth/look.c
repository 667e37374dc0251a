#include "server/auth/look.h"

#include <string.h>

#include "base/clock.h"
#include "server/auth/found.h"
#include "server/auth/penalty.h"
#include "server/auth/place.h"
#include "server/auth/recent.h"
#include "server/auth/refuse.h"
#include "server/auth/served.h"
#include "server/auth/turn.h"

static void
deny(struct signin *s)
{
	signin_deny(s, s->why);
}

static void
on_checked(struct userfile_wait *w, enum err e)
{
	struct signin *s = (void *)((char *)w - offsetof(struct signin, wait));

	if (e != E_OK)
		signin_refuse(s, SIGN_IN_TEMPORARY, "users-check");
	else if (s->auth->userfile.users == NULL)
		signin_refuse(s, SIGN_IN_TEMPORARY, "no-users-file");
	else if (s->generation != s->auth->userfile.generation)
		signin_look_up(s, s->decide);
	else
		signin_look_up_rest(s, deny);
}

void
signin_check_users(struct signin *s)
{
	s->state = CHECKING;
	s->checked = true;
	s->wait.done = on_checked;
	userfile_check(&s->auth->userfile, &s->wait);
}

static void
look(struct signin *s)
{
	bool is_stale = userfile_is_stale(&s->auth->userfile);

	s->then = look;         /* if it loses its turn */
	served_follow(s->auth); /* that may have read them */
	if (is_stale)
		signin_check_users(s);
	else
		signin_look_up(s, s->decide);
}

void
signin_look_again(struct signin *s)
{
	s->generation = 0;
	look(s);
}

void
signin_look(struct signin *s)
{
	turn_await(s, look);
}

void
signin_deny_unseen(struct signin *s, const char *why)
{
	s->why = why;
	turn_await(s, deny);
}

static void
note_name(struct signin *s)
{
	struct auth *a = s->auth;

	s->suspect = penalty_suspect(a->penalty, s->peer, s->user);
	s->who = recent_who(a->recent, s->suspect.address, s->user);
}

static void
note_typed(struct signin *s, struct slice typed)
{
	size_t n = typed.n < NAME_MAX_OCTETS ? typed.n : NAME_MAX_OCTETS;

	memcpy(s->name, typed.p, n);
	s->name[n] = '\0';
}

static bool
take_user(struct signin *s, struct slice name)
{
	enum err e = name_normalize(&s->auth->rule, name, s->user, NULL);

	if (e == E_OK) {
		note_name(s);
		return true;
	}
	s->user[0] = '\0';
	if (e == E_FORMAT)
		signin_deny_unseen(s, "bad-name");
	else
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	return false;
}

bool
signin_name(struct signin *s, struct slice name)
{
	note_typed(s, name);
	return take_user(s, name);
}

static bool
take_target(struct signin *s, struct slice name)
{
	if (name_normalize(&s->auth->rule, name, s->target, NULL) == E_OK)
		return true;
	s->target[0] = '\0';
	return false;
}

bool
signin_login(struct signin *s, struct slice typed)
{
	char separator = s->auth->conf.master_separator[0];
	const char *at = separator != '\0' && typed.p != NULL
			     ? memrchr(typed.p, separator, typed.n)
			     : NULL;
	struct slice target = typed, master = typed;

	note_typed(s, typed);
	if (at == NULL)
		return take_user(s, typed);
	target.n = (size_t)(at - typed.p);
	master.p = at + 1;
	master.n = typed.n - target.n - 1;
	if (!take_user(s, master))
		return false;
	if (take_target(s, target))
		return true;
	signin_deny_unseen(s, "bad-name");
	return false;
}

bool
signin_act_for(struct signin *s, struct slice authzid)
{
	char name[NAME_MAX_OCTETS + 1];

	/* Some clients say the same twice, "target*master" too. */
	if (authzid.n == 0 || slice_eq(authzid, s->name))
		return true;
	if (name_normalize(&s->auth->rule, authzid, name, NULL) != E_OK)
		return false;
	if (strcmp(name, s->target[0] != '\0' ? s->target : s->user) == 0)
		return true;
	return s->auth->conf.master_separator[0] != '\0' &&
	       s->target[0] == '\0' && take_target(s, authzid);
}

static const char *
why_nobody(const struct users *users, const char *name)
{
	unsigned line;

	return users_refused(users, name, &line) != NULL ? "users-line"
							 : "unknown-user";
}

const struct user *
signin_find(struct signin *s)
{
	const struct userfile *f = &s->auth->userfile;
	const struct user *u = signin_user(s);

	s->generation = f->generation;
	s->why = u != NULL ? "password" : why_nobody(f->users, s->user);
	if (u != NULL && user_is_locked(u)) {
		s->why = "locked";
		u = NULL;
	} else if (u != NULL && !user_is_allowed_from(u, s->peer)) {
		s->why = "allow_nets";
		u = NULL;
	} else if (u != NULL && s->target[0] != '\0' && !u->permits.master) {
		s->why = "not-master";
		u = NULL;
	}
	s->known = u != NULL;
	s->row = u != NULL ? u->row : 0;
	return u;
}

void
signin_hash(struct signin *s)
{
	struct auth *a = s->auth;

	/* Else it could wait for a turn, for ever where others come later. */
	if (s->worker == NULL) {
		signin_finish(s, 0);
		return;
	}
	s->state = HASHING;
	s->then = signin_hash; /* if it loses its turn */
	s->job.whose.origin = s->suspect.address;
	s->job.whose.user = s->suspect.user;
	s->job.whose.known = recent_has(a->recent, s->who, clock_ms());
	turn_goes_on(s);
	if (hashpool_add(a->hashes, &s->job) != E_OK)
		signin_refuse_crowded(s, "hash-queue");
}

/* It is wrong, unless the user has just been added. */
static void
doubt(struct signin *s)
{
	recent_doubt(s->auth->recent, s->who);
	signin_check_users(s);
	turn_failed(s);
}

void
signin_judge(struct signin *s, enum err e)
{
	if (e == E_OK && s->known)
		signin_place(s);
	else if (e == E_NOMEM)
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	else if (!s->checked)
		doubt(s);
	else
		signin_look_up_rest(s, deny);
}

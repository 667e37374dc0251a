#include "server/auth/round.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/auth/databases.h"
#include "server/auth/stores.h"
#include "server/users/account.h"

static const double PAUSE = 0.01;     /* seconds between two maildrops */
static const double PATIENCE = 300.0; /* for one */

/* One maildrop is asked for at a time. */
struct round {
	struct auth *auth;
	size_t at; /* as of users_next() */
	uint32_t days;
	char user[NAME_MAX_OCTETS + 1];
	struct account where;
	struct userfile_wait users;
	struct store_wait store;
	const struct store *asked; /* NULL: none is now */
	ev_timer timer;            /* the pause, or the patience */
};

static void
pause_for(struct round *r, double seconds)
{
	ev_timer_stop(r->auth->loop, &r->timer);
	ev_now_update(r->auth->loop);
	ev_timer_set(&r->timer, seconds, 0.);
	ev_timer_start(r->auth->loop, &r->timer);
}

static void
round_end(struct round *r)
{
	struct auth *a = r->auth;

	ev_timer_stop(a->loop, &r->timer);
	a->round = NULL;
	free(r);
}

static void
ask(struct round *r, struct store *st)
{
	bool sent = store_expire(st, r->user, r->where.mail, r->days) == E_OK;

	r->asked = sent ? st : NULL;
	pause_for(r, sent ? PATIENCE : PAUSE);
}

static void
on_store(struct store_wait *w, struct store *st, const char *why)
{
	struct round *r = (void *)((char *)w - offsetof(struct round, store));

	if (st != NULL)
		ask(r, st);
	else
		pause_for(r, PAUSE); /* it is found the next time */
}

/* The next user whose mail goes after some days.  False: there is none. */
static bool
find_next(struct round *r)
{
	struct auth *a = r->auth;
	const struct user *u;
	struct errbuf eb;
	const char *why;

	retained_follow(a);
	if (a->retained.least_days == RETENTION_NEVER)
		return false;
	/* Who is passed over when the file changes is looked at next time. */
	while ((u = users_next(a->userfile.users, &r->at)) != NULL) {
		if (u->host[0] != '\0' ||
		    account_find(&r->where, &a->conf, u, &why, &eb) != E_OK)
			continue;
		r->days = retained_of(a, u, &r->where);
		if (!retention_is_days(r->days))
			continue;
		memcpy(r->user, u->name, strlen(u->name) + 1);
		return true;
	}
	return false;
}

/* What the users file says now holds. */
static void
on_users(struct userfile_wait *w, enum err e)
{
	struct round *r = (void *)((char *)w - offsetof(struct round, users));
	struct auth *a = r->auth;
	struct store *st;

	if (e != E_OK || a->userfile.users == NULL || !find_next(r)) {
		round_end(r);
		return;
	}
	if ((st = store_of_account(a, &r->where)) != NULL)
		ask(r, st);
	else if (store_is_shared(a, &r->where) ||
		 store_wait(a, &r->store, account_owner(&r->where)) != E_OK)
		pause_for(r, PAUSE);
}

static void
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct round *r = t->data;

	r->asked = NULL;
	userfile_check(&r->auth->userfile, &r->users);
}

/* Only the store that is waited for is heard, and once: what others say, or the
 * same says again, puts off nothing. */
static void
on_expired(struct auth *a, const struct store *st)
{
	struct round *r = a->round;

	if (r == NULL || r->asked != st)
		return;
	r->asked = NULL;
	pause_for(r, PAUSE);
}

void
round_begin(struct auth *a)
{
	struct round *r;

	if (a->round != NULL || !databases_file_is_first(a) ||
	    (r = calloc(1, sizeof(*r))) == NULL)
		return;
	a->round = r;
	a->expired = on_expired;
	r->auth = a;
	r->users.done = on_users;
	r->store.done = on_store;
	ev_timer_init(&r->timer, on_timer, 0., 0.);
	r->timer.data = r;
	userfile_check(&a->userfile, &r->users);
}

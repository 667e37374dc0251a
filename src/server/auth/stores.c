#include "server/auth/stores.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/log.h"
#include "server/auth/auth_worker.h"
#include "server/auth/login_delay.h"
#include "server/users/account.h"

/* Seconds: what was given to a store that long ago is with it, or lost. */
static const ev_tstamp UNDER_WAY = 30;

/* Seconds for which a store that cannot go is not asked again. */
static const ev_tstamp BUSY = 1;

struct store {
	LIST_ENTRY(store) entry;
	struct auth *auth;
	struct ipc_chan *chan;
	uint32_t serial; /* of this life; 0: not attached */
	ev_tstamp given; /* when it was last given a session */
	ev_tstamp busy;  /* when it last said that it cannot go */
	uint16_t index;
	struct owner owner; /* AUTH_NO_UID: one of mail_uid's */
	/* It is asked to go for this user's sake, and given no session until it
	 * has answered. */
	bool retiring;
	struct owner next;
};

static struct store *
store_find(const struct auth *a, uint16_t index)
{
	struct store *st;

	LIST_FOREACH (st, &a->stores, entry)
		if (st->index == index)
			return st;
	return NULL;
}

static void
tell_expired(const struct store *st)
{
	if (st->auth->expired != NULL)
		st->auth->expired(st->auth, st);
}

static void
store_free(struct store *st)
{
	tell_expired(st);
	ipc_close(st->chan);
	LIST_REMOVE(st, entry);
	free(st);
}

/* ---- who waits for one ---- */

void
store_wait_cancel(struct store_wait *w)
{
	struct auth *a = w->auth;

	TAILQ_REMOVE(&a->store_waits, w, entry);
	a->n_store_waits--;
	ev_timer_stop(a->loop, &w->deadline);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct store_wait *w = t->data;

	store_wait_cancel(w);
	w->done(w, NULL, "store-timeout");
}

static struct store_wait *
wait_find(const struct auth *a, struct owner owner)
{
	struct store_wait *w;

	TAILQ_FOREACH (w, &a->store_waits, entry)
		if (owner_same(w->owner, owner))
			return w;
	return NULL;
}

static enum err
want(struct auth *a, struct owner owner)
{
	ipc_begin(a->role.parent, IPC_STORE_WANTED);
	ipc_put_owner(a->role.parent, owner);
	return ipc_end(a->role.parent);
}

/* Is the user's own store asked to go?  Its answer decides. */
static bool
is_retiring(const struct auth *a, struct owner owner)
{
	struct store *st;

	LIST_FOREACH (st, &a->stores, entry)
		if (owner_same(st->owner, owner) && st->retiring)
			return true;
	return false;
}

enum err
store_wait(struct auth *a, struct store_wait *w, struct owner owner)
{
	enum err e;

	if (a->n_store_waits >= STORE_WAITS_MAX)
		return E_FULL;
	if (wait_find(a, owner) == NULL && !is_retiring(a, owner) &&
	    (e = want(a, owner)) != E_OK)
		return e;
	w->auth = a;
	w->owner = owner;
	TAILQ_INSERT_TAIL(&a->store_waits, w, entry);
	a->n_store_waits++;
	ev_now_update(a->loop);
	ev_timer_init(&w->deadline, on_deadline, STORE_WAIT_MS / 1e3, 0);
	w->deadline.data = w;
	ev_timer_start(a->loop, &w->deadline);
	return E_OK;
}

static void
wake(struct auth *a, struct owner owner, struct store *st, const char *why)
{
	struct store_wait *w;

	while ((w = wait_find(a, owner)) != NULL) {
		store_wait_cancel(w);
		w->done(w, st, why);
	}
}

void
store_denied(struct auth *a, struct owner owner)
{
	wake(a, owner, NULL, "no-store");
}

/* Asks the parent once more, if somebody still waits. */
static void
want_again(struct auth *a, struct owner owner)
{
	if (wait_find(a, owner) != NULL && want(a, owner) != E_OK)
		wake(a, owner, NULL, "store-queue");
}

/* ---- making room for another user's ---- */

/* The store of a user's own uid that was given a session longest ago, of those
 * that may be idle.  NULL: there is none. */
static struct store *
longest_idle(const struct auth *a)
{
	struct store *st, *found = NULL;

	LIST_FOREACH (st, &a->stores, entry)
		if (st->owner.uid != AUTH_NO_UID && st->chan != NULL &&
		    !st->retiring && ev_now(a->loop) - st->busy >= BUSY &&
		    (found == NULL || st->given < found->given))
			found = st;
	return found;
}

void
stores_full(struct auth *a, struct owner owner)
{
	struct store *st = longest_idle(a);

	if (wait_find(a, owner) == NULL)
		return;
	if (st == NULL) {
		log_line(LOG_WARNING, "ev=stores-full uid=%u gid=%u", owner.uid,
		    owner.gid);
		wake(a, owner, NULL, "stores-full");
		return;
	}
	st->retiring = true;
	st->next = owner;
	ipc_begin(st->chan, IPC_RETIRE);
	if (ipc_end(st->chan) != E_OK)
		wake(a, owner, NULL, "store-queue");
}

static void
replace(struct store *st)
{
	struct auth *a = st->auth;
	struct owner owner = st->owner;

	ipc_begin(a->role.parent, IPC_REPLACE);
	ipc_put_u16(a->role.parent, st->index);
	ipc_put_owner(a->role.parent, st->next);
	if (ipc_end(a->role.parent) != E_OK)
		wake(a, st->next, NULL, "store-queue");
	store_free(st);
	want_again(a, owner);
}

static enum err
take_retired(void *arg, struct ipc_in *in)
{
	struct store *st = arg;
	bool gone = ipc_get_u8(in) != 0;
	enum err e = ipc_get_end(in);

	if (e != E_OK || !st->retiring)
		return E_FORMAT;
	if (gone) {
		replace(st);
		return E_OK;
	}
	st->retiring = false;
	st->busy = ev_now(st->auth->loop);
	stores_full(st->auth, st->next);
	wake(st->auth, st->owner, st, NULL);
	return E_OK;
}

/* ---- its end ---- */

static void
store_died(struct store *st)
{
	struct auth *a = st->auth;
	struct store was = *st;

	store_free(st);
	if (was.serial != 0)
		auth_workers_store_died(a, was.serial);
	if (was.retiring) { /* it has made room, in its way */
		want_again(a, was.next);
		want_again(a, was.owner);
	}
}

static void
store_gone(void *arg, enum err why)
{
	struct store *st = arg;

	role_link_lost(&st->auth->role, ROLE_STORE, st->index, why);
	store_died(st);
}

static enum err
take_no_worker(void *arg, struct ipc_in *in)
{
	struct store *st = arg;
	struct role_peer worker = { ROLE_WORKER, ipc_get_u16(in), 0 };
	uint64_t sid = ipc_get_u64(in);

	worker.pid = ipc_get_u32(in);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	auth_worker_unplaced(st->auth, &worker, sid, st->serial);
	return E_OK;
}

static enum err
take_expired(void *arg, struct ipc_in *in)
{
	enum err e = ipc_get_end(in);

	if (e == E_OK)
		tell_expired(arg);
	return e;
}

static enum err
take_unopened(void *arg, struct ipc_in *in)
{
	struct store *st = arg;
	struct login_mark counted = ipc_get_login_mark(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	login_delay_take_back(st->auth->delays, counted);
	return E_OK;
}

static const struct ipc_rule store_rule[] = {
	{ IPC_EXPIRED, 1, 0, 0, take_expired },
	{ IPC_NO_WORKER, 1, 0, 14, take_no_worker },
	{ IPC_UNOPENED, 1, 0, 16, take_unopened },
	{ IPC_RETIRED, 1, 0, 1, take_retired },
};

static const struct ipc_rules store_rules = { store_rule,
	sizeof(store_rule) / sizeof(store_rule[0]), store_gone };

/* ---- what the parent says ---- */

static struct store *
store_new(struct auth *a, uint16_t index, struct owner owner)
{
	struct store *st = store_find(a, index);

	if (st != NULL)
		store_died(st);
	if ((st = calloc(1, sizeof(*st))) == NULL)
		return NULL;
	st->auth = a;
	st->index = index;
	st->owner = owner;
	LIST_INSERT_HEAD(&a->stores, st, entry);
	return st;
}

enum err
store_named(struct auth *a, uint16_t index, struct owner owner)
{
	if (index >= a->conf.n_stores && store_new(a, index, owner) == NULL)
		wake(a, owner, NULL, "memory");
	return E_OK;
}

enum err
store_attach(struct auth *a, uint16_t index, int fd)
{
	static const struct owner nobody = { AUTH_NO_UID, AUTH_NO_UID, 0 };
	struct store *st = index < a->conf.n_stores
			       ? store_new(a, index, nobody)
			       : store_find(a, index);

	if (st == NULL || st->chan != NULL) {
		close(fd);
		return index < a->conf.n_stores ? E_OK : E_FORMAT;
	}
	st->chan = ipc_open(a->loop, fd, &store_rules, st, false);
	if (st->chan == NULL)
		return E_OK;
	st->serial = ++a->store_serial;
	if (st->owner.uid != AUTH_NO_UID)
		wake(a, st->owner, st, NULL);
	return E_OK;
}

enum err
store_idle(struct auth *a, uint16_t index)
{
	struct store *st = store_find(a, index);

	if (index < a->conf.n_stores)
		return E_FORMAT;
	/* Not now: it will say so again. */
	if (st == NULL ? a->n_store_waits != 0
		       : st->chan == NULL || st->retiring ||
			     ev_now(a->loop) - st->given < UNDER_WAY)
		return E_OK;
	if (st != NULL)
		store_free(st);
	ipc_begin(a->role.parent, IPC_IDLE);
	ipc_put_u16(a->role.parent, index);
	return ipc_end(a->role.parent);
}

/* ---- which one ---- */

struct store *
store_of_path(const struct auth *a, const char *path)
{
	struct store *st;

	if (a->conf.n_stores == 0)
		return NULL;
	st = store_find(
	    a, (uint16_t)(XXH3_64bits(path, strlen(path)) % a->conf.n_stores));
	return st != NULL && st->chan != NULL ? st : NULL;
}

struct store *
store_of_owner(const struct auth *a, struct owner owner)
{
	struct store *st;

	LIST_FOREACH (st, &a->stores, entry)
		if (owner_same(st->owner, owner) && st->chan != NULL &&
		    !st->retiring)
			return st;
	return NULL;
}

bool
store_is_shared(const struct auth *a, const struct account *at)
{
	return at->uid == a->conf.mail_uid && at->root == MAIL_ROOT_OF_POOL;
}

struct store *
store_of_account(const struct auth *a, const struct account *at)
{
	return store_is_shared(a, at) ? store_of_path(a, at->mail)
				      : store_of_owner(a, account_owner(at));
}

uint16_t
store_index(const struct store *st)
{
	return st->index;
}

enum err
store_expire(
    struct store *st, const char *user, const char *mail, uint32_t days)
{
	ipc_begin(st->chan, IPC_EXPIRE);
	ipc_put_str(st->chan, user);
	ipc_put_str(st->chan, mail);
	ipc_put_u32(st->chan, days);
	st->given = ev_now(st->auth->loop);
	return ipc_end(st->chan);
}

enum err
store_open(struct store *st, const struct store_opening *o, uint32_t *serial_r)
{
	ipc_begin(st->chan, IPC_OPEN);
	ipc_put_u16(st->chan, o->worker->index);
	ipc_put_u64(st->chan, o->sid);
	ipc_put_u64(st->chan, auth_worker_token(o->worker, o->sid));
	ipc_put_str(st->chan, o->user);
	ipc_put_str(st->chan, o->mail);
	ipc_put_str(st->chan, o->peer);
	ipc_put_u8(st->chan, o->bits);
	ipc_put_u32(st->chan, o->retention);
	ipc_put_u32(st->chan, o->login_delay);
	ipc_put_login_mark(st->chan, o->counted);
	ipc_put_u32(st->chan, o->worker->pid);
	*serial_r = st->serial;
	st->given = ev_now(st->auth->loop);
	return ipc_end(st->chan);
}

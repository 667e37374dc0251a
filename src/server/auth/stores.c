#include "server/auth/stores.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "server/auth/auth_worker.h"

/* Seconds: what was given to a store that long ago is with it, or lost. */
static const ev_tstamp UNDER_WAY = 30;

struct store {
	LIST_ENTRY(store) entry;
	struct auth *auth;
	struct ipc_chan *chan;
	uint32_t uid;    /* AUTH_NO_UID: one of mail_uid's */
	uint32_t serial; /* of this life; 0: not attached */
	ev_tstamp given; /* when it was last given a session */
	uint16_t index;
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
store_free(struct store *st)
{
	ipc_close(st->chan);
	LIST_REMOVE(st, entry);
	free(st);
}

static void
store_died(struct store *st)
{
	struct auth *a = st->auth;
	uint32_t serial = st->serial;

	store_free(st);
	if (serial != 0)
		auth_workers_store_died(a, serial);
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
	uint16_t worker = ipc_get_u16(in);
	uint64_t sid = ipc_get_u64(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	auth_worker_unplaced(st->auth, worker, sid, st->serial);
	return E_OK;
}

static const struct ipc_rule store_rule[] = {
	{ IPC_NO_WORKER, 1, 0, 10, take_no_worker },
};

static const struct ipc_rules store_rules = { store_rule, 1, store_gone };

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
wait_find(const struct auth *a, uint32_t uid)
{
	struct store_wait *w;

	TAILQ_FOREACH (w, &a->store_waits, entry)
		if (w->uid == uid)
			return w;
	return NULL;
}

enum err
store_wait(struct auth *a, struct store_wait *w, uint32_t uid, uint32_t gid)
{
	enum err e;

	if (a->n_store_waits >= STORE_WAITS_MAX)
		return E_FULL;
	if (wait_find(a, uid) == NULL) {
		ipc_begin(a->role.parent, IPC_STORE_WANTED);
		ipc_put_u32(a->role.parent, uid);
		ipc_put_u32(a->role.parent, gid);
		if ((e = ipc_end(a->role.parent)) != E_OK)
			return e;
	}
	w->auth = a;
	w->uid = uid;
	TAILQ_INSERT_TAIL(&a->store_waits, w, entry);
	a->n_store_waits++;
	ev_now_update(a->loop);
	ev_timer_init(&w->deadline, on_deadline, STORE_WAIT_MS / 1e3, 0);
	w->deadline.data = w;
	ev_timer_start(a->loop, &w->deadline);
	return E_OK;
}

static void
wake(struct auth *a, uint32_t uid, struct store *st, const char *why)
{
	struct store_wait *w;

	while ((w = wait_find(a, uid)) != NULL) {
		store_wait_cancel(w);
		w->done(w, st, why);
	}
}

void
store_denied(struct auth *a, uint32_t uid)
{
	wake(a, uid, NULL, "no-store");
}

/* ---- what the parent says ---- */

static struct store *
store_new(struct auth *a, uint16_t index, uint32_t uid)
{
	struct store *st = store_find(a, index);

	if (st != NULL)
		store_died(st);
	if ((st = calloc(1, sizeof(*st))) == NULL)
		return NULL;
	st->auth = a;
	st->index = index;
	st->uid = uid;
	LIST_INSERT_HEAD(&a->stores, st, entry);
	return st;
}

enum err
store_named(struct auth *a, uint16_t index, uint32_t uid)
{
	if (index >= a->conf.n_stores && store_new(a, index, uid) == NULL)
		wake(a, uid, NULL, "memory");
	return E_OK;
}

enum err
store_attach(struct auth *a, uint16_t index, int fd)
{
	struct store *st = index < a->conf.n_stores
			       ? store_new(a, index, AUTH_NO_UID)
			       : store_find(a, index);

	if (st == NULL || st->chan != NULL) {
		close(fd);
		return index < a->conf.n_stores ? E_OK : E_FORMAT;
	}
	st->chan = ipc_open(a->loop, fd, &store_rules, st, false);
	if (st->chan == NULL)
		return E_OK;
	st->serial = ++a->store_serial;
	if (st->uid != AUTH_NO_UID)
		wake(a, st->uid, st, NULL);
	return E_OK;
}

enum err
store_idle(struct auth *a, uint16_t index)
{
	struct store *st = store_find(a, index);

	if (index < a->conf.n_stores)
		return E_FORMAT;
	/* Not now: it will say so again. */
	if (st == NULL
		? a->n_store_waits != 0
		: st->chan == NULL || ev_now(a->loop) - st->given < UNDER_WAY)
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
store_of_uid(const struct auth *a, uint32_t uid)
{
	struct store *st;

	LIST_FOREACH (st, &a->stores, entry)
		if (st->uid == uid && st->chan != NULL)
			return st;
	return NULL;
}

enum err
store_open(struct store *st, uint16_t worker, uint64_t sid, const char *user,
    const char *mail, const char *peer, uint32_t *serial_r)
{
	ipc_begin(st->chan, IPC_OPEN);
	ipc_put_u16(st->chan, worker);
	ipc_put_u64(st->chan, sid);
	ipc_put_u64(st->chan, auth_worker_token(st->auth, worker, sid));
	ipc_put_str(st->chan, user);
	ipc_put_str(st->chan, mail);
	ipc_put_str(st->chan, peer);
	*serial_r = st->serial;
	st->given = ev_now(st->auth->loop);
	return ipc_end(st->chan);
}

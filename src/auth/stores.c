#include "auth/stores.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "auth/signin.h"
#include "base/log.h"

struct store {
	LIST_ENTRY(store) entry;
	struct auth *auth;
	struct ipc_chan *chan;
	uint32_t uid;    /* AUTH_NO_UID: one of mail_uid's */
	uint32_t serial; /* of this life; 0: not attached */
	uint16_t index;
};

static struct store *
find(const struct auth *a, uint16_t index)
{
	struct store *st;

	LIST_FOREACH (st, &a->stores, entry)
		if (st->index == index)
			return st;
	return NULL;
}

static void
store_died(struct store *st)
{
	struct auth *a = st->auth;
	uint32_t serial = st->serial;

	ipc_close(st->chan);
	LIST_REMOVE(st, entry);
	free(st);
	if (serial != 0)
		clients_store_died(a, serial);
}

static void
store_gone(void *arg, enum err why)
{
	struct store *st = arg;

	auth_link_lost(st->auth, ROLE_STORE, st->index, why);
	store_died(st);
}

/* A store has nothing to say to us. */
static const struct ipc_rules store_rules = { NULL, 0, store_gone };

static struct store *
store_new(struct auth *a, uint16_t index, uint32_t uid)
{
	struct store *st = find(a, index);

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
		signins_placed(a, uid, NULL);
	return E_OK;
}

enum err
store_attach(struct auth *a, uint16_t index, int fd)
{
	struct store *st = index < a->conf.n_stores
			       ? store_new(a, index, AUTH_NO_UID)
			       : find(a, index);

	if (st == NULL || st->chan != NULL) {
		close(fd);
		return index < a->conf.n_stores ? E_OK : E_FORMAT;
	}
	st->chan = ipc_open(a->loop, fd, &store_rules, st, false);
	if (st->chan == NULL)
		return E_OK;
	st->serial = ++a->store_serial;
	if (st->uid != AUTH_NO_UID)
		signins_placed(a, st->uid, st);
	return E_OK;
}

struct store *
store_of_path(const struct auth *a, const char *path)
{
	struct store *st;

	if (a->conf.n_stores == 0)
		return NULL;
	st = find(
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

bool
store_is_alive(const struct auth *a, uint32_t serial)
{
	struct store *st;

	LIST_FOREACH (st, &a->stores, entry)
		if (st->serial == serial)
			return true;
	return false;
}

void
stores_drain(struct auth *a)
{
	struct store *st, *next;

	for (st = LIST_FIRST(&a->stores); st != NULL; st = next) {
		next = LIST_NEXT(st, entry);
		if (st->chan != NULL)
			ipc_drain(st->chan);
	}
}

enum err
store_want(struct auth *a, uint32_t uid, uint32_t gid)
{
	ipc_begin(a->ctl, IPC_STORE_WANTED);
	ipc_put_u32(a->ctl, uid);
	ipc_put_u32(a->ctl, gid);
	return ipc_end(a->ctl);
}

enum err
store_open(struct store *st, uint16_t client, uint64_t sid, const char *user,
    const char *mail, const char *peer, uint32_t *serial_r)
{
	ipc_begin(st->chan, IPC_OPEN);
	ipc_put_u16(st->chan, client);
	ipc_put_u64(st->chan, sid);
	ipc_put_str(st->chan, user);
	ipc_put_str(st->chan, mail);
	ipc_put_str(st->chan, peer);
	*serial_r = st->serial;
	return ipc_end(st->chan);
}

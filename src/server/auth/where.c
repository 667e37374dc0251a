#include "server/auth/where.h"

#include <stdlib.h>

#include "base/log.h"
#include "server/auth/databases.h"
#include "server/auth/stores.h"
#include "server/ipc/control.h"
#include "server/users/account.h"

struct where {
	struct auth *auth;
	uint64_t token;
	char user[NAME_MAX_OCTETS + 1];
	struct account at;
	struct userfile_wait users;
	struct lookup found;
	struct store_wait store;
};

static void
answer(const struct auth *a, uint64_t token, enum control_outcome outcome,
    uint16_t store, const char *words)
{
	enum err e;

	ipc_begin(a->role.parent, IPC_WHERE_IS);
	ipc_put_u64(a->role.parent, token);
	ipc_put_u8(a->role.parent, (uint8_t)outcome);
	ipc_put_u16(a->role.parent, store);
	ipc_put_str(a->role.parent, words);
	if ((e = ipc_end(a->role.parent)) != E_OK)
		log_line(LOG_FAULT, "ev=where error=\"%s\"", err_str(e));
}

static void
fail(struct where *w, enum control_outcome outcome, const char *words)
{
	answer(w->auth, w->token, outcome, 0, words);
	lookup_clear(&w->found);
	free(w);
}

static void
found(struct where *w, const struct store *st)
{
	answer(w->auth, w->token, CONTROL_GOOD, store_index(st), w->at.mail);
	lookup_clear(&w->found);
	free(w);
}

static void
on_store(struct store_wait *wait, struct store *st, const char *why)
{
	struct where *w =
	    (void *)((char *)wait - offsetof(struct where, store));

	if (st != NULL)
		found(w, st);
	else
		fail(w, CONTROL_LATER, "the store of this user cannot be had");
}

static void
on_found(struct lookup *l)
{
	struct where *w = (void *)((char *)l - offsetof(struct where, found));
	struct auth *a = w->auth;
	const struct user *u = lookup_user(l);
	const struct store *st;
	struct errbuf eb;
	const char *why;

	if (l->failed)
		fail(w, CONTROL_LATER, l->why);
	else if (u == NULL)
		fail(w, userfile_no_user(&a->userfile, w->user, &eb), eb.text);
	else if (u->host[0] != '\0')
		fail(w, CONTROL_CANNOT,
		    "this line reads the mail of a whole host: ask for its "
		    "users");
	else if (account_find(&w->at, &a->conf, u, &why, &eb) != E_OK)
		fail(w, CONTROL_CANNOT, eb.text);
	else if ((st = store_of_account(a, &w->at)) != NULL)
		found(w, st);
	else if (store_is_shared(a, &w->at) ||
		 store_wait(a, &w->store, account_owner(&w->at)) != E_OK)
		fail(w, CONTROL_LATER, "the store of this user cannot be had");
}

static void
on_users(struct userfile_wait *wait, enum err e)
{
	struct where *w =
	    (void *)((char *)wait - offsetof(struct where, users));

	if (e != E_OK || w->auth->userfile.users == NULL)
		fail(w, CONTROL_LATER, "the users file cannot be read");
	else
		databases_find(w->auth, &w->found, w->user, NULL);
}

void
where_find(struct auth *a, uint64_t token, struct slice user)
{
	struct where *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		answer(a, token, CONTROL_LATER, 0, "out of memory");
		return;
	}
	w->auth = a;
	w->token = token;
	w->users.done = on_users;
	w->found.done = on_found;
	w->store.done = on_store;
	if (name_normalize(&a->rule, user, w->user, NULL) != E_OK)
		fail(w, CONTROL_NO_USER, "");
	else
		userfile_check(&a->userfile, &w->users);
}

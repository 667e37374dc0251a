#include "server/auth/place.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/auth/recent.h"
#include "server/auth/refuse.h"
#include "server/users/account.h"

static void
open_at(struct signin *s, struct store *store)
{
	uint32_t serial;

	if (store_open(store, s->worker_index, s->sid, s->user, s->mail,
		s->peer, s->read_only, &serial) == E_OK)
		signin_finish(s, serial);
	else
		signin_refuse(s, SIGN_IN_TEMPORARY, "store-full");
}

static void
on_store(struct store_wait *w, struct store *store, const char *why)
{
	struct signin *s = (void *)((char *)w - offsetof(struct signin, store));

	if (store != NULL)
		open_at(s, store);
	else
		signin_refuse(s, SIGN_IN_TEMPORARY, why);
}

static void
wait_for_store(struct signin *s, struct owner owner)
{
	s->state = PLACING;
	s->store.done = on_store;
	if (store_wait(s->auth, &s->store, owner) != E_OK)
		signin_refuse(s, SIGN_IN_TEMPORARY, "store-queue");
}

/* The mail of the account is at a store, or comes to one. */
static void
place_account(struct signin *s, const struct account *at)
{
	struct store *store = store_of_account(s->auth, at);

	if (store != NULL)
		open_at(s, store);
	else if (store_is_shared(s->auth, at))
		signin_refuse(s, SIGN_IN_TEMPORARY, "store-down");
	else
		wait_for_store(s, (struct owner){ at->uid, at->gid });
}

static void
log_no_account(const struct signin *s, const struct errbuf *eb)
{
	char user[NAME_MAX_OCTETS * 4 + 1];

	log_line(LOG_FAULT, "ev=mail-location sid=%u.%llx user=%s error=\"%s\"",
	    s->worker_index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), s->user, strlen(s->user)), eb->text);
}

/* What the user's line, as it is now, has against it.  False: it is refused; the
 * client may know of a switch, as the password was right. */
static bool
is_permitted(struct signin *s, const struct user *u)
{
	if (!user_is_allowed_from(u, s->peer))
		signin_deny(s, "allow_nets");
	else if (u->permits.no_login)
		signin_refuse(s, SIGN_IN_SWITCHED_OFF, "nologin");
	else if (u->permits.no_pop3)
		signin_refuse(s, SIGN_IN_SWITCHED_OFF, "pop3-off");
	else if (u->permits.tls_only && !s->tls)
		signin_refuse(s, SIGN_IN_TLS_ONLY, "tls-only");
	else
		return true;
	return false;
}

void
signin_place(struct signin *s)
{
	const struct user *u = users_find(s->auth->userfile.users, s->user);
	struct account at;
	struct errbuf eb;
	const char *why;

	if (!is_permitted(s, u))
		return;
	s->read_only = s->read_only || u->permits.read_only;
	recent_add(s->auth->recent, s->who, signin_tried(s), clock_ms());
	signin_forget_secrets(s);
	if (s->worker == NULL) {
		signin_finish(s, 0);
	} else if (account_find(&at, &s->auth->conf, u, &why, &eb) != E_OK) {
		log_no_account(s, &eb);
		signin_refuse(s, SIGN_IN_PERMANENT, why);
	} else if ((s->mail = strdup(at.mail)) == NULL) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	} else {
		place_account(s, &at);
	}
}

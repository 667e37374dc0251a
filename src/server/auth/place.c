#include "server/auth/place.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/auth/auth_worker.h"
#include "server/auth/found.h"
#include "server/auth/login_delay.h"
#include "server/auth/recent.h"
#include "server/auth/refuse.h"
#include "server/auth/turn.h"
#include "server/users/host_account.h"

enum { SECOND_LOOK_MS = 200 };

/* Whose mail it is to be. */
static const char *
whose(const struct signin *s)
{
	return s->target[0] != '\0' ? s->target : s->user;
}

static void
open_at(struct signin *s, struct store *store)
{
	const struct store_opening o = {
		.worker = s->worker,
		.sid = s->sid,
		.user = whose(s),
		.mail = s->mail,
		.peer = s->peer,
		.bits = (s->read_only ? SESSION_READ_ONLY : 0) |
			(s->utf8 ? SESSION_UTF8 : 0) |
			(s->target[0] != '\0' ? SESSION_MASTER : 0),
		.retention = s->retention,
		.login_delay = s->login_delay,
		.counted = s->counted,
	};
	uint32_t serial;

	if (store_open(store, &o, &serial) == E_OK)
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

/* The mail of the account, which is s->mail, is at a store, or comes to one. */
static void
place_account(struct signin *s, const struct account *at)
{
	struct store *store = store_of_account(s->auth, at);

	if (store != NULL)
		open_at(s, store);
	else if (store_is_shared(s->auth, at))
		signin_refuse(s, SIGN_IN_TEMPORARY, "store-down");
	else
		wait_for_store(s, account_owner(at));
}

static void
log_no_account(const struct signin *s, const struct errbuf *eb)
{
	char user[NAME_MAX_OCTETS * 4 + 1];

	log_line(LOG_FAULT, "ev=mail-location sid=%u.%llx user=%s error=\"%s\"",
	    s->worker_index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), whose(s), strlen(whose(s))),
	    eb->text);
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
	else if (u->permits.no_pop3 && signin_is_pop3(s))
		signin_refuse(s, SIGN_IN_SWITCHED_OFF, "pop3-off");
	else if (u->permits.tls_only && !s->tls)
		signin_refuse(s, SIGN_IN_TLS_ONLY, "tls-only");
	else if (s->target[0] != '\0' && !u->permits.master)
		signin_deny(s, "not-master");
	else if (s->target[0] != '\0' && !signin_is_pop3(s))
		signin_refuse(s, SIGN_IN_SWITCHED_OFF, "master-service");
	else
		return true;
	return false;
}

static void
log_master(const struct signin *s)
{
	char user[NAME_MAX_OCTETS * 4 + 1], master[NAME_MAX_OCTETS * 4 + 1];
	char peer[PEER_MAX * 4];

	log_line(LOG_EVENT,
	    "ev=master sid=%u.%llx ip=%s method=%s user=%s master=%s",
	    s->worker_index, (unsigned long long)s->sid,
	    str_escape(peer, sizeof(peer), s->peer, strlen(s->peer)), s->method,
	    str_escape(user, sizeof(user), s->target, strlen(s->target)),
	    str_escape(master, sizeof(master), s->user, strlen(s->user)));
}

static void
refuse_place(
    struct signin *s, enum err e, const char *why, const struct errbuf *eb)
{
	log_no_account(s, eb);
	signin_refuse(
	    s, e == E_NOMEM ? SIGN_IN_TEMPORARY : SIGN_IN_PERMANENT, why);
}

/* All sessions of a host are at one store: which one, its name says. */
static void
place_host(struct signin *s, const struct user *u)
{
	const struct auth *a = s->auth;
	struct host_account host;
	struct account at;
	struct errbuf eb;
	const char *why;
	enum err e =
	    host_account_find(&host, &a->conf, a->userfile.users, u, &why, &eb);

	if (e != E_OK) {
		refuse_place(s, e, why, &eb);
		return;
	}
	s->mail = host.mail;
	retained_follow(s->auth);
	s->retention = s->auth->retained.least_days;
	s->read_only = s->read_only || host.read_only;
	if (host.tls_only && !s->tls) {
		signin_refuse(s, SIGN_IN_TLS_ONLY, "tls-only");
		return;
	}
	at.uid = host.uid;
	at.gid = host.gid;
	at.root = host.root;
	memcpy(at.mail, u->host, strlen(u->host) + 1);
	place_account(s, &at);
}

/* What is retrieved goes only if it is the user who retrieves it. */
static uint32_t
retention_here(
    const struct signin *s, const struct user *u, const struct account *at)
{
	uint32_t r;

	retained_follow(s->auth);
	r = retained_of(s->auth, u, at);
	return r == RETENTION_ONCE && (s->read_only || s->target[0] != '\0')
		   ? RETENTION_NEVER
		   : r;
}

static void
place_user(struct signin *s, const struct user *u)
{
	struct account at;
	struct errbuf eb;
	const char *why;
	enum err e = account_find(&at, &s->auth->conf, u, &why, &eb);

	if (e == E_OK)
		s->retention = retention_here(s, u, &at);
	if (e != E_OK)
		refuse_place(s, e, why, &eb);
	else if ((s->mail = strdup(at.mail)) == NULL)
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	else
		place_account(s, &at);
}

static void
place(struct signin *s, const struct user *u)
{
	if (signin_is_outdated(s))
		signin_refuse(s, SIGN_IN_TEMPORARY, "settings-changed");
	else if (u->host[0] != '\0')
		place_host(s, u);
	else
		place_user(s, u);
}

/* ---- LOGIN-DELAY ---- */

/* A master who reads another user's mail, and a stranger by ANONYMOUS, have no
 * delay: neither of them is the mail program of a user. */
static void
find_login_delay(struct signin *s, const struct user *u)
{
	const struct auth *a = s->auth;

	if (strcmp(whose(s), s->user) != 0 || s->anonymous)
		return;
	s->login_delay = user_login_delay(u, a->conf.login_delay);
	if (s->login_delay != 0 && s->program == 0)
		s->program = login_delay_who(a->delays, s->user, "");
}

static bool
is_soon(struct signin *s)
{
	return s->login_delay != 0 &&
	       login_delay_count(s->auth->delays, s->program, s->login_delay,
		   clock_ms(), &s->counted) != E_OK;
}

static void
refuse_soon(struct signin *s)
{
	uint64_t ms = login_delay_left(
	    s->auth->delays, s->program, s->login_delay, clock_ms());

	s->seconds = (uint32_t)((ms + 999) / 1000);
	signin_refuse(s, SIGN_IN_SOON, "login-delay");
}

static void
on_second_look(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct signin *s = t->data;
	const struct user *u =
	    s->target[0] != '\0' ? signin_target(s) : signin_user(s);

	if (is_soon(s))
		refuse_soon(s);
	else if (u == NULL)
		signin_refuse(s, SIGN_IN_TEMPORARY, "users-check");
	else
		place(s, u);
}

/* ---- what is allowed ---- */

/* u: whose mail it is to be. */
static void
permit(struct signin *s, const struct user *u)
{
	recent_add(s->auth->recent, s->who, signin_tried(s), clock_ms());
	turn_end(s);
	signin_forget_secrets(s);
	find_login_delay(s, u);
	if (s->worker == NULL)
		signin_finish(s, 0);
	else if (is_soon(s))
		/* That the last session was in vain may be on its way. */
		signin_wait(s, HELD, SECOND_LOOK_MS, on_second_look);
	else
		place(s, u);
}

/* What the line of the user whose mail a master wants forbids is not forbidden to
 * the master, but for removing what is to stay. */
static void
place_target(struct signin *s)
{
	const struct user *u = signin_target(s);

	if (u == NULL) {
		signin_deny(s, "unknown-target");
		return;
	}
	log_master(s);
	s->read_only = s->read_only || u->permits.read_only;
	permit(s, u);
}

/* Nobody's mail is opened. */
static void
accept_for_service(struct signin *s)
{
	char user[NAME_MAX_OCTETS * 4 + 1];

	recent_add(s->auth->recent, s->who, signin_tried(s), clock_ms());
	if (s->worker != NULL) {
		log_line(LOG_EVENT,
		    "ev=login sid=%u.%llx user=%s ip=%s method=%s tls=%s "
		    "service=%s",
		    s->worker_index, (unsigned long long)s->sid,
		    str_escape(user, sizeof(user), s->user, strlen(s->user)),
		    s->peer, s->method, s->tls ? "yes" : "no", s->service);
		auth_worker_accept(s->worker, s->sid, s->user);
	}
	signin_finish(s, 0);
}

void
signin_place(struct signin *s)
{
	const struct user *u = signin_user(s);

	if (!is_permitted(s, u))
		return;
	if (!signin_is_pop3(s)) {
		accept_for_service(s);
		return;
	}
	s->read_only = s->read_only || u->permits.read_only;
	if (s->target[0] == '\0')
		permit(s, u);
	else
		signin_look_up_target(s, place_target);
}

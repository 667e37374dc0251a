#include "server/worker/worker_messages.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "sasl/sasl.h"
#include "server/ipc/index.h"
#include "server/ipc/proto.h"
#include "server/worker/answer.h"
#include "server/worker/lookup.h"
#include "server/worker/retrieve.h"
#include "server/worker/session.h"
#include "server/worker/session_state.h"
#include "server/worker/worker_tell.h"

enum { STORES_MAX = 4096 };

/* ---- answers ---- */

static enum err
on_challenge(void *arg, struct ipc_in *in)
{
	struct session *s = session_find(arg, ipc_get_u64(in));
	struct slice data = ipc_get_slice(in);
	enum err e = ipc_get_end(in);

	if (e == E_OK && s != NULL)
		session_challenged(s, data);
	return e;
}

static enum err
on_refused(void *arg, struct ipc_in *in)
{
	struct session *s = session_find(arg, ipc_get_u64(in));
	uint8_t code = ipc_get_u8(in);
	char user[NAME_MAX_OCTETS + 1];
	enum err e;

	ipc_get_str(in, user, sizeof(user));
	struct slice krb_error = ipc_get_slice(in);
	uint32_t seconds = ipc_get_u32(in);

	if ((e = ipc_get_end(in)) != E_OK || code >= SIGN_IN_CODES)
		return E_FORMAT;
	if (s != NULL)
		session_refused(s, user, code,
		    (struct pop3_arg[POP3_TEXT_ARGS]){ { .number = seconds } },
		    krb_error);
	return E_OK;
}

/* The session whose sign-in auth has given to this store: it shows the token.
 * NULL: the client did not wait, or the store has no part in it. */
static struct session *
signing_in(struct store_link *l, uint64_t sid, uint64_t token)
{
	struct session *s = session_find(l->worker, sid);

	return s != NULL && s->wait == WAIT_SIGN_IN && s->sign_in.token == token
		   ? s
		   : NULL;
}

/* A store may say what it likes of its own file systems.  One that is not of
 * mail_uid has files of a user, who can also make close() take long on a disk: it
 * frees all pieces of one that was removed. */
static uint32_t
owner_of(const struct store_link *l, uint32_t file_system)
{
	uint64_t both = (uint64_t)l->index << 32 | file_system;

	return file_system == 0 && l->index < l->worker->conf.shared_stores
		   ? 0
		   : (uint32_t)XXH3_64bits(&both, sizeof(both));
}

static enum err
on_opened(void *arg, struct ipc_in *in)
{
	struct store_link *l = arg;
	uint64_t sid = ipc_get_u64(in), octets;
	struct session *s = signing_in(l, sid, ipc_get_u64(in));
	char user[NAME_MAX_OCTETS + 1];
	uint32_t count, left_out, file_system, retention, login_delay;
	bool read_only;

	ipc_get_str(in, user, sizeof(user));
	count = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	octets = ipc_get_u64(in);
	left_out = ipc_get_u32(in);
	read_only = ipc_get_u8(in) != 0;
	file_system = ipc_get_u32(in);
	retention = ipc_get_u32_to(in, RETENTION_MAX);
	login_delay = ipc_get_u32_to(in, LOGIN_DELAY_MAX);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	if (s == NULL) {
		session_tell(l->chan, IPC_RELEASE, sid);
		return E_OK;
	}
	s->pop3.read_only = read_only;
	s->pop3.retention = retention;
	s->pop3.login_delay = login_delay;
	s->owner = owner_of(l, file_system);
	session_opened(s, l, user, count, octets, left_out);
	return E_OK;
}

static enum err
on_not_opened(void *arg, struct ipc_in *in)
{
	uint64_t sid = ipc_get_u64(in);
	struct session *s = signing_in(arg, sid, ipc_get_u64(in));
	char when[CLOCK_LOCAL], from[PEER_MAX], shown[PEER_MAX];
	char user[NAME_MAX_OCTETS + 1];
	uint8_t code = ipc_get_u8_to(in, SIGN_IN_CODES - 1);

	ipc_get_str(in, user, sizeof(user));
	clock_local(when, ipc_get_u64(in));
	ipc_get_str(in, from, sizeof(from));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	str_quote(shown, sizeof(shown), from, strlen(from));
	if (s != NULL)
		session_refused(s, user, code,
		    (struct pop3_arg[POP3_TEXT_ARGS]){
			{ .text = { when, strlen(when) } },
			{ .text = { shown, strlen(shown) } } },
		    (struct slice){ "", 0 });
	return E_OK;
}

/* The session of a message, if it is one that this store serves. */
static struct session *
served(struct store_link *l, struct ipc_in *in)
{
	struct session *s = session_find(l->worker, ipc_get_u64(in));

	return s != NULL && s->store == l ? s : NULL;
}

static enum err
on_index_is(void *arg, struct ipc_in *in)
{
	struct session *s = served(arg, in);
	enum err e;

	if (s == NULL)
		return E_OK;
	if (s->wait != WAIT_INDEX)
		return E_FORMAT;
	if ((e = lookup_index_is(s, in)) == E_OK)
		session_go(s);
	return e;
}

static enum err
on_fetched(void *arg, struct ipc_in *in)
{
	struct session *s = served(arg, in);
	enum err e;

	if (s == NULL)
		return E_OK;
	e = retrieve_fetched(s, in);
	if (e == E_OK && s->wait == WAIT_MESSAGE)
		session_go(s);
	return e;
}

static enum err
on_committed(void *arg, struct ipc_in *in)
{
	struct session *s = served(arg, in);
	uint32_t removed = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	uint32_t failed = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	enum err e = ipc_get_end(in);

	if (e == E_OK && s != NULL && s->wait == WAIT_COMMIT)
		session_committed(s, removed, failed);
	return e;
}

static enum err
on_yield(void *arg, struct ipc_in *in)
{
	struct store_link *l = arg;
	uint64_t sid = ipc_get_u64(in);
	uint32_t seconds = ipc_get_u32(in);
	struct session *s = session_find(l->worker, sid);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	/* One that is no more has said IPC_RELEASE already. */
	if (s != NULL && s->store == l && !session_yield(s, seconds))
		session_tell(l->chan, IPC_KEEP, sid);
	return E_OK;
}

/* Is the name among those that spaces part? */
static bool
has_word(struct slice words, const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at + n <= words.n; at++)
		if (memcmp(words.p + at, name, n) == 0 &&
		    (at == 0 || words.p[at - 1] == ' ') &&
		    (at + n == words.n || words.p[at + n] == ' '))
			return true;
	return false;
}

void
worker_offer(const struct worker *w, struct serving *v)
{
	const struct offer *o = &w->offer;
	struct slice names = { o->names, strlen(o->names) };

	for (unsigned i = 0; i < v->conf.n_listeners; i++) {
		struct listener *l = &v->listener[i];

		l->policy.retention = o->retention;
		l->policy.retention_differs = o->retention_differs;
		l->policy.login_delay = o->login_delay;
		l->policy.login_delay_differs = o->login_delay_differs;
		l->policy.apop = l->apop && has_word(names, "APOP");
		for (size_t k = 0; k < l->policy.n_mechanisms; k++)
			l->mechanisms[k].withheld =
			    !has_word(names, l->mechanisms[k].name);
	}
}

/* The first time nobody has been accepted yet. */
static enum err
on_served(void *arg, struct ipc_in *in)
{
	struct worker *w = arg;
	struct offer o;
	uint64_t half;

	ipc_get_str(in, o.names, sizeof(o.names));
	half = ipc_get_u64(in);
	o.retention = ipc_get_u32_to(in, RETENTION_MAX);
	o.retention_differs = ipc_get_u8(in) != 0;
	o.login_delay = ipc_get_u32_to(in, LOGIN_DELAY_MAX);
	o.login_delay_differs = ipc_get_u8(in) != 0;
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	w->apop_half = half;
	w->offer = o;
	w->served = true;
	worker_offer(w, w->serving);
	if (!w->accepting && !w->conf.role.held)
		ev_feed_event(w->loop, &w->resume_accept, EV_TIMER);
	return E_OK;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_CHALLENGE, 1, 0, TICKET_REPLY_MAX + 16, on_challenge },
	{ IPC_REFUSED, 1, 0, 512 + TICKET_REPLY_MAX, on_refused },
	{ IPC_SERVED, 1, 0, 4 + SERVED_MAX + 8 + 4 + 1 + 4 + 1, on_served },
};

static const struct ipc_rule store_rule[] = {
	{ IPC_OPENED, 1, 0, 512, on_opened },
	{ IPC_NOT_OPENED, 1, 0, 1024, on_not_opened },
	{ IPC_INDEX_IS, 1, 1, 32, on_index_is },
	{ IPC_FETCHED, 1, IPC_FDS, 2048, on_fetched },
	{ IPC_COMMITTED, 1, 0, 32, on_committed },
	{ IPC_YIELD, 1, 0, 16, on_yield },
};

/* ---- processes that come and go ---- */

static void
on_auth_gone(void *arg, enum err why)
{
	struct worker *w = arg;

	role_link_lost(&w->role, ROLE_AUTH, 0, why);
	ipc_close(w->auth);
	w->auth = NULL;
	for (uint32_t i = 0; i < w->n_slots; i++)
		if (w->slots[i] != NULL)
			session_lost_auth(w->slots[i]);
}

static void
on_store_gone(void *arg, enum err why)
{
	struct store_link *l = arg;
	struct worker *w = l->worker;

	role_link_lost(&w->role, ROLE_STORE, l->index, why);
	ipc_close(l->chan);
	l->chan = NULL;
	for (uint32_t i = 0; i < w->n_slots; i++)
		if (w->slots[i] != NULL)
			session_lost_store(w->slots[i], l);
}

static const struct ipc_rules auth_rules = { auth_rule,
	sizeof(auth_rule) / sizeof(auth_rule[0]), on_auth_gone };
static const struct ipc_rules store_rules = { store_rule,
	sizeof(store_rule) / sizeof(store_rule[0]), on_store_gone };

static struct store_link *
store_at(struct worker *w, uint16_t index)
{
	struct store_link **all;

	if (index >= w->n_stores) {
		size_t n = (size_t)index + 1;

		if ((all = realloc(
			 w->stores, n * sizeof(struct store_link *))) == NULL)
			return NULL;
		memset(all + w->n_stores, 0,
		    (n - w->n_stores) * sizeof(struct store_link *));
		w->stores = all;
		w->n_stores = n;
	}
	if (w->stores[index] == NULL &&
	    (w->stores[index] = calloc(1, sizeof(struct store_link))) != NULL) {
		w->stores[index]->worker = w;
		w->stores[index]->index = index;
	}
	return w->stores[index];
}

/* A new one may be announced before the end of the old one was seen. */
static void
attach_auth(struct worker *w, int fd)
{
	if (w->auth != NULL)
		on_auth_gone(w, E_CLOSED);
	w->auth = ipc_open(w->loop, fd, &auth_rules, w, true);
	w->auths++;
}

static void
attach_store(struct worker *w, uint16_t index, int fd)
{
	struct store_link *l = store_at(w, index);

	if (l == NULL) {
		close(fd);
		return;
	}
	if (l->chan != NULL) {
		ipc_drain(l->chan);
		if (l->chan != NULL)
			on_store_gone(l, E_CLOSED);
	}
	l->chan = ipc_open(w->loop, fd, &store_rules, l, false);
}

enum err
worker_attach(void *worker, const struct role_peer *peer, int fd)
{
	if (peer->role == ROLE_AUTH) {
		attach_auth(worker, fd);
		return E_OK;
	}
	if (peer->role == ROLE_STORE && peer->index < STORES_MAX) {
		attach_store(worker, peer->index, fd);
		return E_OK;
	}
	close(fd);
	return E_FORMAT;
}

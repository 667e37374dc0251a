#include "server/parent/child_tell.h"

#include "base/log.h"
#include "server/conf/client_files.h"
#include "server/conf/role_table.h"
#include "server/parent/tallies.h"

enum { UID_STORE_IDLE_MS = 60 * 1000 };

static void
send_end(struct child *c)
{
	if (ipc_end(c->chan) != E_OK)
		child_kill(c);
}

/* ---- settings ---- */

/* What is not the same for all processes of a role. */
static void
fit_settings(
    const struct child *c, struct conf *conf, const struct ports *ports)
{
	struct role_conf *r = role_conf(conf, c->role);

	if (c->role == ROLE_DB)
		conf_db_fit(conf, c->index);
	if (c->role == ROLE_PAM)
		conf_pam_fit(conf, c->index);
	r->index = c->index;
	r->uid = c->owner.uid;
	r->gid = c->owner.gid;
	r->memory = role_memory(conf, c->role);
	r->held = c->parent->succession.held;
	if (c->role == ROLE_AUTH)
		tallies_fit(c, &conf->auth.tally);
	if (c->role == ROLE_WORKER)
		tallies_fit(c, &conf->worker.tally);
	if (c->role == ROLE_STORE)
		tallies_fit(c, &conf->store.tally);
	if (c->role == ROLE_WORKER)
		for (unsigned i = 0; i < ports->n; i++)
			conf->worker.listener[i].fd =
			    ports->socket[c->index][i];
	if (c->role == ROLE_STORE)
		conf->store.idle_end_ms = c->of_uid ? UID_STORE_IDLE_MS : 0;
}

static void
put_certificates(struct child *worker, const struct conf *conf, bool later)
{
	for (unsigned i = 0; i < conf->n_certificates; i++) {
		const struct certificate *c = &conf->certificates[i].read;

		ipc_begin(worker->chan, IPC_CERTIFICATE);
		ipc_put_u16(worker->chan, (uint16_t)i);
		ipc_put_u16(worker->chan, (uint16_t)conf->n_certificates);
		ipc_put_str(worker->chan, c->chain);
		ipc_put_str(worker->chan, c->key);
		ipc_put_bytes(worker->chan,
		    c->staple != NULL ? (const void *)c->staple : "",
		    c->staple_n);
		ipc_put_u64(worker->chan, (uint64_t)c->staple_until);
		ipc_put_u8(worker->chan, later);
		send_end(worker);
	}
}

static enum err
put_settings(struct child *c, struct conf *conf, const struct ports *ports)
{
	struct role_conf *r = role_conf(conf, c->role), of_all = *r;

	fit_settings(c, conf, ports);
	ipc_put_fields(c->chan, role_table[c->role].fields, r);
	*r = of_all;
	return ipc_end(c->chan);
}

enum err
child_tell_settings(struct child *c)
{
	struct parent *p = c->parent;

	ipc_begin(c->chan, IPC_CONF);
	return put_settings(c, p->conf, &p->ports);
}

enum err
child_tell_settings_anew(struct child *c, uint32_t number, struct conf *conf,
    const struct ports *ports)
{
	if (c->role == ROLE_WORKER)
		put_certificates(c, conf, true);
	ipc_begin(c->chan, IPC_SETTINGS);
	ipc_put_u32(c->chan, number);
	return put_settings(c, conf, ports);
}

void
child_tell_decision(struct child *c, bool use)
{
	ipc_begin(c->chan, IPC_SETTINGS_USE);
	ipc_put_u8(c->chan, use);
	send_end(c);
}

/* ---- channels ---- */

/* Hands c one end of a channel to `other`; the end is taken. */
static enum err
hand(struct child *c, const struct child *other, int fd)
{
	ipc_begin(c->chan, IPC_ATTACH);
	ipc_put_u8(c->chan, (uint8_t)other->role);
	ipc_put_u16(c->chan, other->index);
	ipc_put_u32(c->chan, (uint32_t)other->pid);
	ipc_put_fd(c->chan, fd, FD_CLOSED);
	return ipc_end(c->chan);
}

static enum err
say_store_is(struct child *auth, const struct child *store)
{
	ipc_begin(auth->chan, IPC_STORE_IS);
	ipc_put_u16(auth->chan, store->index);
	ipc_put_owner(auth->chan, store->owner);
	return ipc_end(auth->chan);
}

enum err
child_connect(struct child *a, struct child *b, struct errbuf *eb)
{
	/* If one of them is a store, it is the first. */
	struct child *store = a->role == ROLE_STORE ? a : b;
	struct child *other = a->role == ROLE_STORE ? b : a;
	int fd[2];
	enum err e, e2;

	if ((e = ipc_pair(fd, eb)) != E_OK)
		return e;
	if (store->of_uid && other->role == ROLE_AUTH)
		e = say_store_is(other, store);
	/* Both take their end in any case. */
	e2 = hand(store, other, fd[0]);
	e = e2 != E_OK ? e2 : e;
	e2 = hand(other, store, fd[1]);
	e = e2 != E_OK ? e2 : e;
	return e != E_OK ? err_set(eb, e, "%s", err_str(e)) : E_OK;
}

/* The workers come before auth in the list, so that they know a store before it
 * is asked for mail. */
enum err
child_connect_all(struct child *c, struct errbuf *eb)
{
	struct child *other;
	enum err e = E_OK;

	TAILQ_FOREACH (other, &c->parent->children, link)
		if (e == E_OK && role_talks(c->role, other->role) &&
		    other->chan != NULL && !other->leaving)
			e = child_connect(c, other, eb);
	return e;
}

/* ---- to auth ---- */

/* Nobody needs app passwords: without the file there are none. */
static enum users_news
look_at_apps(struct parent *p, int *fd_r)
{
	struct errbuf eb;
	enum err e = users_watch_changed(&p->apps, p->apps_path, fd_r, &eb);

	if (e == E_NOENT) {
		users_watch_forget(&p->apps);
		return USERS_NONE;
	}
	if (e != E_OK)
		log_line(LOG_FAULT, "ev=app-passwords file=\"%s\" error=\"%s\"",
		    p->apps_path, eb.text);
	return *fd_r >= 0 ? USERS_NEW : USERS_SAME;
}

static enum users_news
look_at_users(struct parent *p, int *fd_r)
{
	struct errbuf eb;

	*fd_r = -1;
	if (p->conf->users[0] == '\0')
		return USERS_NONE;
	if (users_watch_changed(&p->users, p->conf->users, fd_r, &eb) != E_OK)
		log_line(LOG_FAULT, "ev=users file=\"%s\" error=\"%s\"",
		    p->conf->users, eb.text);
	return *fd_r >= 0 ? USERS_NEW : USERS_SAME;
}

void
child_tell_users(struct child *auth)
{
	struct parent *p = auth->parent;
	int users_fd, apps_fd;

	ipc_begin(auth->chan, IPC_USERS);
	ipc_put_u8(auth->chan, (uint8_t)look_at_users(p, &users_fd));
	if (users_fd >= 0)
		ipc_put_fd(auth->chan, users_fd, FD_CLOSED);
	ipc_put_u8(auth->chan, (uint8_t)look_at_apps(p, &apps_fd));
	if (apps_fd >= 0)
		ipc_put_fd(auth->chan, apps_fd, FD_CLOSED);
	send_end(auth);
}

void
child_tell_users_anew(struct child *auth)
{
	users_watch_forget(&auth->parent->users);
	users_watch_forget(&auth->parent->apps);
	child_tell_users(auth);
}

void
child_tell_forget(struct child *auth)
{
	ipc_begin(auth->chan, IPC_FORGET);
	send_end(auth);
}

void
child_tell_successor(struct child *auth, const struct child *was)
{
	ipc_begin(auth->chan, IPC_SUCCESSOR);
	ipc_put_u8(auth->chan, (uint8_t)was->role);
	ipc_put_u16(auth->chan, was->index);
	send_end(auth);
}

void
child_tell_no_upgrade(struct child *auth)
{
	ipc_begin(auth->chan, IPC_NO_UPGRADE);
	send_end(auth);
}

void
child_tell_no_store(struct child *auth, struct owner owner, const char *why)
{
	log_line(LOG_WARNING, "ev=store-refused uid=%u gid=%u why=\"%s\"",
	    owner.uid, owner.gid, why);
	ipc_begin(auth->chan, IPC_NO_STORE);
	ipc_put_owner(auth->chan, owner);
	ipc_put_str(auth->chan, why);
	send_end(auth);
}

void
child_tell_full(struct child *auth, struct owner owner)
{
	ipc_begin(auth->chan, IPC_STORES_FULL);
	ipc_put_owner(auth->chan, owner);
	send_end(auth);
}

void
child_tell_idle(struct child *auth, const struct child *store)
{
	ipc_begin(auth->chan, IPC_IDLE);
	ipc_put_u16(auth->chan, store->index);
	send_end(auth);
}

void
child_tell_where(struct child *auth, uint64_t token, const char *user)
{
	ipc_begin(auth->chan, IPC_WHERE);
	ipc_put_u64(auth->chan, token);
	ipc_put_str(auth->chan, user);
	send_end(auth);
}

void
child_tell_ask(struct child *auth, uint64_t token, enum ask_kind what,
    const char *user, const char *password)
{
	ipc_begin(auth->chan, IPC_ASK);
	ipc_put_u64(auth->chan, token);
	ipc_put_u8(auth->chan, (uint8_t)what);
	ipc_put_str(auth->chan, user);
	ipc_put_str(auth->chan, password);
	send_end(auth);
}

/* ---- to stores ---- */

void
child_tell_inquiry(struct child *store, uint64_t token, enum inquiry_kind what,
    const char *mail, uint32_t number)
{
	ipc_begin(store->chan, IPC_INQUIRY);
	ipc_put_u64(store->chan, token);
	ipc_put_u8(store->chan, (uint8_t)what);
	ipc_put_str(store->chan, mail);
	ipc_put_u32(store->chan, number);
	send_end(store);
}

void
child_tell_round(struct child *auth)
{
	ipc_begin(auth->chan, IPC_ROUND);
	send_end(auth);
}

/* ---- to workers ---- */

void
child_tell_sessions(struct child *worker, uint64_t token, bool end,
    uint32_t from, const struct control_which *which)
{
	ipc_begin(worker->chan, IPC_SESSIONS_WANTED);
	ipc_put_u64(worker->chan, token);
	ipc_put_u8(worker->chan, end);
	ipc_put_u32(worker->chan, from);
	ipc_put_fields(worker->chan, &control_which_fields, which);
	send_end(worker);
}

void
child_tell_trace(struct child *worker, uint32_t number, bool on, bool octets,
    const char *user)
{
	ipc_begin(worker->chan, IPC_TRACE);
	ipc_put_u32(worker->chan, number);
	ipc_put_u8(worker->chan, on);
	ipc_put_u8(worker->chan, octets);
	ipc_put_str(worker->chan, user);
	send_end(worker);
}

void
child_tell_tickets(struct child *worker)
{
	const struct parent *p = worker->parent;

	ipc_begin(worker->chan, IPC_TICKETS);
	ipc_put_bytes(worker->chan, p->tickets, p->n_tickets * TICKET_KEY);
	send_end(worker);
}

void
child_tell_certificates(struct child *worker)
{
	put_certificates(worker, worker->parent->conf, false);
}

/* ---- to auth and the workers ---- */

void
child_tell_client_ca(struct child *c)
{
	const struct conf *conf = c->parent->conf;
	struct errbuf eb;
	bool about_crl;
	int ca, crl;

	if (conf->client_ca[0] == '\0')
		return;
	if (client_files_open(conf, &ca, &crl, &about_crl, &eb) != E_OK) {
		log_line(LOG_FAULT,
		    "ev=client-ca kept=the-old-one file=\"%s\" error=\"%s\"",
		    about_crl ? conf->client_crl : conf->client_ca, eb.text);
		return;
	}
	ipc_begin(c->chan, IPC_CLIENT_CA);
	ipc_put_fd(c->chan, ca, FD_CLOSED);
	if (crl >= 0)
		ipc_put_fd(c->chan, crl, FD_CLOSED);
	send_end(c);
}

/* ---- to all ---- */

void
child_tell_role(
    struct parent *p, enum ipc_role role, void (*tell)(struct child *c))
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == role && c->chan != NULL)
			tell(c);
}

void
child_tell_ping(struct child *c, uint32_t number)
{
	ipc_begin(c->chan, IPC_PING);
	ipc_put_u32(c->chan, number);
	send_end(c);
}

void
child_retire(struct child *c, uint32_t ms)
{
	c->replaced = true;
	if (c->chan == NULL)
		return;
	c->leaving = true;
	ipc_begin(c->chan, IPC_STOP);
	ipc_put_u32(c->chan, ms);
	send_end(c);
}

void
child_tell_accept(struct child *c)
{
	ipc_begin(c->chan, IPC_ACCEPT);
	send_end(c);
}

static void
tell_stop(struct child *c, uint32_t ms)
{
	ipc_begin(c->chan, IPC_STOP);
	ipc_put_u32(c->chan, ms);
	send_end(c);
}

void
child_drain(struct child *c, uint32_t ms)
{
	if (c->chan == NULL)
		return;
	if (c->role == ROLE_METRICS) {
		child_stop(c, ms);
		return;
	}
	c->leaving = c->role == ROLE_WORKER;
	tell_stop(c, ms);
}

void
child_stop(struct child *c, uint32_t ms)
{
	if (c->chan == NULL)
		return;
	c->leaving = true;
	if (c->role == ROLE_AUTH || c->role == ROLE_KERBEROS ||
	    c->role == ROLE_DB || c->role == ROLE_PAM || c->role == ROLE_SASL ||
	    c->role == ROLE_NET || c->role == ROLE_METRICS) {
		/* They have nothing to finish when nobody asks any more. */
		ipc_close(c->chan);
		c->chan = NULL;
		return;
	}
	tell_stop(c, ms);
}

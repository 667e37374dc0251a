#include "server/auth/auth_kerberos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/auth/served.h"

/* Seconds: it answers within milliseconds, or something is wrong with it. */
static const ev_tstamp ANSWER_SECONDS = 10;

struct kerberos {
	struct auth *auth;
	struct ipc_chan *chan;
	uint64_t serial;
	/* By the rest of their id; an exchange is not moved. */
	struct ticket_wait *wait[TICKETS_MAX];
};

static struct ticket_wait *
wait_find(const struct kerberos *k, uint64_t id)
{
	struct ticket_wait *w = k->wait[id % TICKETS_MAX];

	return w != NULL && w->id == id ? w : NULL;
}

static void
forget(struct ticket_wait *w)
{
	struct kerberos *k = w->auth->kerberos;

	ev_timer_stop(w->auth->loop, &w->deadline);
	if (k != NULL && w->id != 0 && wait_find(k, w->id) == w)
		k->wait[w->id % TICKETS_MAX] = NULL;
	w->id = 0;
	w->is_asked = false;
}

static void
fail(struct ticket_wait *w, const char *why)
{
	struct ticket_answer said = { .result = TICKET_FAILED };

	snprintf(said.why, sizeof(said.why), "%s", why);
	forget(w);
	w->done(w, &said);
}

/* ---- asking ---- */

/* What cannot be said any more: the process keeps no more exchanges than there
 * are places, and a later one takes the place. */
void
kerberos_drop(struct ticket_wait *w)
{
	struct kerberos *k = w->auth != NULL ? w->auth->kerberos : NULL;
	uint64_t id = w->id;

	if (id == 0)
		return;
	forget(w);
	if (k == NULL)
		return;
	ipc_begin(k->chan, IPC_TICKET_END);
	ipc_put_u64(k->chan, id);
	(void)!ipc_end(k->chan);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct ticket_wait *w = t->data;

	log_line(LOG_FAULT, "ev=kerberos error=\"it does not answer\"");
	fail(w, "kerberos-timeout");
}

/* A place for a new exchange. */
static enum err
enter(struct kerberos *k, struct ticket_wait *w)
{
	for (unsigned i = 0; i < TICKETS_MAX; i++) {
		uint64_t id = ++k->serial;

		if (k->wait[id % TICKETS_MAX] != NULL)
			continue;
		k->wait[id % TICKETS_MAX] = w;
		w->id = id;
		return E_OK;
	}
	return E_FULL;
}

enum err
kerberos_ask(struct auth *a, struct ticket_wait *w, enum ticket_kind kind,
    struct slice message)
{
	struct kerberos *k = a->kerberos;
	enum err e = E_OK;

	if (k == NULL || (kind == TICKET_STEP && w->id == 0))
		return E_CLOSED;
	if (ipc_is_full(k->chan))
		return E_FULL;
	w->auth = a;
	if (kind != TICKET_STEP && (e = enter(k, w)) != E_OK)
		return e;
	ipc_begin(k->chan, IPC_TICKET);
	ipc_put_u64(k->chan, w->id);
	ipc_put_u8(k->chan, (uint8_t)kind);
	ipc_put_bytes(k->chan, message.n != 0 ? message.p : "", message.n);
	if ((e = ipc_end(k->chan)) != E_OK) {
		forget(w);
		return e;
	}
	w->is_asked = true;
	ev_now_update(a->loop);
	ev_timer_init(&w->deadline, on_deadline, ANSWER_SECONDS, 0.);
	w->deadline.data = w;
	ev_timer_start(a->loop, &w->deadline);
	return E_OK;
}

/* ---- what it says ---- */

static void
set_realms(struct auth *a, const char *realms)
{
	snprintf(a->realms, sizeof(a->realms), "%s", realms);
	if (a->userfile.users != NULL)
		served_tell_all(a);
}

static enum err
take_keys(void *arg, struct ipc_in *in)
{
	struct kerberos *k = arg;
	char realms[REALMS_MAX];

	ipc_get_str(in, realms, sizeof(realms));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	set_realms(k->auth, realms);
	return E_OK;
}

/* One that was given up may have crossed it.  Only of GSSAPI there can be more
 * to come. */
static enum err
take_answer(void *arg, struct ipc_in *in)
{
	struct kerberos *k = arg;
	struct ticket_wait *w = wait_find(k, ipc_get_u64(in));
	struct ticket_answer said = { .result = TICKET_FAILED };

	said.result = (enum ticket_result)ipc_get_u8_to(in, TICKET_RESULTS - 1);
	ipc_get_str(in, said.principal, sizeof(said.principal));
	said.authzid = ipc_get_slice(in);
	said.reply = ipc_get_slice(in);
	ipc_get_str(in, said.why, sizeof(said.why));
	if (ipc_get_end(in) != E_OK || said.reply.n > TICKET_REPLY_MAX)
		return E_FORMAT;
	if (w == NULL)
		return E_OK;
	if (!w->is_asked)
		return E_FORMAT;
	if (said.result != TICKET_MORE)
		forget(w);
	ev_timer_stop(k->auth->loop, &w->deadline);
	w->is_asked = false;
	w->done(w, &said);
	return E_OK;
}

static const struct ipc_rule rule[] = {
	{ IPC_TICKET_KEYS, 1, 0, 4 + REALMS_MAX, take_keys },
	{ IPC_TICKET_ANSWER, 1, 0,
	    8 + 1 + 4 * 4 + PRINCIPAL_MAX + TICKET_MAX + TICKET_REPLY_MAX + 256,
	    take_answer },
};

/* ---- coming and going ---- */

/* Whoever waits hears of it; of the others the exchange is lost. */
static void
kerberos_free(struct kerberos *k)
{
	struct auth *a = k->auth;

	a->kerberos = NULL;
	for (unsigned i = 0; i < TICKETS_MAX; i++) {
		struct ticket_wait *w = k->wait[i];

		if (w != NULL && w->is_asked)
			fail(w, "kerberos-died");
		else if (w != NULL)
			forget(w);
	}
	ipc_close(k->chan);
	free(k);
}

static void
on_gone(void *arg, enum err why)
{
	struct kerberos *k = arg;
	struct auth *a = k->auth;

	role_link_lost(&a->role, ROLE_KERBEROS, 0, why);
	kerberos_free(k);
	set_realms(a, "");
}

static const struct ipc_rules rules = { rule, sizeof(rule) / sizeof(rule[0]),
	on_gone };

void
kerberos_attach(struct auth *a, int fd)
{
	struct kerberos *k;

	if (a->kerberos != NULL)
		kerberos_free(a->kerberos);
	if ((k = calloc(1, sizeof(*k))) == NULL) {
		close(fd);
		return;
	}
	k->auth = a;
	if ((k->chan = ipc_open(a->loop, fd, &rules, k, true)) == NULL)
		free(k);
	else
		a->kerberos = k;
}

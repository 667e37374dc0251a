#include "server/auth/auth_messages.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/auth/auth_worker.h"
#include "server/auth/login_delay.h"
#include "server/auth/refuse.h"
#include "server/auth/served.h"
#include "server/auth/signin.h"
#include "server/auth/vouch.h"

/* The session's slot; whoever was in it has gone.  NULL: memory. */
static struct auth_slot *
slot_enter(struct auth_worker *w, uint64_t sid)
{
	struct auth_slot *slot = auth_slot_for(w, sid);

	if (slot == NULL || slot->sid == sid)
		return slot;
	if (slot->signin != NULL)
		signin_abandon(slot->signin);
	*slot = (struct auth_slot){ .sid = sid };
	return slot;
}

/* The fields that all requests begin with. */
struct head {
	uint64_t sid, token;
	char peer[PEER_MAX];
	bool tls, utf8;
	bool gone; /* nobody would hear the answer */
};

/* Begins a sign-in, or refuses it.  E_FORMAT: the session has one already. */
static enum err
begin(struct auth_worker *w, const struct head *h, const char *method,
    struct signin **s_r)
{
	struct auth_slot *slot = slot_enter(w, h->sid);

	*s_r = NULL;
	if (slot != NULL && slot->signin != NULL)
		return E_FORMAT;
	if (slot == NULL || h->gone ||
	    (*s_r = signin_begin(w, h->sid, h->peer, method)) == NULL) {
		auth_worker_refuse_now(w, h->sid);
		return E_OK;
	}
	(*s_r)->tls = h->tls;
	(*s_r)->utf8 = h->utf8;
	slot->signin = *s_r;
	slot->token = h->token;
	slot->store = 0;
	return E_OK;
}

/* Where this process has no room for a descriptor, the session is one that
 * cannot be served now. */
static void
get_peer(const struct auth *a, struct ipc_in *in, struct head *h)
{
	int fd = ipc_get_fd_if_room(in);

	ipc_get_str(in, h->peer, sizeof(h->peer));
	h->gone = fd < 0;
	if (fd < 0)
		return;
	switch (vouch(a, fd, h->peer)) {
	case VOUCHED: break;
	case VOUCHED_GONE: h->gone = true; break;
	case VOUCHED_ODD: in->bad = true; break;
	}
	close(fd);
}

static void
get_head(struct auth_worker *w, struct ipc_in *in, struct head *h)
{
	uint8_t bits;

	h->sid = ipc_get_u64(in);
	h->token = ipc_get_u64(in);
	get_peer(w->auth, in, h);
	bits = ipc_get_u8_to(in, SESSION_TLS | SESSION_UTF8);
	h->tls = (bits & SESSION_TLS) != 0;
	h->utf8 = (bits & SESSION_UTF8) != 0;
}

static enum err
take_pass(void *arg, struct ipc_in *in)
{
	struct auth_worker *w = arg;
	struct signin *s;
	struct head h;
	enum err e;

	get_head(w, in, &h);
	struct slice name = ipc_get_slice(in);
	struct slice password = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK ||
	    (e = begin(w, &h, "PASS", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_pass(s, name, password);
	return E_OK;
}

static enum err
take_apop(void *arg, struct ipc_in *in)
{
	struct auth_worker *w = arg;
	struct signin *s;
	struct head h;
	enum err e;

	get_head(w, in, &h);
	struct slice name = ipc_get_slice(in);
	struct slice timestamp = ipc_get_slice(in);
	struct slice digest = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK)
		return e;
	if (digest.n != APOP_DIGEST)
		return E_FORMAT;
	if (!w->auth->conf.apop) { /* it was when the session began */
		auth_worker_refuse_now(w, h.sid);
		return E_OK;
	}
	if ((e = begin(w, &h, "APOP", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_apop(s, name, timestamp, (const void *)digest.p);
	return E_OK;
}

static void
get_connection(struct ipc_in *in, struct connection *c)
{
	c->plus_offered = ipc_get_u8(in) != 0;
	c->n_bindings = ipc_get_u8_to(in, BINDINGS_MAX);
	for (size_t i = 0; i < c->n_bindings; i++) {
		ipc_get_str(in, c->binding[i].name, BINDING_NAME);
		c->binding[i].data = ipc_get_slice(in);
		in->bad = in->bad || c->binding[i].data.n > BINDING_MAX;
	}
	c->certificate = ipc_get_slice(in);
	in->bad = in->bad || c->certificate.n > CLIENT_CERT_MAX;
}

static enum err
take_sasl(void *arg, struct ipc_in *in)
{
	struct auth_worker *w = arg;
	struct connection c;
	struct signin *s;
	struct head h;
	enum err e;

	get_head(w, in, &h);
	struct slice mechanism = ipc_get_slice(in);
	get_connection(in, &c);
	bool has_initial = ipc_get_u8(in) != 0;
	struct slice initial = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK ||
	    (e = begin(w, &h, "SASL", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_sasl(s, mechanism, &c, has_initial ? &initial : NULL);
	return E_OK;
}

static enum err
take_kpop(void *arg, struct ipc_in *in)
{
	struct auth_worker *w = arg;
	struct signin *s;
	struct head h;
	enum err e;

	get_head(w, in, &h);
	struct slice message = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK ||
	    (e = begin(w, &h, "KPOP", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_kpop(s, message);
	return E_OK;
}

static enum err
take_service(void *arg, struct ipc_in *in)
{
	struct auth_worker *w = arg;
	struct head h = { .gone = false };
	struct signin *s;
	enum err e;

	h.sid = ipc_get_u64(in);
	uint8_t service = ipc_get_u8(in);
	ipc_get_str(in, h.peer, sizeof(h.peer));
	h.tls = ipc_get_u8_to(in, SESSION_TLS) != 0;
	struct slice mechanism = ipc_get_slice(in);
	bool has_initial = ipc_get_u8(in) != 0;
	struct slice initial = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK)
		return e;
	if (service >= w->n_services)
		return E_FORMAT;
	if ((e = begin(w, &h, "SASL", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_service(s, w->service[service].name, mechanism,
		    has_initial ? &initial : NULL);
	return E_OK;
}

static enum err
take_step(void *arg, struct ipc_in *in)
{
	uint64_t sid = ipc_get_u64(in);
	struct slice response = ipc_get_slice(in);
	struct auth_slot *slot = auth_slot_find(arg, sid);
	enum err e;

	if ((e = ipc_get_end(in)) != E_OK)
		return e;
	return slot != NULL && slot->signin != NULL
		   ? signin_step(slot->signin, response)
		   : E_FORMAT;
}

static enum err
take_end(void *arg, struct ipc_in *in)
{
	struct auth_worker *w = arg;
	struct auth_slot *slot = auth_slot_find(w, ipc_get_u64(in));
	enum err e;

	if ((e = ipc_get_end(in)) != E_OK)
		return e;
	/* The answer may have crossed it. */
	if (slot != NULL && slot->signin != NULL)
		signin_abandon(slot->signin);
	else if (slot != NULL)
		login_delay_spare(w->auth->delays, slot->counted, clock_ms());
	return E_OK;
}

/* Its sessions have ended; which were over before is not known. */
static void
worker_free(struct auth_worker *w)
{
	uint64_t now = clock_ms();

	ipc_close(w->chan);
	LIST_REMOVE(w, entry);
	for (size_t i = 0; i < w->n_slots; i++) {
		if (w->slot[i].signin != NULL)
			signin_abandon(w->slot[i].signin);
		login_delay_spare(w->auth->delays, w->slot[i].counted, now);
	}
	free(w->slot);
	free(w);
}

static void
worker_gone(void *arg, enum err why)
{
	struct auth_worker *w = arg;

	role_link_lost(&w->auth->role, w->role,
	    w->role == ROLE_WORKER ? w->index : 0, why);
	worker_free(w);
}

static const struct ipc_rule worker_rule[] = {
	{ IPC_PASS, 1, 1, 4096, take_pass },
	{ IPC_APOP, 1, 1, 4096, take_apop },
	{ IPC_SASL, 1, 1, TICKET_MAX + 2048 + CLIENT_CERT_MAX, take_sasl },
	{ IPC_SASL_STEP, 1, 0, TICKET_MAX + 64, take_step },
	{ IPC_KPOP, 1, 1, TICKET_MAX + 256, take_kpop },
	{ IPC_SIGN_IN_END, 1, 0, 8, take_end },
};

static const struct ipc_rules worker_rules = { worker_rule,
	sizeof(worker_rule) / sizeof(worker_rule[0]), worker_gone };

static const struct ipc_rule sasl_rule[] = {
	{ IPC_SERVICE, 1, 0, TOKEN_MESSAGE_MAX + 256, take_service },
	{ IPC_SASL_STEP, 1, 0, TOKEN_MESSAGE_MAX + 64, take_step },
	{ IPC_SIGN_IN_END, 1, 0, 8, take_end },
};

static const struct ipc_rules sasl_rules = { sasl_rule,
	sizeof(sasl_rule) / sizeof(sasl_rule[0]), worker_gone };

void
auth_worker_attach(struct auth *a, const struct role_peer *peer, int fd)
{
	const enum ipc_role role = peer->role;
	struct auth_worker *w;

	LIST_FOREACH (w, &a->workers, entry)
		if (w->index == peer->index)
			break;
	if (w != NULL)
		worker_free(w);
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		close(fd);
		return;
	}
	w->auth = a;
	w->role = role;
	w->index = peer->index;
	w->pid = peer->pid;
	memcpy(w->service, a->conf.service, sizeof(w->service));
	w->n_services = a->conf.n_services;
	if ((w->chan = ipc_open(a->loop, fd,
		 role == ROLE_SASL ? &sasl_rules : &worker_rules, w, true)) ==
	    NULL) {
		free(w);
		return;
	}
	LIST_INSERT_HEAD(&a->workers, w, entry);
	served_tell(a, w);
}

void
auth_sasl_attach(struct auth *a, int fd)
{
	const struct role_peer peer = { ROLE_SASL, SASL_INDEX, 0 };

	auth_worker_attach(a, &peer, fd);
}

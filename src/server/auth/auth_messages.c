#include "server/auth/auth_messages.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/auth/signin.h"
#include "server/auth/stores.h"

/* A pop3 process numbers its sessions so that the low bits of a sid are a
 * place in its own table, and so are they here. */
enum { SLOT_BITS = 20 };

/* What is known of a session. */
struct slot {
	uint64_t sid;
	struct signin *signin; /* NULL: none at the moment */
	uint32_t store;        /* serial of the one it was given to, or 0 */
};

struct client {
	LIST_ENTRY(client) entry;
	struct auth *auth;
	struct ipc_chan *chan;
	struct slot *slot;
	size_t n_slots;
	uint16_t index;
};

struct auth *
client_auth(const struct client *c)
{
	return c->auth;
}

uint16_t
client_index(const struct client *c)
{
	return c->index;
}

/* ---- sessions ---- */

static struct slot *
slot_find(struct client *c, uint64_t sid)
{
	size_t i = sid & ((1 << SLOT_BITS) - 1);

	return i < c->n_slots && c->slot[i].sid == sid ? &c->slot[i] : NULL;
}

/* The slot for a session that may be new; NULL: memory. */
static struct slot *
slot_make(struct client *c, uint64_t sid)
{
	size_t i = sid & ((1 << SLOT_BITS) - 1), n = c->n_slots;
	struct slot *more;

	if (i >= n) {
		for (n = n != 0 ? n : 64; n <= i; n *= 2)
			;
		more = realloc(c->slot, n * sizeof(*more));
		if (more == NULL)
			return NULL;
		memset(more + c->n_slots, 0, (n - c->n_slots) * sizeof(*more));
		c->slot = more;
		c->n_slots = n;
	}
	if (c->slot[i].sid != sid) {
		if (c->slot[i].signin != NULL)
			signin_abandon(c->slot[i].signin);
		c->slot[i] = (struct slot){ .sid = sid };
	}
	return &c->slot[i];
}

void
client_refuse(struct client *c, uint64_t sid, enum sign_in_code code,
    const char *user, const char *why)
{
	ipc_begin(c->chan, IPC_REFUSED);
	ipc_put_u64(c->chan, sid);
	ipc_put_u8(c->chan, (uint8_t)code);
	ipc_put_str(c->chan, user);
	ipc_put_str(c->chan, why);
	if (ipc_end(c->chan) != E_OK)
		log_line(LOG_FAULT, "ev=unanswered sid=%u.%llx", c->index,
		    (unsigned long long)sid);
}

void
client_challenge(struct client *c, uint64_t sid, struct slice challenge)
{
	ipc_begin(c->chan, IPC_CHALLENGE);
	ipc_put_u64(c->chan, sid);
	ipc_put_bytes(c->chan, challenge.p, challenge.n);
	if (ipc_end(c->chan) != E_OK)
		log_line(LOG_FAULT, "ev=unanswered sid=%u.%llx", c->index,
		    (unsigned long long)sid);
}

void
client_signed_in(struct client *c, uint64_t sid, uint32_t store)
{
	struct slot *slot = slot_find(c, sid);

	if (slot == NULL)
		return;
	slot->signin = NULL;
	slot->store = store;
}

void
clients_store_died(struct auth *a, uint32_t store)
{
	struct client *c;

	LIST_FOREACH (c, &a->clients, entry)
		for (size_t i = 0; i < c->n_slots; i++) {
			struct slot *slot = &c->slot[i];

			if (slot->store != store)
				continue;
			slot->store = 0;
			client_refuse(
			    c, slot->sid, SIGN_IN_TEMPORARY, "", "store-died");
		}
}

/* ---- messages ---- */

/* Begins a sign-in, or refuses it.  E_FORMAT: the session has one already. */
static enum err
begin(struct client *c, uint64_t sid, const char *peer, const char *method,
    struct signin **s_r)
{
	struct slot *slot = slot_make(c, sid);

	*s_r = NULL;
	if (slot != NULL && slot->signin != NULL)
		return E_FORMAT;
	if (slot == NULL || (*s_r = signin_new(c, sid, peer, method)) == NULL) {
		client_refuse(c, sid, SIGN_IN_TEMPORARY, "", "memory");
		return E_OK;
	}
	slot->signin = *s_r;
	slot->store = 0;
	return E_OK;
}

/* The fields that all requests begin with. */
struct head {
	uint64_t sid;
	char peer[PEER_MAX];
};

static void
get_head(struct ipc_in *in, struct head *h)
{
	h->sid = ipc_get_u64(in);
	ipc_get_u8(in);
	ipc_get_str(in, h->peer, sizeof(h->peer));
}

static enum err
take_pass(void *arg, struct ipc_in *in)
{
	struct client *c = arg;
	struct signin *s;
	struct head h;
	enum err e;

	get_head(in, &h);
	struct slice name = ipc_get_slice(in);
	struct slice password = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK ||
	    (e = begin(c, h.sid, h.peer, "PASS", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_pass(s, name, password);
	return E_OK;
}

static enum err
take_apop(void *arg, struct ipc_in *in)
{
	struct client *c = arg;
	struct signin *s;
	struct head h;
	enum err e;

	get_head(in, &h);
	struct slice name = ipc_get_slice(in);
	struct slice timestamp = ipc_get_slice(in);
	struct slice digest = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK)
		return e;
	if (!c->auth->conf.apop || digest.n != APOP_DIGEST)
		return E_FORMAT;
	if ((e = begin(c, h.sid, h.peer, "APOP", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_apop(s, name, timestamp, (const void *)digest.p);
	return E_OK;
}

static enum err
take_sasl(void *arg, struct ipc_in *in)
{
	struct client *c = arg;
	struct signin *s;
	struct head h;
	enum err e;

	get_head(in, &h);
	struct slice mechanism = ipc_get_slice(in);
	bool has_initial = ipc_get_u8(in) != 0;
	struct slice initial = ipc_get_slice(in);

	if ((e = ipc_get_end(in)) != E_OK ||
	    (e = begin(c, h.sid, h.peer, "SASL", &s)) != E_OK)
		return e;
	if (s != NULL)
		signin_sasl(s, mechanism, has_initial ? &initial : NULL);
	return E_OK;
}

static enum err
take_step(void *arg, struct ipc_in *in)
{
	uint64_t sid = ipc_get_u64(in);
	struct slice response = ipc_get_slice(in);
	struct slot *slot = slot_find(arg, sid);
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
	struct slot *slot = slot_find(arg, ipc_get_u64(in));
	enum err e;

	if ((e = ipc_get_end(in)) != E_OK)
		return e;
	/* The answer may have crossed it. */
	if (slot != NULL && slot->signin != NULL)
		signin_abandon(slot->signin);
	return E_OK;
}

static void
client_free(struct client *c)
{
	ipc_close(c->chan);
	LIST_REMOVE(c, entry);
	for (size_t i = 0; i < c->n_slots; i++)
		if (c->slot[i].signin != NULL)
			signin_abandon(c->slot[i].signin);
	free(c->slot);
	free(c);
}

static void
client_gone(void *arg, enum err why)
{
	struct client *c = arg;

	auth_link_lost(c->auth, ROLE_POP3, c->index, why);
	client_free(c);
}

static const struct ipc_rule client_rule[] = {
	{ IPC_PASS, 1, 0, 4096, take_pass },
	{ IPC_APOP, 1, 0, 4096, take_apop },
	{ IPC_SASL, 1, 0, SASL_MAX + 1024, take_sasl },
	{ IPC_SASL_STEP, 1, 0, SASL_MAX + 64, take_step },
	{ IPC_SIGN_IN_END, 1, 0, 8, take_end },
};

static const struct ipc_rules client_rules = { client_rule,
	sizeof(client_rule) / sizeof(client_rule[0]), client_gone };

void
client_attach(struct auth *a, uint16_t index, int fd)
{
	struct client *c;

	LIST_FOREACH (c, &a->clients, entry)
		if (c->index == index)
			break;
	if (c != NULL)
		client_free(c);
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return;
	}
	c->auth = a;
	c->index = index;
	if ((c->chan = ipc_open(a->loop, fd, &client_rules, c, true)) == NULL) {
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&a->clients, c, entry);
}

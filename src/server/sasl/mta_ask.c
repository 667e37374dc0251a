#include "server/sasl/mta_ask.h"

#include <assert.h>

/* See auth_worker.c, which has a table of its own by the same bits. */
enum { SLOT_BITS = 20 };

static_assert(SIGN_INS_MAX <= 1 << SLOT_BITS, "a place fits");

void
mta_ask_init(struct sasl_process *p)
{
	while (p->n_free < SIGN_INS_MAX) {
		p->free_slot[p->n_free] =
		    (uint16_t)(SIGN_INS_MAX - 1 - p->n_free);
		p->n_free++;
	}
}

static struct mta_slot *
slot_of(const struct sasl_process *p, uint64_t sid)
{
	size_t i = sid & ((1 << SLOT_BITS) - 1);
	const struct mta_slot *s = i < SIGN_INS_MAX ? &p->slot[i] : NULL;

	return s != NULL && s->conn != NULL && s->sid == sid
		   ? (struct mta_slot *)s
		   : NULL;
}

struct mta_conn *
mta_ask_whose(const struct sasl_process *p, uint64_t sid)
{
	const struct mta_slot *s = slot_of(p, sid);

	return s != NULL ? s->conn : NULL;
}

void
mta_ask_over(struct sasl_process *p, uint64_t sid)
{
	struct mta_slot *s = slot_of(p, sid);

	if (s == NULL)
		return;
	s->conn = NULL;
	p->free_slot[p->n_free++] = (uint16_t)(s - p->slot);
}

uint64_t
mta_ask_begin(struct sasl_process *p, struct mta_conn *conn, uint8_t service,
    const struct mta_sign_in *s)
{
	uint16_t at;
	uint64_t sid;

	if (p->auth == NULL || ipc_is_full(p->auth) || p->n_free == 0)
		return 0;
	at = p->free_slot[p->n_free - 1];
	sid = ++p->serial << SLOT_BITS | at;
	ipc_begin(p->auth, IPC_SERVICE);
	ipc_put_u64(p->auth, sid);
	ipc_put_u8(p->auth, service);
	ipc_put_str(p->auth, s->peer);
	ipc_put_u8(p->auth, s->tls ? SESSION_TLS : 0);
	ipc_put_bytes(p->auth, s->mechanism.p, s->mechanism.n);
	ipc_put_u8(p->auth, s->has_initial);
	ipc_put_bytes(
	    p->auth, s->initial.n != 0 ? s->initial.p : "", s->initial.n);
	if (ipc_end(p->auth) != E_OK)
		return 0;
	p->n_free--;
	p->slot[at] = (struct mta_slot){ sid, conn };
	return sid;
}

enum err
mta_ask_step(struct sasl_process *p, uint64_t sid, struct slice response)
{
	if (p->auth == NULL)
		return E_CLOSED;
	ipc_begin(p->auth, IPC_SASL_STEP);
	ipc_put_u64(p->auth, sid);
	ipc_put_bytes(p->auth, response.n != 0 ? response.p : "", response.n);
	return ipc_end(p->auth);
}

/* If it cannot be said, auth ends it when the channel ends, at the latest. */
void
mta_ask_end(struct sasl_process *p, uint64_t sid)
{
	mta_ask_over(p, sid);
	if (p->auth == NULL)
		return;
	ipc_begin(p->auth, IPC_SIGN_IN_END);
	ipc_put_u64(p->auth, sid);
	(void)!ipc_end(p->auth);
}

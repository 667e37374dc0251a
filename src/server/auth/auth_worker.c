#include "server/auth/auth_worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/auth/login_delay.h"

/* A worker numbers its sessions so that the low bits of a sid are a place in
 * its own table, and so are they here. */
enum { SLOT_BITS = 20 };

struct auth_slot *
auth_slot_find(struct auth_worker *w, uint64_t sid)
{
	size_t i = sid & ((1 << SLOT_BITS) - 1);

	return i < w->n_slots && w->slot[i].sid == sid ? &w->slot[i] : NULL;
}

struct auth_slot *
auth_slot_for(struct auth_worker *w, uint64_t sid)
{
	size_t i = sid & ((1 << SLOT_BITS) - 1), n = w->n_slots;
	struct auth_slot *more;

	if (i >= n) {
		for (n = n != 0 ? n : 64; n <= i; n *= 2)
			;
		more = realloc(w->slot, n * sizeof(*more));
		if (more == NULL)
			return NULL;
		memset(more + w->n_slots, 0, (n - w->n_slots) * sizeof(*more));
		w->slot = more;
		w->n_slots = n;
	}
	return &w->slot[i];
}

uint64_t
auth_worker_token(struct auth_worker *w, uint64_t sid)
{
	const struct auth_slot *slot = auth_slot_find(w, sid);

	return slot != NULL ? slot->token : 0;
}

void
auth_worker_refuse(struct auth_worker *w, uint64_t sid, const struct refusal *r)
{
	ipc_begin(w->chan, IPC_REFUSED);
	ipc_put_u64(w->chan, sid);
	ipc_put_u8(w->chan, (uint8_t)r->code);
	ipc_put_str(w->chan, r->user);
	ipc_put_bytes(
	    w->chan, r->krb_error.n != 0 ? r->krb_error.p : "", r->krb_error.n);
	ipc_put_u32(w->chan, r->seconds);
	if (ipc_end(w->chan) != E_OK)
		log_line(LOG_FAULT, "ev=unanswered sid=%u.%llx", w->index,
		    (unsigned long long)sid);
}

void
auth_worker_refuse_now(struct auth_worker *w, uint64_t sid)
{
	const struct refusal r = { .code = SIGN_IN_TEMPORARY, .user = "" };

	auth_worker_refuse(w, sid, &r);
}

void
auth_worker_challenge(
    struct auth_worker *w, uint64_t sid, struct slice challenge)
{
	ipc_begin(w->chan, IPC_CHALLENGE);
	ipc_put_u64(w->chan, sid);
	ipc_put_bytes(w->chan, challenge.p, challenge.n);
	if (ipc_end(w->chan) != E_OK)
		log_line(LOG_FAULT, "ev=unanswered sid=%u.%llx", w->index,
		    (unsigned long long)sid);
}

void
auth_worker_accept(struct auth_worker *w, uint64_t sid, const char *user)
{
	ipc_begin(w->chan, IPC_SIGNED_IN);
	ipc_put_u64(w->chan, sid);
	ipc_put_str(w->chan, user);
	if (ipc_end(w->chan) != E_OK)
		log_line(LOG_FAULT, "ev=unanswered sid=%u.%llx", w->index,
		    (unsigned long long)sid);
}

void
auth_worker_served(struct auth_worker *w, const char *names, uint64_t half,
    struct announced announced, const struct login_delay_range *delays)
{
	ipc_begin(w->chan, IPC_SERVED);
	ipc_put_str(w->chan, names);
	ipc_put_u64(w->chan, half);
	ipc_put_u32(w->chan, announced.least);
	ipc_put_u8(w->chan, announced.differs);
	ipc_put_u32(w->chan, delays->most);
	ipc_put_u8(w->chan, delays->least != delays->most);
	if (ipc_end(w->chan) != E_OK)
		log_line(LOG_FAULT, "ev=unanswered worker=%u", w->index);
}

void
auth_worker_signed_in(struct auth_worker *w, uint64_t sid, uint32_t store,
    struct login_mark counted)
{
	struct auth_slot *slot = auth_slot_find(w, sid);

	if (slot == NULL)
		return;
	slot->signin = NULL;
	slot->store = store;
	slot->counted = counted;
}

/* If its session has begun, it has ended with its store. */
static void
refuse_slot(struct auth_worker *w, struct auth_slot *slot)
{
	slot->store = 0;
	login_delay_spare(w->auth->delays, slot->counted, clock_ms());
	auth_worker_refuse_now(w, slot->sid);
}

void
auth_worker_unplaced(struct auth *a, const struct role_peer *worker,
    uint64_t sid, uint32_t store)
{
	struct auth_worker *w;
	struct auth_slot *slot;

	LIST_FOREACH (w, &a->workers, entry)
		if (w->index == worker->index && w->pid == worker->pid &&
		    (slot = auth_slot_find(w, sid)) != NULL &&
		    slot->store == store)
			refuse_slot(w, slot);
}

void
auth_workers_store_died(struct auth *a, uint32_t store)
{
	struct auth_worker *w;

	LIST_FOREACH (w, &a->workers, entry)
		for (size_t i = 0; i < w->n_slots; i++)
			if (w->slot[i].store == store)
				refuse_slot(w, &w->slot[i]);
}

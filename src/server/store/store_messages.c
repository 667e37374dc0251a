#include "server/store/store_messages.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/ipc/index.h"
#include "server/store/request.h"

static struct claim *
first_live_claim(struct store_worker *w)
{
	struct claim *c;

	for (unsigned i = 0; i < SID_BUCKETS; i++)
		LIST_FOREACH (c, &w->by_sid[i], by_sid)
			if (c->state != CLAIM_ENDING)
				return c;
	return NULL;
}

void
store_worker_release(struct store_worker *w)
{
	struct claim *c;

	w->n_sessions++; /* so that it outlives the last of them */
	while ((c = first_live_claim(w)) != NULL)
		claim_release(c);
	w->n_sessions--;
	store_worker_put(w);
}

/* The worker may live, and wait for an answer that was on its way. */
static void
tell_cut_off(const struct store_worker *w)
{
	const struct role_peer peer = { ROLE_WORKER, w->index, w->pid };
	const struct claim *c;

	for (unsigned i = 0; i < SID_BUCKETS; i++)
		LIST_FOREACH (c, &w->by_sid[i], by_sid)
			if (c->state != CLAIM_ENDING)
				store_tell_no_worker(w->store, &peer, c->sid);
}

void
store_worker_gone(void *arg, enum err why)
{
	struct store_worker *w = arg;

	role_link_lost(&w->store->role, ROLE_WORKER, w->index, why);
	ipc_close(w->chan);
	w->chan = NULL;
	tell_cut_off(w);
	store_worker_release(w);
}

void
store_worker_drain_all(struct store *st)
{
	struct store_worker *w, *next;

	for (w = LIST_FIRST(&st->workers); w != NULL; w = next) {
		next = LIST_NEXT(w, entry);
		if (w->chan != NULL)
			ipc_drain(w->chan);
	}
}

/* A session that ended a moment ago may still be spoken of. */
static enum err
take_sid(struct store_worker *w, struct ipc_in *in, struct claim **c_r)
{
	uint64_t sid = ipc_get_u64(in);
	enum err e = ipc_get_end(in);

	*c_r = e == E_OK ? claim_find(w, sid) : NULL;
	return e;
}

static enum err
take_index(void *arg, struct ipc_in *in)
{
	struct claim *c;
	enum err e = take_sid(arg, in, &c);

	return e != E_OK || c == NULL ? E_FORMAT : claim_view(c);
}

static enum err
take_commit(void *arg, struct ipc_in *in)
{
	struct claim *c;
	enum err e = take_sid(arg, in, &c);

	return e != E_OK || c == NULL ? E_FORMAT : claim_commit(c);
}

static enum err
take_release(void *arg, struct ipc_in *in)
{
	struct claim *c;
	enum err e = take_sid(arg, in, &c);

	if (c != NULL)
		claim_release(c);
	return e;
}

static enum err
take_keep(void *arg, struct ipc_in *in)
{
	struct claim *c;
	enum err e = take_sid(arg, in, &c);

	if (c != NULL)
		claim_keep(c);
	return e;
}

static enum err
take_fetch(void *arg, struct ipc_in *in)
{
	struct claim *c = claim_find(arg, ipc_get_u64(in));
	unsigned n = ipc_get_u8_to(in, IPC_FDS);
	uint32_t msgno[IPC_FDS];

	for (unsigned i = 0; i < n; i++)
		msgno[i] = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	return ipc_get_end(in) != E_OK || c == NULL ? E_FORMAT
						    : claim_fetch(c, msgno, n);
}

static enum err
take_marks(void *arg, struct ipc_in *in)
{
	struct claim *c = claim_find(arg, ipc_get_u64(in));
	enum mark_kind kind = (enum mark_kind)ipc_get_u8_to(in, MARK_KINDS - 1);
	uint32_t first = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	struct slice bitmap = ipc_get_slice(in);

	return ipc_get_end(in) != E_OK || c == NULL
		   ? E_FORMAT
		   : claim_mark(c, kind, first, bitmap);
}

static enum err
take_doubt(void *arg, struct ipc_in *in)
{
	struct claim *c = claim_find(arg, ipc_get_u64(in));
	uint32_t msgno = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return c == NULL ? E_OK : claim_doubt(c, msgno);
}

static enum err
take_closed(void *arg, struct ipc_in *in)
{
	struct claim *c = claim_find(arg, ipc_get_u64(in));
	uint64_t octets = ipc_get_u64(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return c == NULL ? E_OK : claim_closed(c, octets);
}

static const struct ipc_rule worker_rule[] = {
	{ IPC_INDEX, 1, 0, 8, take_index },
	{ IPC_FETCH, 1, 0, 8 + 1 + IPC_FDS * 4, take_fetch },
	{ IPC_MARKS, 1, 0, 8 + 1 + 4 + 4 + MARKS_CHUNK, take_marks },
	{ IPC_COMMIT, 1, 0, 8, take_commit },
	{ IPC_RELEASE, 1, 0, 8, take_release },
	{ IPC_KEEP, 1, 0, 8, take_keep },
	{ IPC_DOUBT, 1, 0, 8 + 4, take_doubt },
	{ IPC_CLOSED, 1, 0, 8 + 8, take_closed },
};

static const struct ipc_rules worker_rules = { worker_rule,
	sizeof(worker_rule) / sizeof(worker_rule[0]), store_worker_gone };

void
store_worker_attach(struct store *st, const struct role_peer *peer, int fd)
{
	struct store_worker *w = store_worker_find(st, peer->index);

	/* Its predecessor has gone; what it still said counts. */
	if (w != NULL)
		ipc_drain(w->chan);
	if ((w = store_worker_find(st, peer->index)) != NULL)
		store_worker_gone(w, E_CLOSED);
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		close(fd);
		return;
	}
	w->store = st;
	w->index = peer->index;
	w->pid = peer->pid;
	w->chan = ipc_open(st->loop, fd, &worker_rules, w, false);
	if (w->chan == NULL) {
		free(w);
		return;
	}
	ipc_answer_first(w->chan);
	LIST_INSERT_HEAD(&st->workers, w, entry);
}

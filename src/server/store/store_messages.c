#include "server/store/store_messages.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/ipc/index.h"
#include "server/store/request.h"

static struct tenant *
first_live(struct peer *p)
{
	struct tenant *s;

	for (unsigned i = 0; i < PEER_BUCKETS; i++)
		LIST_FOREACH (s, &p->by_sid[i], by_sid)
			if (s->state != TENANT_ENDING)
				return s;
	return NULL;
}

void
peer_release(struct peer *p)
{
	struct tenant *s;

	p->n_sessions++; /* so that it outlives the last of them */
	while ((s = first_live(p)) != NULL)
		tenant_release(s);
	p->n_sessions--;
	peer_put(p);
}

void
peer_gone(void *arg, enum err why)
{
	struct peer *p = arg;

	role_link_lost(&p->store->role, ROLE_WORKER, p->index, why);
	ipc_close(p->chan);
	p->chan = NULL;
	peer_release(p);
}

void
peer_drain_all(struct store *st)
{
	struct peer *p, *next;

	for (p = LIST_FIRST(&st->peers); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		if (p->chan != NULL)
			ipc_drain(p->chan);
	}
}

/* A session that ended a moment ago may still be spoken of. */
static enum err
take_sid(struct peer *p, struct ipc_in *in, struct tenant **s_r)
{
	uint64_t sid = ipc_get_u64(in);
	enum err e = ipc_get_end(in);

	*s_r = e == E_OK ? tenant_find(p, sid) : NULL;
	return e;
}

static enum err
take_index(void *arg, struct ipc_in *in)
{
	struct tenant *s;
	enum err e = take_sid(arg, in, &s);

	return e != E_OK || s == NULL ? E_FORMAT : tenant_view(s);
}

static enum err
take_commit(void *arg, struct ipc_in *in)
{
	struct tenant *s;
	enum err e = take_sid(arg, in, &s);

	return e != E_OK || s == NULL ? E_FORMAT : tenant_commit(s);
}

static enum err
take_release(void *arg, struct ipc_in *in)
{
	struct tenant *s;
	enum err e = take_sid(arg, in, &s);

	if (s != NULL)
		tenant_release(s);
	return e;
}

static enum err
take_keep(void *arg, struct ipc_in *in)
{
	struct tenant *s;
	enum err e = take_sid(arg, in, &s);

	if (s != NULL)
		tenant_keep(s);
	return e;
}

static enum err
take_fetch(void *arg, struct ipc_in *in)
{
	struct tenant *s = tenant_find(arg, ipc_get_u64(in));
	unsigned n = ipc_get_u8_to(in, IPC_FDS);
	uint32_t msgno[IPC_FDS];

	for (unsigned i = 0; i < n; i++)
		msgno[i] = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	return ipc_get_end(in) != E_OK || s == NULL ? E_FORMAT
						    : tenant_fetch(s, msgno, n);
}

static enum err
take_marks(void *arg, struct ipc_in *in)
{
	struct tenant *s = tenant_find(arg, ipc_get_u64(in));
	enum mark_kind kind = (enum mark_kind)ipc_get_u8_to(in, MARK_SEEN);
	uint32_t first = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);
	struct slice bitmap = ipc_get_slice(in);

	return ipc_get_end(in) != E_OK || s == NULL
		   ? E_FORMAT
		   : tenant_mark(s, kind, first, bitmap);
}

static enum err
take_doubt(void *arg, struct ipc_in *in)
{
	struct tenant *s = tenant_find(arg, ipc_get_u64(in));
	uint32_t msgno = ipc_get_u32_to(in, INDEX_MESSAGES_MAX);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return s == NULL ? E_OK : tenant_doubt(s, msgno);
}

static const struct ipc_rule worker_rule[] = {
	{ IPC_INDEX, 1, 0, 8, take_index },
	{ IPC_FETCH, 1, 0, 8 + 1 + IPC_FDS * 4, take_fetch },
	{ IPC_MARKS, 1, 0, 8 + 1 + 4 + 4 + MARKS_CHUNK, take_marks },
	{ IPC_COMMIT, 1, 0, 8, take_commit },
	{ IPC_RELEASE, 1, 0, 8, take_release },
	{ IPC_KEEP, 1, 0, 8, take_keep },
	{ IPC_DOUBT, 1, 0, 8 + 4, take_doubt },
};

static const struct ipc_rules worker_rules = { worker_rule,
	sizeof(worker_rule) / sizeof(worker_rule[0]), peer_gone };

void
peer_attach(struct store *st, uint16_t index, int fd)
{
	struct peer *p = peer_find(st, index);

	/* Its predecessor has gone; what it still said counts. */
	if (p != NULL)
		ipc_drain(p->chan);
	if ((p = peer_find(st, index)) != NULL)
		peer_gone(p, E_CLOSED);
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		close(fd);
		return;
	}
	p->store = st;
	p->index = index;
	p->chan = ipc_open(st->loop, fd, &worker_rules, p, false);
	if (p->chan == NULL) {
		free(p);
		return;
	}
	ipc_answer_first(p->chan);
	LIST_INSERT_HEAD(&st->peers, p, entry);
}

#include "server/store/store_worker.h"

#include <stdlib.h>

struct peer *
peer_find(struct store *st, uint16_t index)
{
	struct peer *p;

	LIST_FOREACH (p, &st->peers, entry)
		if (p->chan != NULL && p->index == index)
			return p;
	return NULL;
}

void
peer_put(struct peer *p)
{
	if (p->chan != NULL || p->n_sessions != 0)
		return;
	LIST_REMOVE(p, entry);
	free(p);
}

bool
peer_answer_begin(struct peer *p, uint16_t type, uint64_t sid)
{
	if (p->chan == NULL)
		return false;
	ipc_begin(p->chan, type);
	ipc_put_u64(p->chan, sid);
	return true;
}

void
peer_answer_end(struct peer *p)
{
	if (ipc_end(p->chan) != E_OK)
		p->broken = true;
}

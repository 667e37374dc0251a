#include "server/store/store_worker.h"

#include <stdlib.h>

#include "base/log.h"

struct store_worker *
store_worker_find(struct store *st, uint16_t index)
{
	struct store_worker *w;

	LIST_FOREACH (w, &st->workers, entry)
		if (w->chan != NULL && w->index == index)
			return w;
	return NULL;
}

void
store_worker_put(struct store_worker *w)
{
	if (w->chan != NULL || w->n_sessions != 0)
		return;
	LIST_REMOVE(w, entry);
	free(w);
}

bool
store_answer_begin(struct store_worker *w, uint16_t type, uint64_t sid)
{
	if (w->chan == NULL)
		return false;
	ipc_begin(w->chan, type);
	ipc_put_u64(w->chan, sid);
	return true;
}

void
store_answer_end(struct store_worker *w)
{
	if (ipc_end(w->chan) != E_OK)
		w->broken = true;
}

void
store_tell_no_worker(
    const struct store *st, const struct role_peer *w, uint64_t sid)
{
	enum err e;

	if (st->auth == NULL)
		return;
	ipc_begin(st->auth, IPC_NO_WORKER);
	ipc_put_u16(st->auth, w->index);
	ipc_put_u64(st->auth, sid);
	ipc_put_u32(st->auth, w->pid);
	if ((e = ipc_end(st->auth)) != E_OK)
		log_line(LOG_FAULT, "ev=queue error=\"%s\"", err_str(e));
}

void
store_tell_unopened(const struct store *st, struct login_mark counted)
{
	enum err e;

	if (st->auth == NULL)
		return; /* it has forgotten all sign-ins */
	ipc_begin(st->auth, IPC_UNOPENED);
	ipc_put_login_mark(st->auth, counted);
	if ((e = ipc_end(st->auth)) != E_OK)
		log_line(LOG_FAULT, "ev=queue error=\"%s\"", err_str(e));
}

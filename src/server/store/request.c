/*
 * What an open session asks for: its view, messages, marks, and its end.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/op.h"
#include "server/store/request.h"

enum {
	OPS_MAX = 32,            /* of one session at a time */
	NOTED_MAX = OPS_MAX / 2, /* doubts: they leave room for what is asked */
};

/* A client decides how much is asked of us at a time: what is too much is
 * answered as what cannot be had now, and is no fault of its worker. */
static struct op *
op_for(struct tenant *s, void (*run)(struct job *), void (*done)(struct job *))
{
	return s->ops < OPS_MAX ? op_new(s, run, done, false) : NULL;
}

/* ---- the index ---- */

static void
run_view(struct job *j)
{
	struct op *op = (struct op *)j;
	struct drop *d = op->s->drop;

	op->e = d->kind->view(d, false, &op->view.fd, &op->view.end);
}

static bool
now_view(struct op *op)
{
	struct drop *d = op->s->drop;

	op->e = d->kind->view(d, true, &op->view.fd, &op->view.end);
	return op->e == E_OK;
}

static void
answer_view(struct tenant *s, enum err e, int fd, uint64_t end)
{
	struct ipc_chan *c = s->peer->chan;

	if (!peer_answer_begin(s->peer, IPC_INDEX_IS, s->sid)) {
		if (e == E_OK)
			close(fd);
		return;
	}
	ipc_put_u8(c, e == E_OK);
	ipc_put_u64(c, e == E_OK ? end : 0);
	if (e == E_OK)
		ipc_put_fd(c, fd, true);
	peer_answer_end(s->peer);
}

static void
done_view(struct job *j)
{
	struct op *op = (struct op *)j;

	answer_view(op->s, op->e, op->view.fd, op->view.end);
	tenant_op_done(op);
}

enum err
tenant_view(struct tenant *s)
{
	struct op *op;

	if (s->state != TENANT_OPEN)
		return E_FORMAT;
	if ((op = op_for(s, run_view, done_view)) != NULL)
		op_add_now(op, now_view);
	else
		answer_view(s, E_NOMEM, -1, 0);
	return E_OK;
}

/* ---- messages ---- */

static void
run_fetch(struct job *j)
{
	struct op *op = (struct op *)j;
	struct drop *d = op->s->drop;

	(void)d->kind->fetch(d, false, op->fetch.m, op->fetch.n);
}

static bool
now_fetch(struct op *op)
{
	struct drop *d = op->s->drop;

	return d->kind->fetch(d, true, op->fetch.m, op->fetch.n);
}

static void
answer_fetch(struct tenant *s, const struct drop_message *m, unsigned n)
{
	struct ipc_chan *c = s->peer->chan;
	bool told = peer_answer_begin(s->peer, IPC_FETCHED, s->sid);

	if (told) {
		ipc_put_u8(c, (uint8_t)n);
		for (unsigned i = 0; i < n; i++) {
			ipc_put_u32(c, m[i].msgno);
			ipc_put_u8(c, (uint8_t)m[i].status);
			ipc_put_u64(c, m[i].offset);
			ipc_put_u64(c, m[i].stored);
			ipc_put_u64(c, m[i].wire);
		}
	}
	for (unsigned i = 0; i < n; i++)
		if (m[i].status == FETCH_OK && told)
			ipc_put_fd(c, m[i].fd, true);
		else if (m[i].status == FETCH_OK)
			close(m[i].fd);
	if (told)
		peer_answer_end(s->peer);
}

static void
done_fetch(struct job *j)
{
	struct op *op = (struct op *)j;

	answer_fetch(op->s, op->fetch.m, op->fetch.n);
	tenant_op_done(op);
}

enum err
tenant_fetch(struct tenant *s, const uint32_t *msgno, unsigned n)
{
	struct drop_message failed[IPC_FDS] = { { .msgno = 0 } };
	struct op *op;

	if (s->state != TENANT_OPEN || n == 0 || n > IPC_FDS)
		return E_FORMAT;
	for (unsigned i = 0; i < n; i++) {
		if (msgno[i] == 0 || msgno[i] > s->count)
			return E_FORMAT;
		failed[i].msgno = msgno[i];
		failed[i].status = FETCH_FAILED;
	}
	if ((op = op_for(s, run_fetch, done_fetch)) == NULL) {
		answer_fetch(s, failed, n);
		return E_OK;
	}
	op->fetch.n = n;
	memcpy(op->fetch.m, failed, sizeof(failed));
	op_add_now(op, now_fetch);
	return E_OK;
}

static void
run_doubt(struct job *j)
{
	struct op *op = (struct op *)j;
	struct drop *d = op->s->drop;

	d->kind->doubt(d, op->doubt);
}

static void
done_doubt(struct job *j)
{
	tenant_op_done((struct op *)j);
}

enum err
tenant_doubt(struct tenant *s, uint32_t msgno)
{
	struct op *op;

	if (msgno > s->count)
		return E_FORMAT;
	if (s->state != TENANT_OPEN || s->doubts == NOTED_MAX)
		return E_OK; /* it is found out another time */
	s->doubts++;
	log_line(LOG_WARNING, "ev=index-doubted sid=%u.%llx msgno=%u",
	    s->peer->index, (unsigned long long)s->sid, msgno);
	if ((op = op_for(s, run_doubt, done_doubt)) == NULL)
		return E_OK;
	op->doubt = msgno;
	op_add(op);
	return E_OK;
}

/* ---- marks ---- */

enum err
tenant_mark(
    struct tenant *s, enum mark_kind kind, uint32_t first, struct slice bitmap)
{
	uint8_t **bits = kind == MARK_REMOVE ? &s->remove : &s->seen;
	size_t size = ((size_t)s->count + 7) / 8;
	unsigned spare = (unsigned)(size * 8 - s->count);

	if (s->state != TENANT_OPEN || kind > MARK_SEEN || first % 8 != 0 ||
	    first / 8 > size || bitmap.n > size - first / 8 || bitmap.n == 0)
		return E_FORMAT;
	if (first / 8 + bitmap.n == size && spare != 0 &&
	    (uint8_t)bitmap.p[bitmap.n - 1] >> (8 - spare) != 0)
		return E_FORMAT;
	if (kind == MARK_SEEN && !s->peer->store->conf.mark_seen)
		return E_OK;
	if (*bits == NULL && (*bits = calloc(size, 1)) == NULL) {
		s->marks_lost = true;
		return E_OK;
	}
	memcpy(*bits + first / 8, bitmap.p, bitmap.n);
	return E_OK;
}

/* ---- the end ---- */

static void
run_commit(struct job *j)
{
	struct op *op = (struct op *)j;
	struct drop *d = op->s->drop;
	struct drop_commit *c = &op->commit.c;

	if (c->remove != NULL || c->seen != NULL || d->doubted)
		d->kind->commit(d, c);
	else
		d->kind->close(d);
}

static void
answer_commit(struct tenant *s, uint32_t removed, uint32_t failed)
{
	if (!peer_answer_begin(s->peer, IPC_COMMITTED, s->sid))
		return;
	ipc_put_u32(s->peer->chan, removed);
	ipc_put_u32(s->peer->chan, failed);
	peer_answer_end(s->peer);
}

static void
done_commit(struct job *j)
{
	struct op *op = (struct op *)j;

	op->s->drop = NULL;
	if (op->commit.answer)
		answer_commit(op->s, op->commit.c.removed, op->commit.c.failed);
	tenant_op_done(op);
}

/* False: memory. */
static bool
end_by_job(struct tenant *s, bool commit)
{
	struct op *op = op_new(s, run_commit, done_commit, true);

	if (op == NULL)
		return false;
	op->commit.c.remove = commit ? s->remove : NULL;
	op->commit.c.seen = s->seen;
	op->commit.answer = commit;
	op_add(op);
	return true;
}

enum err
tenant_commit(struct tenant *s)
{
	if (s->state != TENANT_OPEN)
		return E_FORMAT;
	s->state = TENANT_ENDING;
	if (!s->marks_lost && end_by_job(s, true))
		return E_OK;
	answer_commit(s, 0, s->count);
	if (s->ops == 0)
		tenant_finish(s);
	return E_OK;
}

void
tenant_release(struct tenant *s)
{
	enum tenant_state was = s->state;

	if (was == TENANT_ENDING)
		return;
	if (was == TENANT_OPEN && s->yielding && s->maildrop->waiting != 0)
		log_line(LOG_EVENT, "ev=takeover sid=%u.%llx", s->peer->index,
		    (unsigned long long)s->sid);
	if (was != TENANT_WAITING)
		s->state = TENANT_ENDING;
	/* While a thread has the drop it must not be looked at. */
	if (was == TENANT_OPEN &&
	    (s->seen != NULL || s->ops != 0 || s->drop->doubted) &&
	    end_by_job(s, false))
		return;
	if (s->ops == 0)
		tenant_finish(s);
}

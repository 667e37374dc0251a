/*
 * What an open session asks for: its view, messages, marks, and its end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/close_later.h"
#include "base/log.h"
#include "server/store/made.h"
#include "server/store/op.h"
#include "server/store/request.h"

enum {
	OPS_MAX = 32,            /* of one session at a time */
	NOTED_MAX = OPS_MAX / 2, /* doubts: they leave room for what is asked */
};

/* What is being closed has half of the room, what is stuck what is its own. */
static bool
has_room(const struct claim *c)
{
	unsigned most = c->worker->store->closing_max;

	switch (close_later_room(c->maildrop->file_system, most)) {
	case CLOSE_ROOM: return true;
	case CLOSE_WAIT: return close_later_waiting() < most / 2;
	default: return false;
	}
}

/* NULL if there is no memory, or the session has asked for too much at a time,
 * or a file system does not let go of its files.  None of that is a fault of
 * the worker: the answer is that it cannot be had now. */
static struct op *
op_for(struct claim *c, void (*run)(struct job *), void (*done)(struct job *))
{
	return c->ops < OPS_MAX && has_room(c) ? op_new(c, run, done, false)
					       : NULL;
}

/* ---- the index ---- */

static void
run_view(struct job *j)
{
	struct op *op = (struct op *)j;
	struct hold *h = op->claim->hold;

	op->e = h->kind->view(h, false, &op->view.fd, &op->view.end);
}

static bool
now_view(struct op *op)
{
	struct hold *h = op->claim->hold;

	op->e = h->kind->view(h, true, &op->view.fd, &op->view.end);
	return op->e == E_OK;
}

static void
answer_view(struct claim *c, enum err e, int fd, uint64_t end)
{
	struct ipc_chan *chan = c->worker->chan;

	if (!store_answer_begin(c->worker, IPC_INDEX_IS, c->sid)) {
		if (e == E_OK)
			close_later(fd, c->maildrop->file_system);
		return;
	}
	ipc_put_u8(chan, e == E_OK);
	ipc_put_u64(chan, e == E_OK ? end : 0);
	if (e == E_OK)
		ipc_put_fd_of(
		    chan, fd, FD_CLOSED_LATER, c->maildrop->file_system);
	store_answer_end(c->worker);
}

static void
done_view(struct job *j)
{
	struct op *op = (struct op *)j;

	answer_view(op->claim, op->e, op->view.fd, op->view.end);
	claim_op_done(op);
}

enum err
claim_view(struct claim *c)
{
	struct op *op;

	if (c->state != CLAIM_OPEN)
		return E_FORMAT;
	if ((op = op_for(c, run_view, done_view)) != NULL)
		op_add_now(op, now_view);
	else
		answer_view(c, E_NOMEM, -1, 0);
	return E_OK;
}

/* ---- messages ---- */

static void
run_fetch(struct job *j)
{
	struct op *op = (struct op *)j;
	struct hold *h = op->claim->hold;

	op->fetch.done = h->kind->fetch(
	    h, j->slow ? PACE_SLOW : PACE_QUICK, op->fetch.m, &op->fetch.n);
}

static bool
now_fetch(struct op *op)
{
	struct hold *h = op->claim->hold;

	op->fetch.done = h->kind->fetch(h, PACE_NOW, op->fetch.m, &op->fetch.n);
	return op->fetch.done;
}

/* What lies in memory is given back at once: it is counted. */
static enum fd_fate
fate(const struct claim *c, const struct hold_message *m)
{
	return m->made != 0 ||
		       close_is_quick(c->maildrop->file_system, m->stored)
		   ? FD_CLOSED
		   : FD_CLOSED_LATER;
}

static void
answer_fetch(struct claim *c, const struct hold_message *m, size_t n)
{
	struct ipc_chan *chan = c->worker->chan;
	bool told = store_answer_begin(c->worker, IPC_FETCHED, c->sid);

	if (told) {
		ipc_put_u8(chan, (uint8_t)n);
		for (size_t i = 0; i < n; i++) {
			ipc_put_u32(chan, m[i].msgno);
			ipc_put_u8(chan, (uint8_t)m[i].status);
			ipc_put_u8(chan, m[i].made != 0);
			ipc_put_u64(chan, m[i].offset);
			ipc_put_u64(chan, m[i].stored);
			ipc_put_u64(chan, m[i].wire);
		}
	}
	for (size_t i = 0; i < n; i++) {
		c->made += m[i].made;
		if (m[i].status == FETCH_OK && told)
			ipc_put_fd_of(chan, m[i].fd, fate(c, &m[i]),
			    c->maildrop->file_system);
		else if (m[i].status == FETCH_OK)
			close_later(m[i].fd, c->maildrop->file_system);
	}
	if (told)
		store_answer_end(c->worker);
}

static void
done_fetch(struct job *j)
{
	struct op *op = (struct op *)j;

	/* The hold of a session that ends may have gone already. */
	if (!op->fetch.done && op->claim->state == CLAIM_OPEN) {
		op_again(op);
		return;
	}
	answer_fetch(op->claim, op->fetch.m, op->fetch.n);
	claim_op_done(op);
}

enum err
claim_fetch(struct claim *c, const uint32_t *msgno, unsigned n)
{
	struct hold_message failed[IPC_FDS] = { { .msgno = 0 } };
	struct op *op;

	if (c->state != CLAIM_OPEN || n == 0 || n > IPC_FDS)
		return E_FORMAT;
	for (unsigned i = 0; i < n; i++) {
		if (msgno[i] == 0 || msgno[i] > c->count)
			return E_FORMAT;
		failed[i].msgno = msgno[i];
		failed[i].status = FETCH_FAILED;
	}
	if ((op = op_for(c, run_fetch, done_fetch)) == NULL) {
		answer_fetch(c, failed, n);
		return E_OK;
	}
	op->fetch.n = n;
	memcpy(op->fetch.m, failed, sizeof(failed));
	op_add_now(op, now_fetch);
	return E_OK;
}

enum err
claim_closed(struct claim *c, uint64_t octets)
{
	if (octets > c->made)
		return E_FORMAT;
	c->made -= octets;
	made_return(octets);
	return E_OK;
}

static void
run_doubt(struct job *j)
{
	struct op *op = (struct op *)j;
	struct hold *h = op->claim->hold;

	h->kind->doubt(h, op->doubt);
}

static void
done_doubt(struct job *j)
{
	claim_op_done((struct op *)j);
}

enum err
claim_doubt(struct claim *c, uint32_t msgno)
{
	struct op *op;

	if (msgno > c->count)
		return E_FORMAT;
	if (c->state != CLAIM_OPEN || c->doubts == NOTED_MAX)
		return E_OK; /* it is found out another time */
	c->doubts++;
	log_line(LOG_WARNING, "ev=index-doubted sid=%u.%llx msgno=%u",
	    c->worker->index, (unsigned long long)c->sid, msgno);
	if ((op = op_for(c, run_doubt, done_doubt)) == NULL)
		return E_OK;
	op->doubt = msgno;
	op_add(op);
	return E_OK;
}

/* ---- marks ---- */

static bool
may_mark(const struct claim *c, enum mark_kind kind)
{
	if (c->state != CLAIM_OPEN || kind >= MARK_KINDS)
		return false;
	if (kind == MARK_TAKEN && c->retention != RETENTION_ONCE)
		return false;
	return kind == MARK_SEEN || !c->read_only;
}

enum err
claim_mark(
    struct claim *c, enum mark_kind kind, uint32_t first, struct slice bitmap)
{
	uint8_t **bits = kind == MARK_REMOVE  ? &c->remove
			 : kind == MARK_TAKEN ? &c->taken
					      : &c->seen;
	size_t size = ((size_t)c->count + 7) / 8;
	unsigned spare = (unsigned)(size * 8 - c->count);

	if (!may_mark(c, kind) || first % 8 != 0 || first / 8 > size ||
	    bitmap.n > size - first / 8 || bitmap.n == 0)
		return E_FORMAT;
	if (first / 8 + bitmap.n == size && spare != 0 &&
	    (uint8_t)bitmap.p[bitmap.n - 1] >> (8 - spare) != 0)
		return E_FORMAT;
	if (kind == MARK_SEEN && (c->read_only || !c->terms->conf.mark_seen))
		return E_OK;
	if (*bits == NULL && (*bits = calloc(size, 1)) == NULL) {
		c->marks_lost = true;
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
	struct hold *h = op->claim->hold;
	struct hold_commit *todo = &op->commit.todo;

	if (todo->remove != NULL || todo->taken != NULL || todo->seen != NULL ||
	    h->doubted)
		h->kind->commit(h, todo);
	else
		h->kind->close(h);
}

static void
answer_commit(struct claim *c, uint32_t removed, uint32_t failed)
{
	if (!store_answer_begin(c->worker, IPC_COMMITTED, c->sid))
		return;
	ipc_put_u32(c->worker->chan, removed);
	ipc_put_u32(c->worker->chan, failed);
	store_answer_end(c->worker);
}

static void
done_commit(struct job *j)
{
	struct op *op = (struct op *)j;

	op->claim->hold = NULL;
	if (op->commit.answer)
		answer_commit(
		    op->claim, op->commit.todo.removed, op->commit.todo.failed);
	claim_op_done(op);
}

/* False: memory. */
static bool
end_by_job(struct claim *c, bool commit)
{
	struct op *op = op_new(c, run_commit, done_commit, true);

	if (op == NULL)
		return false;
	op->commit.todo.remove = commit ? c->remove : NULL;
	op->commit.todo.taken = commit ? c->taken : NULL;
	op->commit.todo.seen = c->seen;
	op->commit.answer = commit;
	op_add(op);
	return true;
}

enum err
claim_commit(struct claim *c)
{
	if (c->state != CLAIM_OPEN)
		return E_FORMAT;
	c->state = CLAIM_ENDING;
	c->told =
	    retention_is_days(c->retention) && !c->read_only && !c->master;
	if (!c->marks_lost && end_by_job(c, true))
		return E_OK;
	answer_commit(c, 0, c->count);
	if (c->ops == 0)
		claim_finish(c);
	return E_OK;
}

void
claim_release(struct claim *c)
{
	enum claim_state was = c->state;

	if (was == CLAIM_ENDING)
		return;
	if (was == CLAIM_OPEN && c->yielding && c->maildrop->waiting != 0)
		log_line(LOG_EVENT, "ev=takeover sid=%u.%llx", c->worker->index,
		    (unsigned long long)c->sid);
	if (was != CLAIM_WAITING)
		c->state = CLAIM_ENDING;
	/* While a thread has the hold it must not be looked at. */
	if (was == CLAIM_OPEN &&
	    (c->seen != NULL || c->ops != 0 || c->hold->doubted) &&
	    end_by_job(c, false))
		return;
	if (c->ops == 0)
		claim_finish(c);
}

#include "server/store/op.h"

#include <stdlib.h>

struct op *
op_new(struct claim *c, void (*run)(struct job *), void (*done)(struct job *),
    bool slow)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->job.run = run;
	op->job.done = done;
	op->job.slow = slow;
	op->claim = c;
	return op;
}

static void
op_queue(struct op *op)
{
	struct claim *c = op->claim;

	op->job.of = c->maildrop->file_system;
	job_add(c->worker->store->pool, &c->maildrop->line, &op->job);
}

void
op_add(struct op *op)
{
	op->claim->ops++;
	op_queue(op);
}

void
op_add_now(struct op *op, bool (*now)(struct op *op))
{
	struct claim *c = op->claim;

	/* What was asked before comes before it. */
	if (c->maildrop->line.pending != 0 || !now(op)) {
		op_add(op);
		return;
	}
	c->ops++;
	op->job.done(&op->job);
}

void
op_again(struct op *op)
{
	op->job.slow = true;
	op_queue(op);
}

bool
op_free(struct op *op)
{
	struct claim *c = op->claim;

	free(op);
	return --c->ops == 0 && c->state == CLAIM_ENDING;
}

#include "server/store/op.h"

#include <stdlib.h>

struct op *
op_new(struct tenant *s, void (*run)(struct job *), void (*done)(struct job *),
    bool slow)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->job.run = run;
	op->job.done = done;
	op->job.slow = slow;
	op->s = s;
	return op;
}

static void
op_queue(struct op *op)
{
	struct tenant *s = op->s;

	job_add(s->peer->store->pool, &s->maildrop->line, &op->job);
}

void
op_add(struct op *op)
{
	op->s->ops++;
	op_queue(op);
}

void
op_add_now(struct op *op, bool (*now)(struct op *op))
{
	struct tenant *s = op->s;

	/* What was asked before comes before it. */
	if (s->maildrop->line.pending != 0 || !now(op)) {
		op_add(op);
		return;
	}
	s->ops++;
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
	struct tenant *s = op->s;

	free(op);
	return --s->ops == 0 && s->state == TENANT_ENDING;
}

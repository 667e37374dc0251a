/*
 * op.h - something that a thread does for a session, and its answer.
 */
#ifndef SERVER_STORE_OP_H
#define SERVER_STORE_OP_H

#include "server/store/tenant.h"

struct op {
	struct job job;
	struct tenant *s;
	enum err e;
	union {
		struct {
			struct drop_open o;
			char tag[DROP_TAG_MAX];
		} open;
		struct {
			int fd;
			uint64_t end;
		} view;
		struct {
			unsigned n;
			struct drop_message m[IPC_FDS];
		} fetch;
		uint32_t doubt;
		struct {
			struct drop_commit c;
			bool answer;
		} commit;
	};
};

/* NULL: memory. */
struct op *op_new(struct tenant *s, void (*run)(struct job *),
    void (*done)(struct job *), bool slow);
void op_add(struct op *op);
/* The same, but without a thread if nothing is to be waited for: now() says
 * whether it has done the work. */
void op_add_now(struct op *op, bool (*now)(struct op *op));

/* At the end of done(); the session goes too if this was its last. */
void op_free(struct op *op);

/* A message to the worker that begins with the sid; false if the
 * process has gone.  One that takes no messages is given up at the end of the
 * turn. */
bool op_answer_begin(struct peer *p, uint16_t type, uint64_t sid) NODISCARD;
void op_answer_end(struct peer *p);

/* Lets go of the maildrop and frees s, for which nothing runs. */
void tenant_finish(struct tenant *s);

#endif

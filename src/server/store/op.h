/*
 * op.h - something that a thread does for a session, and its answer.
 */
#ifndef SERVER_STORE_OP_H
#define SERVER_STORE_OP_H

#include "server/store/claim.h"

/* What the thread needs and what it found out, by kind of request. */
struct op {
	struct job job; /* first */
	struct claim *claim;
	enum err e;
	union {
		struct {
			struct hold_open o;
			char tag[HOLD_TAG_MAX];
		} open;
		struct {
			int fd;
			uint64_t end;
		} view;
		struct {
			bool done;
			size_t n;
			struct hold_message m[IPC_FDS];
		} fetch;
		uint32_t doubt;
		struct {
			struct hold_commit todo;
			bool answer;
		} commit;
	};
};

/* NULL: memory.  run, done, slow: as in a struct job. */
struct op *op_new(struct claim *c, void (*run)(struct job *),
    void (*done)(struct job *), bool slow);
void op_add(struct op *op);
/* The same, but without a thread if nothing is to be waited for: now() says
 * whether it has done the work. */
void op_add_now(struct op *op, bool (*now)(struct op *op));

/* From done(): runs once more, as a slow one. */
void op_again(struct op *op);

/* At the end of done().  True: it was the last of a session that is ending,
 * which the caller finishes (claim_op_done()). */
bool op_free(struct op *op) NODISCARD;

#endif

/*
 * looks.h - what the commands share that look at accounts, or test them, one after
 * the other: the loop, JSON, the exit code, ^C.
 */
#ifndef CLIENT_COMMAND_LOOKS_H
#define CLIENT_COMMAND_LOOKS_H

#include <ev.h>
#include <jansson.h>

#include "client/command/call.h"
#include "client/look.h"

struct looks {
	struct call *call;
	struct ev_loop *loop;
	struct dialer *dialer;
	ev_signal interrupt, terminate;
	json_t *json; /* of the accounts; NULL: it is told in words */
	int code;     /* of the first that failed */
};

/* -1: go on; else the exit code, and what is wrong is said. */
int looks_begin(struct looks *k, struct call *call);
/* Prints the JSON; the exit code. */
int looks_end(struct looks *k);

/* At account `index`; a failure is said, and in k->code.  NULL: memory, which is
 * said, too.  look_free(). */
struct look *looks_at(struct looks *k, size_t index, enum hand hand,
    const struct chosen *chosen, size_t n_chosen);

/* The beginning of an account in JSON; the caller's. */
json_t *looks_json(const struct account *a, const struct look *l);

/* What the record says of the numbers that stand behind the account.  -1: go on;
 * else the exit code, and what is wrong is said.  *v_r is the caller's (free). */
int looks_known(const struct call *call, struct numbered **v_r, size_t *n_r);
/* As a session wants it; the caller's.  NULL: memory. */
struct chosen *looks_chosen(const struct numbered *v, size_t n);
/* The account that the first argument names. */
size_t looks_index(const struct call *call);

#endif

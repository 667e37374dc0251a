/*
 * run.h - one run of an account: its lock, its record, and its sessions, one
 * after the other, with patience for a server that says "later".
 *
 * Knows nothing of other accounts, but how many of their runs are at the same
 * server, nor when it is to be run again.
 */
#ifndef CLIENT_RUN_H
#define CLIENT_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "client/session/progress.h"

struct chosen;
struct client_conf;
struct dialer;
struct ev_loop;
struct report;
struct visit_result;
struct run;

/* Of other runs at the server of an account. */
struct run_others {
	bool any;       /* there is one, whatever it does now */
	unsigned n;     /* sessions that are open */
	unsigned crowd; /* the least that run_crowd() says */
};

/* What all runs share; borrowed as long as there is one. */
struct run_env {
	struct ev_loop *loop;
	struct dialer *dialer;
	const struct client_conf *conf;
	const char *state_dir;
	struct report *report; /* told of all but the end */
	bool terminal;         /* a person can be asked */
	bool accept;           /* what has changed is right */
	bool insist;           /* what was refused is tried again */
	bool trace;
	/* Only these are collected, and nothing is deleted; NULL: all. */
	const struct chosen *chosen;
	size_t n_chosen;
	struct run_others (*others_there)(void *arg, size_t index);
	void *arg;
};

/* The run is over, with what all its sessions did.  Called last of all: from
 * within it the run may be freed or begun again. */
typedef void run_done(void *arg, const struct visit_result *result);

/* index: of the account in env->conf.  NULL: memory. */
struct run *run_new(
    const struct run_env *env, size_t index, run_done *done, void *arg);
void run_free(struct run *run); /* not between run_begin() and `done` */

/* `done` may be called at once. */
void run_begin(struct run *run);
/* How the run before this one has ended, by the record: an exit code. */
int run_exit_before(const struct run *run);
/* So many sessions does its server bear, of all accounts there, as far as it was
 * learned by this one; UINT_MAX: it was not. */
unsigned run_crowd(const struct run *run);
/* It has a session, or is about to. */
bool run_is_in_session(const struct run *run);
/* Both between the two.  It ends well, and soon; `done` is called later. */
void run_stop(struct run *run);
struct visit_progress run_progress(const struct run *run);

#endif

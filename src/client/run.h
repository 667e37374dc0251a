/*
 * run.h - what the loop and the run of one account share.
 */
#ifndef CLIENT_RUN_H
#define CLIENT_RUN_H

#include <ev.h>

#include "client/collect.h"
#include "client/deliver/delivery.h"
#include "client/session/session.h"
#include "client/state/storer.h"

struct collect;

/* One account's run. */
struct run {
	struct collect *c;
	const struct account *account;
	size_t index;
	int lock; /* -1: not ours */
	struct delivery *delivery;
	struct storer *storer;
	struct storer_job begin;
	struct record record;
	struct session *session;
	struct session_result result; /* of all its sessions */
	unsigned tries, waited;       /* of asking again later; seconds */
	bool ended;                   /* before it had a session */
	bool reconnected, only_troubled;
	bool active, over, queued;
	ev_timer timer; /* to go on at */
};

struct collect {
	const struct collect_options *o;
	struct ev_loop *loop;
	struct dialer *dialer;
	struct run *v; /* beside conf->v; `account` is NULL: not chosen */
	bool *held;
	bool stopping;
	ev_signal sigint, sigterm;
	ev_prepare turn;
};

/* The timer's: begins a run, goes on with it, ends it. */
void collect_turn(struct ev_loop *loop, ev_timer *w, int revents);
/* Its run ends soon, or none begins: `over`. */
void collect_stop_one(struct run *run);

#endif

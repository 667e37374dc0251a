/*
 * record.h - what is on record of one account, while a run goes on.
 *
 * A run reads it once; each of its sessions changes it and has the changes
 * written (see storer.h).  The plan of a session borrows `messages`, so that
 * what the session stores is put beside them, into `fresh`, until the plan has
 * gone.
 */
#ifndef CLIENT_STATE_RECORD_H
#define CLIENT_STATE_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "client/state/state.h"

/* What shows that answers are in step: what is listed of a message, asked for
 * again. */
enum fence { FENCE_UIDL, FENCE_LIST, FENCE_NOOP };

struct record {
	struct state_account account;
	struct message *messages; /* known when the session began */
	size_t n_messages;
	struct message *fresh; /* stored by the session */
	size_t n_fresh;
	struct trouble *troubles;
	size_t n_troubles;
	struct numbered *numbers; /* where stubs are made */
	size_t n_numbers, numbers_room;
	/* One of the times in `account`: the session before was lost while that
	 * was awaited; or NULL. */
	int64_t *suspect;
	enum fence fence; /* what the server has not failed to answer so far */
	bool lost_burst;  /* the session before was: see visit.c */
	bool no_quit_ahead; /* a session before was the worse for it */
	bool misnamed; /* unique-ids of the server stand for other messages */
};

/* Room for n messages in `fresh`, which has none: see record_settle(). */
enum err record_make_room(struct record *r, size_t n) NODISCARD;

/* Nothing borrows `messages` any more: puts the fresh ones behind them.
 * E_NOMEM: the record does not know all that is here, so no other session may
 * begin with it. */
enum err record_settle(struct record *r) NODISCARD;

void record_clear(struct record *r);

#endif

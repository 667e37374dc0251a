/*
 * storer.h - the thread that waits for the disk, one an account.
 *
 * It alone uses the account's rows of the state and publishes its deliveries,
 * so that no loop waits for a sync.  Jobs are done in order; the loop is told
 * when each is over.  But a destination elsewhere gets the next batch before it
 * has said yes to the last one, where it takes that: such batches are over in
 * their order, too, and other jobs are done meanwhile.
 */
#ifndef CLIENT_STATE_STORER_H
#define CLIENT_STATE_STORER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/pool.h"
#include "client/deliver/delivery.h"
#include "client/state/state.h"

struct account;
struct ev_loop;
struct storer;

enum storer_kind {
	STORER_BEGIN, /* recovers what an earlier run left, and reads the rows */
	STORER_TRY,   /* would the destination take a message? */
	STORER_BATCH, /* stores parcels, each by its own delivery */
	STORER_SAVE,  /* writes the account and changed rows */
};

/* The caller's; it stays where it is until its `done`. */
struct storer_job {
	struct pool_job job;
	enum storer_kind kind;
	void (*done)(struct storer_job *job); /* in the loop */
	/* BATCH: all is with the destination, which has not said yes yet; the next
	 * one may follow.  In the loop, before `done`, where it takes several. */
	void (*given)(struct storer_job *job);
	void *arg;

	struct state_account account; /* out of BEGIN, in for SAVE */
	struct message *messages;     /* out of BEGIN: to be freed; in for SAVE:
	                               * those to be written */
	size_t n_messages;
	bool listed;              /* SAVE: what is in the maildrop was seen */
	struct trouble *troubles; /* the same; SAVE: all of them */
	size_t n_troubles;
	struct numbered *numbers; /* BEGIN: where stubs are made; to be freed */
	size_t n_numbers;
	size_t n_rebuilt;  /* BEGIN: rows found by their files */
	unsigned n_untold; /* BEGIN, BATCH: messages of which nobody can tell
	                    * whether they were there, and are now: again */
	struct parcel **parcels; /* BATCH */
	size_t n_parcels;
	enum err failed; /* BATCH: the account's delivery takes nothing, by
	                  * `eb` */

	enum err err;
	struct errbuf eb;
	/* The storer's: */
	struct storer *storer;
	bool flying; /* BATCH: it was given, and is not settled */
	TAILQ_ENTRY(storer_job) link;
};

/* Opens what another setting `deliver` names, for what was delivered there.
 * *d_r is NULL if there is nothing any more.  Called by the thread. */
typedef enum err storer_open(
    void *arg, const char *dest, struct delivery **d_r, struct errbuf *eb);

/* All is borrowed until the storer is freed. */
struct storer_conf {
	struct ev_loop *loop;
	const char *state_dir;
	struct state_key key; /* of the account */
	const struct account *account;
	struct delivery *delivery; /* its own: that of no rule */
	storer_open *open;
	void *arg; /* for `open` */
};

enum err storer_new(struct storer **st_r, const struct storer_conf *conf,
    struct errbuf *eb) NODISCARD;

/* Waits for the jobs that were given; their `done` is not called any more. */
void storer_free(struct storer *st);

void storer_do(struct storer *st, struct storer_job *job);

#endif

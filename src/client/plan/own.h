/*
 * own.h - what the files of the plan share.
 */
#ifndef CLIENT_PLAN_OWN_H
#define CLIENT_PLAN_OWN_H

#include "client/plan/index.h"
#include "client/plan/plan.h"

enum {
	ROW_LIVE = 1, /* THERE or DELETING when the plan was made */
	ROW_THERE = 2,
	ROW_COUNTED = 4, /* by the brake: it is no late one, and missed */
	ROW_SURE = 8,    /* a listed one has its unique-id and its size */
	ROW_LISTED = 16, /* a listed one has its unique-id */
	ROW_TAKEN = 32,  /* it is one of those that are listed */
	ROW_BACK = 64,   /* it had gone, and its header would know it again
	                  * where there are no unique-ids */
};

struct plan_own {
	uint8_t *row;              /* ROW_... of each */
	struct plan_index uids;    /* rows with a unique-id */
	struct plan_index headers; /* live rows, and those of ROW_BACK under
	                            * plan_back; sorted by plan_decide() */
	uint64_t *sizes;           /* of these rows that are not sure; sorted */
	size_t n_sizes;
	bool decided;   /* plan_decide() was called */
	size_t pending; /* messages that no answer has told of */
};

/* In place of the unique-id. */
extern const struct digest plan_back;

/* It may be deleted, once it is verified. */
bool plan_due(const struct plan *p, const struct message *m);
bool plan_sized(const struct listed *l);
/* It is a late one: it came under the brake of an earlier run. */
bool plan_is_late(const struct plan *p, const struct message *m);
/* No header was asked for, as there is time for that once it is to be deleted. */
bool plan_is_verified_later(const struct plan *p, const struct plan_item *t);

/* ---- brake.c ---- */

/* Of `counted` messages that were here before so many are missing: are they back,
 * by and large? */
bool plan_are_back(size_t counted, size_t missing);
/* Sets `braked`, by what is known of all that are listed. */
void plan_brake(struct plan *p);
/* It stays on the server, as the brake holds. */
bool plan_holds(const struct plan *p, const struct message *m);

/* match.c: finds the row of an item whose header is known.  Sets
 * `message` and `verified`, takes the row. */
void plan_match_all(struct plan *p);
bool plan_match(struct plan *p, struct plan_item *t);
/* The same, only where no other message can be the row's. */
bool plan_match_surely(struct plan *p, struct plan_item *t);
/* A row is left that the item could be. */
bool plan_may_be_known(struct plan *p, const struct plan_item *t);
void plan_take(struct plan *p, size_t row);

#endif

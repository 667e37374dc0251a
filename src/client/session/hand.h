/*
 * hand.h - a session for the person's own hand: it shows what is on the server, or
 * what a run would do, or deletes what the person has chosen.
 *
 * It takes the steps of one that collects up to the plan.  No message is asked for
 * as a whole, and the session itself puts nothing on record.  A message is deleted
 * only if this session has seen its header, told apart by a fence, and that header
 * is the one that the person was shown; and it has gone only when QUIT was
 * answered.
 */
#ifndef CLIENT_SESSION_HAND_H
#define CLIENT_SESSION_HAND_H

#include "client/message/summary.h"
#include "client/plan/plan.h"

struct pop3_event;
struct step_row;
struct visit;
enum step;

enum hand {
	HAND_NONE,   /* the session is no such one */
	HAND_PLAN,   /* what a run would do */
	HAND_SHOW,   /* and all headers */
	HAND_DELETE, /* the headers of the chosen, and these are deleted */
};

/* A message that the person was shown. */
struct chosen {
	uint32_t number;
	struct digest key; /* of its unique-id; without one, of its header */
	uint64_t size;
	bool has_header;
	struct digest header;
};

struct hand_item {
	struct listed listed;
	enum plan_action action;
	ptrdiff_t message; /* of the record: it was collected; -1: none */
	bool is_large;     /* a run would leave it there, by its size */
	bool is_twin;      /* another one has its unique-id, or its header */
	bool is_wanted;    /* its header is asked for */
	bool is_shown;     /* and was told apart: the next two are its */
	struct identity identity;
	struct summary summary;
	size_t chosen;   /* of which it is; SIZE_MAX: of none */
	bool is_deleted; /* once the session is over */
};

/* Of a session that has come to its plan: n is 0 before. */
struct hand_items {
	struct hand_item *v;
	size_t n;
	bool held; /* the brake keeps what would be deleted: see plan.h */
};

/* ---- within the session ---- */

/* False: memory. */
bool hand_new(struct visit *v, const struct step_row *steps) NODISCARD;
void hand_free(struct visit *v);

/* Is the header wanted; its octets, that it has ended, and whose it is (NULL: it
 * cannot be had). */
bool hand_wants(const struct visit *v, size_t i);
void hand_data(struct visit *v, struct slice data);
void hand_header_ends(struct visit *v, size_t i);
void hand_header(struct visit *v, size_t i, const struct identity *id);
/* All headers are known: the step that follows. */
enum step hand_next(struct visit *v);

#endif

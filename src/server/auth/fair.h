/*
 * fair.h - in which order those have their turn who wait for something that only
 * so many can have at a time.
 *
 * Who waits has a turn as the others have: those of one address follow one
 * another, and so do those about one user, however many there are; between them
 * come those of everybody else.  Users who signed in from their address lately
 * go before all others.
 */
#ifndef SERVER_AUTH_FAIR_H
#define SERVER_AUTH_FAIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Embedded in who waits. */
struct fair_entry {
	uint64_t origin, user; /* whose it is: keyed digests */
	bool known;            /* they signed in from there lately */

	/* The rest is the module's own. */
	TAILQ_ENTRY(fair_entry) link;
	uint64_t turn;
};

TAILQ_HEAD(fair_list, fair_entry);

/* There are few next to what one costs, so they are searched. */
struct fair {
	struct fair_list waiting, running; /* as they came, as they began */
	unsigned n_waiting, n_running;
	/* Of the one that began last: of those who signed in lately, who have
	 * turns of their own, [1]. */
	uint64_t turn[2];
};

void fair_init(struct fair *f);

/* Before fair_wait(): when its turn is. */
void fair_place(const struct fair *f, struct fair_entry *e);
bool fair_is_before(const struct fair_entry *a, const struct fair_entry *b);

void fair_wait(struct fair *f, struct fair_entry *e);
/* It waits no more. */
void fair_leave(struct fair *f, struct fair_entry *e);
/* It waited, and has its turn now; the turn is over. */
void fair_begin(struct fair *f, struct fair_entry *e);
void fair_end(struct fair *f, struct fair_entry *e);

/* Of those that wait: whose turn is next (of two with the same turn, who came
 * first), and whose is last.  NULL: nobody waits. */
struct fair_entry *fair_first(const struct fair *f);
/* As fair_first(), of addresses of which nobody has a turn now. */
struct fair_entry *fair_first_elsewhere(const struct fair *f);
struct fair_entry *fair_last(const struct fair *f);

#endif

/*
 * index.h - rows of the record in the order of what tells them apart, each
 * found until it is taken.
 */
#ifndef CLIENT_PLAN_INDEX_H
#define CLIENT_PLAN_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/message/identity.h"

/* Compared in this order; what is not known or of no interest is 0.  A copy: the
 * rows themselves get new keys. */
struct plan_key {
	struct digest uid, header;
	uint64_t size;
	uint32_t row;
};

struct plan_index {
	size_t n;             /* of rows that are in it */
	struct plan_key *key; /* sorted */
	uint32_t *next;  /* the place that is not taken, at or behind this */
	uint32_t *place; /* of a row; UINT32_MAX: it is not in it */
};

/* Takes all memory that it will ever need, for n rows. */
enum err plan_index_init(struct plan_index *x, size_t n) NODISCARD;
void plan_index_clear(struct plan_index *x);

/* First all that are in it, then the order. */
void plan_index_add(struct plan_index *x, const struct plan_key *k);
void plan_index_sort(struct plan_index *x);

/* The first place that is not before the key; n: none. */
size_t plan_index_find(const struct plan_index *x, const struct plan_key *k);
/* The first that is not taken and not before it; NULL: none. */
const struct plan_key *plan_index_free(
    struct plan_index *x, const struct plan_key *k);
void plan_index_take(struct plan_index *x, size_t row);

#endif

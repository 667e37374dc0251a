/*
 * map.h - from octets to numbers, and a place for octets that stay.
 *
 * For one job's tables of names; both are freed as a whole.  The keys come
 * from whoever owns the mail, so the hash is seeded at random.
 */
#ifndef SERVER_STORE_MAILDIR_MAP_H
#define SERVER_STORE_MAILDIR_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define MAP_NONE UINT32_MAX

struct map_entry {
	const char *p;
	uint32_t n, value;
};

/* Small, as each look into the table is one at memory far away. */
struct map_slot {
	uint32_t hash;
	uint32_t entry; /* of v, from 1; 0: free */
};

struct map {
	struct map_slot *slot;
	struct map_entry *v; /* in the order of their coming */
	uint32_t size, used; /* size: a power of 2, or 0 */
	uint64_t seed;
};

/* No memory is taken. */
void map_init(struct map *m);
void map_free(struct map *m);

/* MAP_NONE if it is not there. */
uint32_t map_get(const struct map *m, struct slice key);

/* The place of the value, borrowed until the next call, with MAP_NONE in it
 * if the key is new.  The key's octets are borrowed until map_free().  NULL:
 * memory, which only a new key needs. */
uint32_t *map_put(struct map *m, struct slice key) NODISCARD;

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk;
	size_t left;
};

void arena_init(struct arena *a);
void arena_free(struct arena *a);

/* A copy that lives until arena_free(); n is at most 64 KiB.  NULL: memory. */
char *arena_put(struct arena *a, const void *p, size_t n) NODISCARD;
/* Takes back what the last arena_put() gave, n octets. */
void arena_unput(struct arena *a, size_t n);

#endif

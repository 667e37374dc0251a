#include "server/store/maildir/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

enum { MAP_FIRST = 64, CHUNK = 64 * 1024 };

void
map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void
map_free(struct map *m)
{
	free(m->slot);
	free(m->v);
	map_init(m);
}

static uint32_t
map_hash(const struct map *m, struct slice key)
{
	return (uint32_t)XXH3_64bits_withSeed(key.p, key.n, m->seed);
}

/* NULL: it is not there; *at_r is the free slot where it belongs. */
static struct map_entry *
map_find(const struct map *m, struct slice key, uint32_t hash, uint32_t *at_r)
{
	for (uint32_t i = hash;; i++) {
		const struct map_slot *s = &m->slot[i & (m->size - 1)];
		struct map_entry *v;

		if (s->entry == 0) {
			*at_r = i & (m->size - 1);
			return NULL;
		}
		v = &m->v[s->entry - 1];
		if (s->hash == hash && v->n == key.n &&
		    memcmp(v->p, key.p, key.n) == 0)
			return v;
	}
}

uint32_t
map_get(const struct map *m, struct slice key)
{
	const struct map_entry *v;
	uint32_t at;

	if (m->size == 0)
		return MAP_NONE;
	v = map_find(m, key, map_hash(m, key), &at);
	return v != NULL ? v->value : MAP_NONE;
}

/* Puts what there is into a table of another size. */
static void
map_spread(struct map *m, const struct map_slot *old, uint32_t size)
{
	for (uint32_t k = 0; k < size; k++) {
		uint32_t i = old[k].hash;

		if (old[k].entry == 0)
			continue;
		while (m->slot[i & (m->size - 1)].entry != 0)
			i++;
		m->slot[i & (m->size - 1)] = old[k];
	}
}

static bool
map_grow(struct map *m)
{
	struct map old = *m;
	struct map_entry *v;

	if (old.size > UINT32_MAX / 2)
		return false;
	if (old.size == 0 &&
	    getrandom(&m->seed, sizeof(m->seed), GRND_NONBLOCK) < 0)
		m->seed = (uintptr_t)m; /* early after boot */
	m->size = old.size != 0 ? old.size * 2 : MAP_FIRST;
	v = realloc(m->v, (size_t)m->size / 2 * sizeof(*m->v));
	if (v == NULL) {
		*m = old;
		return false;
	}
	m->v = old.v = v;
	if ((m->slot = calloc(m->size, sizeof(*m->slot))) == NULL) {
		*m = old;
		return false;
	}
	map_spread(m, old.slot, old.size);
	free(old.slot);
	return true;
}

uint32_t *
map_put(struct map *m, struct slice key)
{
	struct map_entry *v;
	uint32_t hash, at;

	if (m->size == 0 && !map_grow(m))
		return NULL;
	hash = map_hash(m, key);
	if ((v = map_find(m, key, hash, &at)) != NULL)
		return &v->value;
	if (m->used >= m->size / 2) {
		if (!map_grow(m))
			return NULL;
		map_find(m, key, hash, &at);
	}
	v = &m->v[m->used++];
	*v = (struct map_entry){ key.p, (uint32_t)key.n, MAP_NONE };
	m->slot[at] = (struct map_slot){ hash, m->used };
	return &v->value;
}

struct arena_chunk {
	struct arena_chunk *next;
	char data[CHUNK];
};

void
arena_init(struct arena *a)
{
	*a = (struct arena){ 0 };
}

void
arena_free(struct arena *a)
{
	struct arena_chunk *next;

	for (; a->chunk != NULL; a->chunk = next) {
		next = a->chunk->next;
		free(a->chunk);
	}
	arena_init(a);
}

char *
arena_put(struct arena *a, const void *p, size_t n)
{
	char *at;

	if (n > CHUNK)
		return NULL;
	if (a->chunk == NULL || n > a->left) {
		struct arena_chunk *c = malloc(sizeof(*c));

		if (c == NULL)
			return NULL;
		c->next = a->chunk;
		a->chunk = c;
		a->left = CHUNK;
	}
	at = a->chunk->data + CHUNK - a->left;
	if (n != 0)
		memcpy(at, p, n);
	a->left -= n;
	return at;
}

void
arena_unput(struct arena *a, size_t n)
{
	a->left += n;
}

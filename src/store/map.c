#include "store/map.h"

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
	map_init(m);
}

/* The slot of the key, or the free one where it belongs. */
static struct map_slot *
map_find(const struct map *m, const char *p, size_t n)
{
	size_t i = XXH3_64bits_withSeed(p, n, m->seed);

	for (;; i++) {
		struct map_slot *s = &m->slot[i & (m->size - 1)];

		if (s->p == NULL || (s->n == n && memcmp(s->p, p, n) == 0))
			return s;
	}
}

uint32_t
map_get(const struct map *m, struct slice key)
{
	const struct map_slot *s;

	if (m->size == 0)
		return MAP_NONE;
	s = map_find(m, key.p, key.n);
	return s->p != NULL ? s->value : MAP_NONE;
}

static bool
map_grow(struct map *m)
{
	struct map old = *m;

	if (old.size == 0 &&
	    getrandom(&m->seed, sizeof(m->seed), GRND_NONBLOCK) < 0)
		m->seed = (uintptr_t)m; /* early after boot */
	m->size = old.size != 0 ? old.size * 2 : MAP_FIRST;
	if ((m->slot = calloc(m->size, sizeof(*m->slot))) == NULL) {
		*m = old;
		return false;
	}
	for (size_t i = 0; i < old.size; i++)
		if (old.slot[i].p != NULL)
			*map_find(m, old.slot[i].p, old.slot[i].n) =
			    old.slot[i];
	free(old.slot);
	return true;
}

uint32_t *
map_put(struct map *m, struct slice key)
{
	struct map_slot *s = NULL;

	if (m->size != 0)
		s = map_find(m, key.p, key.n);
	if (s != NULL && s->p != NULL)
		return &s->value;
	if (m->used >= m->size / 2) {
		if (!map_grow(m))
			return NULL;
		s = map_find(m, key.p, key.n);
	}
	*s = (struct map_slot){ key.p, (uint32_t)key.n, MAP_NONE };
	m->used++;
	return &s->value;
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

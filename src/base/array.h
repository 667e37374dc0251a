/*
 * array.h - an array that grows at its end.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

#include "base/err.h"

/* As realloc(3), to twice the members of `size` octets that there is room
 * for. */
void *array_grow(void *v, size_t *room, size_t size) NODISCARD;

/* The array, with room for one more behind its n members; NULL: memory, and v
 * stays as it is. */
NODISCARD static inline void *
array_room(void *v, size_t n, size_t *room, size_t size)
{
	return n < *room ? v : array_grow(v, room, size);
}

#endif

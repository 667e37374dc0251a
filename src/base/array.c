#include "base/array.h"

#include <stdlib.h>

enum { ARRAY_FIRST = 64 };

void *
array_grow(void *v, size_t *room, size_t size)
{
	size_t more = *room != 0 ? *room * 2 : ARRAY_FIRST;
	void *p = reallocarray(v, more, size);

	if (p != NULL)
		*room = more;
	return p;
}

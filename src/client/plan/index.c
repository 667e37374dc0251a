#include "client/plan/index.h"

#include <stdlib.h>
#include <string.h>

enum err
plan_index_init(struct plan_index *x, size_t n)
{
	*x = (struct plan_index){ 0 };
	x->key = malloc((n + 1) * sizeof(*x->key));
	x->next = malloc((n + 1) * sizeof(*x->next));
	x->place = malloc((n + 1) * sizeof(*x->place));
	if (x->key == NULL || x->next == NULL || x->place == NULL) {
		plan_index_clear(x);
		return E_NOMEM;
	}
	memset(x->place, 0xff, (n + 1) * sizeof(*x->place));
	x->next[0] = 0;
	return E_OK;
}

void
plan_index_clear(struct plan_index *x)
{
	free(x->key);
	free(x->next);
	free(x->place);
	*x = (struct plan_index){ 0 };
}

void
plan_index_add(struct plan_index *x, const struct plan_key *k)
{
	x->key[x->n++] = *k;
}

static int
compare(const void *v, const void *w)
{
	const struct plan_key *a = v, *b = w;
	int c = memcmp(a->uid.v, b->uid.v, DIGEST_SIZE);

	if (c == 0)
		c = memcmp(a->header.v, b->header.v, DIGEST_SIZE);
	if (c == 0)
		c = (a->size > b->size) - (a->size < b->size);
	return c != 0 ? c : (a->row > b->row) - (a->row < b->row);
}

void
plan_index_sort(struct plan_index *x)
{
	qsort(x->key, x->n, sizeof(*x->key), compare);
	for (uint32_t i = 0; i < x->n; i++)
		x->place[x->key[i].row] = i;
	for (uint32_t i = 0; i <= x->n; i++)
		x->next[i] = i;
}

size_t
plan_index_find(const struct plan_index *x, const struct plan_key *k)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&x->key[mid], k) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct plan_key *
plan_index_free(struct plan_index *x, const struct plan_key *k)
{
	size_t place = plan_index_find(x, k), end = place;

	while (x->next[end] != end)
		end = x->next[end];
	while (x->next[place] != end) { /* the next search is short */
		size_t next = x->next[place];

		x->next[place] = (uint32_t)end;
		place = next;
	}
	return end < x->n ? &x->key[end] : NULL;
}

void
plan_index_take(struct plan_index *x, size_t row)
{
	uint32_t place = x->place[row];

	if (place != UINT32_MAX)
		x->next[place] = place + 1;
}

#include "client/session/items.h"

#include <stdlib.h>
#include <string.h>

enum err
items_init(struct items *t, size_t n)
{
	size_t *lists = calloc(n + 1, 3 * sizeof(*lists));

	*t = (struct items){ .v = calloc(n + 1, sizeof(*t->v)) };
	if (t->v == NULL || lists == NULL) {
		free(lists);
		items_clear(t);
		return E_NOMEM;
	}
	t->alone = lists;
	t->delete = lists + n;
	t->unsaved = lists + 2 * n;
	return E_OK;
}

void
items_clear(struct items *t)
{
	free(t->alone);
	free(t->v);
	*t = (struct items){ .v = NULL };
}

void
items_ask_alone(struct items *t, size_t i)
{
	t->v[i].alone = true;
	t->v[i].progress = ITEM_IDLE;
	t->alone[t->n_alone++] = i;
}

void
items_delete(struct items *t, size_t i)
{
	t->v[i].progress = ITEM_DELETE;
	t->delete[t->n_delete++] = i;
}

void
items_delete_later(struct items *t, size_t i)
{
	t->unsaved[t->n_unsaved++] = i;
}

void
items_delete_saved(struct items *t)
{
	for (size_t i = 0; i < t->n_saving; i++)
		items_delete(t, t->unsaved[i]);
	t->n_unsaved -= t->n_saving;
	memmove(t->unsaved, t->unsaved + t->n_saving,
	    t->n_unsaved * sizeof(*t->unsaved));
	t->n_saving = 0;
}

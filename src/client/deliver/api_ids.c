#include "client/deliver/api_ids.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

bool
api_ids_has(const struct api_ids *ids, const char *id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (strcmp(ids->v[i], id) == 0)
			return true;
	return false;
}

enum err
api_ids_add(struct api_ids *ids, const char *id)
{
	char **v;

	if (api_ids_has(ids, id))
		return E_OK;
	v = array_room(ids->v, ids->n, &ids->room, sizeof(*v));
	if (v == NULL)
		return E_NOMEM;
	ids->v = v;
	if ((v[ids->n] = strdup(id)) == NULL)
		return E_NOMEM;
	ids->n++;
	return E_OK;
}

void
api_ids_free(struct api_ids *ids)
{
	for (size_t i = 0; i < ids->n; i++)
		free(ids->v[i]);
	free(ids->v);
	*ids = (struct api_ids){ .n = 0 };
}

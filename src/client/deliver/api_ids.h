/*
 * api_ids.h - the ids of messages behind an API.
 */
#ifndef CLIENT_DELIVER_API_IDS_H
#define CLIENT_DELIVER_API_IDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct api_ids {
	char **v;
	size_t n, room;
};

/* Once each.  E_NOMEM. */
enum err api_ids_add(struct api_ids *ids, const char *id) NODISCARD;
bool api_ids_has(const struct api_ids *ids, const char *id);
void api_ids_free(struct api_ids *ids);

#endif

#include "server/store/terms.h"

#include <stdlib.h>

struct terms *
terms_new(const struct store_conf *conf)
{
	struct terms *t = malloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	t->conf = *conf;
	t->users = 1;
	return t;
}

struct terms *
terms_get(struct terms *t)
{
	t->users++;
	return t;
}

void
terms_put(struct terms *t)
{
	if (t != NULL && --t->users == 0)
		free(t);
}

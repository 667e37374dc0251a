#include "client/state/record.h"

#include <stdlib.h>
#include <string.h>

enum err
record_make_room(struct record *r, size_t n)
{
	struct message *v = reallocarray(r->fresh, n + 1, sizeof(*v));

	if (v == NULL)
		return E_NOMEM;
	r->fresh = v;
	return E_OK;
}

enum err
record_settle(struct record *r)
{
	struct message *v;

	if (r->n_fresh == 0)
		return E_OK;
	v = reallocarray(r->messages, r->n_messages + r->n_fresh, sizeof(*v));
	if (v == NULL)
		return E_NOMEM;
	memcpy(v + r->n_messages, r->fresh, r->n_fresh * sizeof(*v));
	r->messages = v;
	r->n_messages += r->n_fresh;
	r->n_fresh = 0;
	return E_OK;
}

void
record_clear(struct record *r)
{
	free(r->messages);
	free(r->fresh);
	free(r->troubles);
	free(r->numbers);
	*r = (struct record){ .messages = NULL };
}

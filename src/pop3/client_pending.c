#include "pop3/client_pending.h"

#include <stdlib.h>

enum { RING_FIRST = 16 };

/* ring_size is a power of 2. */
static struct pop3_outstanding *
slot(const struct pop3_client *c, uint32_t i)
{
	return &c->ring[(c->ring_head + i) & (c->ring_size - 1)];
}

enum err
pop3_pending_reserve(struct pop3_client *c)
{
	uint32_t size = c->ring_size != 0 ? c->ring_size * 2 : RING_FIRST;
	struct pop3_outstanding *ring;

	if (c->n_pending < c->ring_size)
		return E_OK;
	if (size == 0 || (ring = calloc(size, sizeof(*ring))) == NULL)
		return E_NOMEM;
	for (uint32_t i = 0; i < c->n_pending; i++)
		ring[i] = *slot(c, i);
	free(c->ring);
	c->ring = ring;
	c->ring_size = size;
	c->ring_head = 0;
	return E_OK;
}

void
pop3_pending_push(struct pop3_client *c, struct pop3_outstanding o)
{
	*slot(c, c->n_pending) = o;
	c->n_pending++;
	c->pending_octets += o.octets;
}

const struct pop3_outstanding *
pop3_pending_first(const struct pop3_client *c)
{
	return slot(c, 0);
}

const struct pop3_outstanding *
pop3_pending_second(const struct pop3_client *c)
{
	return slot(c, 1);
}

void
pop3_pending_pop(struct pop3_client *c)
{
	c->pending_octets -= slot(c, 0)->octets;
	c->ring_head++;
	c->n_pending--;
}

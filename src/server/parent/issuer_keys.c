#include "server/parent/issuer_keys.h"

#include <stdlib.h>
#include <string.h>

static void
forget(struct issuer_keys *k)
{
	free(k->octets);
	*k = (struct issuer_keys){ .octets = NULL };
}

void
issuer_keys_forget(struct parent *p)
{
	for (unsigned i = 0; i < ISSUERS_MAX; i++)
		forget(&p->issuer_keys[i]);
}

/* The place for those of an issuer: its own, or one of an issuer that is not in the
 * settings any more. */
static struct issuer_keys *
place(struct parent *p, const struct issuer_conf *of)
{
	const struct net_conf *c = &p->conf->net;

	for (unsigned i = 0; i < ISSUERS_MAX; i++)
		if (strcmp(p->issuer_keys[i].of.name, of->name) == 0)
			return &p->issuer_keys[i];
	for (unsigned i = 0; i < ISSUERS_MAX; i++) {
		unsigned k = 0;

		while (k < c->n_issuers && strcmp(c->issuer[k].name,
					       p->issuer_keys[i].of.name) != 0)
			k++;
		if (k == c->n_issuers)
			return &p->issuer_keys[i];
	}
	return NULL;
}

enum err
issuer_keys_are(struct child *net, uint16_t issuer, uint64_t old_at,
    uint64_t ends_at, struct slice keys)
{
	struct parent *p = net->parent;
	struct issuer_keys *k;

	if (net->replaced)
		return E_OK; /* its settings are no more */
	if (issuer >= p->conf->net.n_issuers)
		return E_FORMAT;
	if ((k = place(p, &p->conf->net.issuer[issuer])) == NULL)
		return E_OK;
	forget(k);
	if ((k->octets = malloc(keys.n)) == NULL)
		return E_OK; /* then they are fetched anew */
	memcpy(k->octets, keys.p, keys.n);
	k->n = keys.n;
	k->of = p->conf->net.issuer[issuer];
	k->old_at = old_at;
	k->ends_at = ends_at;
	return E_OK;
}

static void
tell(struct child *net, uint16_t issuer, const struct issuer_keys *k)
{
	ipc_begin(net->chan, IPC_ISSUER_KEYS);
	ipc_put_u16(net->chan, issuer);
	ipc_put_u64(net->chan, k->old_at);
	ipc_put_u64(net->chan, k->ends_at);
	ipc_put_bytes(net->chan, k->octets, k->n);
	(void)!ipc_end(net->chan); /* then they are fetched anew */
}

void
issuer_keys_tell(struct child *net)
{
	struct parent *p = net->parent;

	for (uint16_t i = 0; i < p->conf->net.n_issuers; i++)
		for (unsigned k = 0; k < ISSUERS_MAX; k++)
			if (p->issuer_keys[k].octets != NULL &&
			    ipc_fields_same(&issuer_conf_fields,
				&p->conf->net.issuer[i], &p->issuer_keys[k].of))
				tell(net, i, &p->issuer_keys[k]);
}

#include "server/worker/admission.h"

#include "base/log.h"

/* Addresses of another family are in no network. */
static bool
is_in(const struct nets *nets, const struct sockaddr_storage *from)
{
	uint8_t octets[16];

	return nets->n != 0 && cidr_address_of(octets, from) &&
	       cidr_any_has(nets->net, nets->n, octets);
}

const char *
admission_refusal(const struct listener *l, const struct sockaddr_storage *from)
{
	uint8_t octets[16];

	if (l->allow.n == 0 && l->deny.n == 0)
		return NULL;
	if (!cidr_address_of(octets, from) || is_in(&l->deny, from))
		return "deny_nets";
	return l->allow.n != 0 && !is_in(&l->allow, from) ? "allow_nets" : NULL;
}

bool
admission_is_proxy(
    const struct listener *l, const struct sockaddr_storage *from)
{
	return is_in(&l->proxies, from);
}

bool
admission_enter(struct worker *w, const struct sockaddr_storage *from,
    struct admission *out)
{
	uint32_t same;

	out->counter = addrcount_of(&w->counts, (const struct sockaddr *)from);
	out->is_counted = true;
	same = addrcount_enter(&w->counts, w->conf.role.index, out->counter);
	return w->conf.per_address_max == 0 || same <= w->conf.per_address_max;
}

void
admission_leave(struct worker *w, struct admission *a)
{
	if (a->is_counted)
		addrcount_leave(&w->counts, w->conf.role.index, a->counter);
	a->is_counted = false;
}

void
admission_log(struct worker *w, const char *peer, const char *why)
{
	if (burst_is_first(&w->turned_away, w->loop))
		log_line(
		    LOG_WARNING, "ev=turned-away ip=%s why=\"%s\"", peer, why);
}

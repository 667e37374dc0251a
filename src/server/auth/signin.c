#include "server/auth/signin.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sasl/sasl.h"
#include "server/auth/password.h"
#include "server/auth/refuse.h"
#include "server/auth/served.h"
#include "server/auth/ticket.h"

void
signin_pass(struct signin *s, struct slice name, struct slice password)
{
	signin_claim(s, name, &password);
}

void
signin_apop(struct signin *s, struct slice name, struct slice timestamp,
    const uint8_t digest[APOP_DIGEST])
{
	memcpy(s->digest, digest, APOP_DIGEST);
	if ((s->timestamp = strndup(timestamp.p, timestamp.n)) == NULL)
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	else
		signin_claim(s, name, NULL);
}

void
signin_sasl(struct signin *s, struct slice mechanism,
    const struct connection *c, const struct slice *initial)
{
	const struct sasl_mechanism *m = sasl_find(mechanism);

	if (m == NULL || !served_has(s->auth, m))
		signin_refuse(s, SIGN_IN_MALFORMED, "mechanism");
	else if (exchange_begin(s, m, c) != E_OK)
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	else
		exchange_step(s, initial);
}

static bool
needs_nothing_more(const struct sasl_mechanism *m)
{
	return (m->asks == SASL_PASSWORD || m->asks == SASL_LOOKUP ||
		   m->asks == SASL_TOKEN) &&
	       !(m->flags & SASL_NEEDS_BINDING);
}

void
signin_service(struct signin *s, const char *service, struct slice mechanism,
    const struct slice *initial)
{
	static const struct connection nothing_known;
	const struct sasl_mechanism *m = sasl_find(mechanism);

	snprintf(s->service, sizeof(s->service), "%s", service);
	s->begun = clock_ms();
	if (m == NULL || needs_nothing_more(m))
		signin_sasl(s, mechanism, &nothing_known, initial);
	else
		signin_refuse(s, SIGN_IN_MALFORMED, "mechanism");
}

void
signin_kpop(struct signin *s, struct slice ap_req)
{
	ticket_ap_req(s, ap_req);
}

enum err
signin_step(struct signin *s, struct slice response)
{
	if (s->state != SASL)
		return E_FORMAT;
	if (ticket_awaits_name(s))
		ticket_name(s, response);
	else
		exchange_step(s, &response);
	return E_OK;
}

/*
 * consent.h - a person allows malote to collect mail, or to put it: in a browser here (RFC 6749
 * s4.1 with RFC 7636 and 8252), or anywhere by a code (RFC 8628).  It waits for
 * the person.
 */
#ifndef CLIENT_OAUTH_CONSENT_H
#define CLIENT_OAUTH_CONSENT_H

#include <stdio.h>

#include "base/err.h"
#include "client/oauth/party.h"

struct oauth_login {
	const struct oauth_party *party;
	enum oauth_flow flow; /* OAUTH_ANY: what the party says, or what fits */
	FILE *out;            /* where the person is told what to do */
	int in;     /* where it may paste an address, see loopback.h; or -1 */
	bool opens; /* a browser may be opened */
	unsigned seconds; /* of patience with the person */
};

/* E_OK: tokens are kept.  E_DENIED: it was not allowed; E_AGAIN: it may work
 * another time; E_CONFIG, E_FORMAT, E_IO, E_NOMEM; with words. */
enum err oauth_login(const struct oauth_login *l, struct errbuf *eb) NODISCARD;

#endif

/*
 * offer.h - a POP3 server that somebody says is the one of an address.
 */
#ifndef CLIENT_SETUP_OFFER_H
#define CLIENT_SETUP_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/conf/account.h"
#include "net/host.h"

enum { OFFERS_MAX = 8, OFFER_USER = 320 };

struct offer {
	char server[HOST_MAX]; /* lower case, A-labels */
	uint16_t port;
	enum security security; /* TLS or STARTTLS */
	char user[OFFER_USER];  /* printable; empty: it was not said */
	bool only_token;        /* it takes nothing but OAuth 2.0 */
};

/* Sets what there is of it.  False: that is no server, or no user. */
bool offer_set_server(struct offer *o, const char *host);
bool offer_set_port(struct offer *o, const char *digits);
bool offer_set_user(struct offer *o, const char *user);

#endif

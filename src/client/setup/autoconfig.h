/*
 * autoconfig.h - what a domain says of its servers, in the form that Thunderbird
 * has made common: https://autoconfig.DOMAIN/mail/config-v1.1.xml.
 */
#ifndef CLIENT_SETUP_AUTOCONFIG_H
#define CLIENT_SETUP_AUTOCONFIG_H

#include "base/str.h"
#include "client/setup/offer.h"

struct autoconfig {
	struct offer v[OFFERS_MAX]; /* of POP3, in the order of the document */
	size_t n;
	struct offer smtp; /* the first one that sends; no server: none */
	bool imap;         /* it names an IMAP server */
	bool plain; /* it names POP3 servers without TLS, which are left out */
};

/* For the address, a well-formed one.  False: it is no such document. */
bool autoconfig_parse(
    struct autoconfig *a, struct slice xml, const char *address);

#endif

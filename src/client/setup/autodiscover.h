/*
 * autodiscover.h - what a domain says of its servers, in the form that Microsoft
 * has made common (MS-OXDSCLI).  It is asked with the whole address.
 */
#ifndef CLIENT_SETUP_AUTODISCOVER_H
#define CLIENT_SETUP_AUTODISCOVER_H

#include "base/str.h"
#include "client/setup/offer.h"

enum { AUTODISCOVER_REQUEST = 1024 };

/* What is sent by POST, as text/xml.  False: the address is too long. */
bool autodiscover_request(char out[AUTODISCOVER_REQUEST], const char *address);

struct autodiscover {
	struct offer v[OFFERS_MAX]; /* of POP3, in the order of the document */
	size_t n;
	bool imap; /* it names an IMAP server */
};

/* False: it is no such document. */
bool autodiscover_parse(struct autodiscover *a, struct slice xml);

#endif

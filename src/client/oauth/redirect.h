/*
 * redirect.h - what a browser is sent back with (RFC 6749 s4.1.2): reads it.
 */
#ifndef CLIENT_OAUTH_REDIRECT_H
#define CLIENT_OAUTH_REDIRECT_H

#include "base/buf.h"
#include "client/oauth/answer.h"

enum { REDIRECT_MAX = 16 * 1024 }; /* octets of a request or an address */

enum redirect {
	REDIRECT_MORE,    /* the request has not come whole */
	REDIRECT_OTHER,   /* it asks for something else */
	REDIRECT_FOREIGN, /* it is for another sign-in than ours: its state */
	REDIRECT_CODE,    /* it was allowed, and `code` is the proof */
	REDIRECT_REFUSED, /* it was not, and `r` says why */
};

/* Reads a request of a browser (RFC 9112).  path: where it was to be sent, "/"
 * at least; state: the one that we have chosen.  code: a secret buffer of
 * REDIRECT_MAX. */
enum redirect redirect_of_request(struct slice request, const char *path,
    const char *state, struct buf *code, struct oauth_refusal *r);

/* Reads the address that a browser shows, as a person has copied it. */
enum redirect redirect_of_address(struct slice address, const char *state,
    struct buf *code, struct oauth_refusal *r);

#endif
